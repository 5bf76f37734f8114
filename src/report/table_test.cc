#include "report/table.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.h"
#include "report/format.h"
#include "report/markup.h"
#include "report/utf8.h"

namespace pointsman::report {
namespace {

Table synthetic_table() {
  Table table("", {{.key = "arm", .title = "arm"},
                   {.key = "cost", .title = "cost", .quantity = Quantity::kRatio},
                   {.key = "tat_s", .title = "TAT", .quantity = Quantity::kSeconds},
                   {.key = "jobs", .title = "jobs", .quantity = Quantity::kCount}});
  table.add({"las", Cell(Interval{.82, .79, .85}).mark(), .0412, 12345});
  table.add({"eevdf", 1, 1.5, 7});
  table.add({"rtc", Interval{16.04, 9.5, 27}, kMissing});
  return table;
}

TEST(Table, aligns_numbers_and_the_parts_of_intervals) {
  EXPECT_EQ(synthetic_table().text(),
            "arm                 cost       TAT    jobs\n"
            "-----  ------------------  -------  ------\n"
            "las    0.82 [0.79, 0.85]*  41.2 ms  12 345\n"
            "eevdf  1.00                 1.50 s       7\n"
            "rtc    16.0 [9.50, 27.0]         -\n");
}

TEST(Table, json_has_base_units_and_stable_keys) {
  Table table = synthetic_table();
  table.mark_key = "best";
  const nlohmann::json rows = table.json();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].dump(), R"({"arm":"las","best":["cost"],"cost":{"high":0.85,"low":0.79,"mean":0.82},"jobs":12345,"tat_s":0.0412})");
  EXPECT_EQ(rows[2].dump(), R"({"arm":"rtc","best":[],"cost":{"high":27.0,"low":9.5,"mean":16.04},"jobs":null,"tat_s":null})");
}

TEST(Table, html_heads_rows_and_escapes) {
  Table table("", {{.key = "name", .title = "<b>"}, {.key = "gap", .title = "gap", .quantity = Quantity::kPercent}});
  table.add({"<script>alert(1)</script>", Interval{-.05, -.2, .1}});
  const std::string html = table.html();
  EXPECT_NE(html.find("<th scope=\"col\">&lt;b&gt;</th>"), std::string::npos);
  EXPECT_NE(html.find("<th scope=\"row\">&lt;script&gt;alert(1)&lt;/script&gt;</th>"
                      "<td class=\"num\">−5 % <span class=\"ci\">−20 to 10 %</span></td>"),
            std::string::npos)
      << html;
  EXPECT_EQ(html.find("<script"), std::string::npos);
}

TEST(Table, a_name_cannot_move_the_cursor_or_break_the_line) {
  Table table("", {{.key = "name", .title = "name"}});
  table.add({"\x1b[2Jevil\nrow\xff"});
  EXPECT_EQ(table.text(), "name\n-------------\n\uFFFD[2Jevil row\uFFFD\n");
}

TEST(Table, wide_and_combining_characters_keep_the_columns) {
  Table table("", {{.key = "a", .title = "a"}, {.key = "b", .title = "b"}});
  table.add({"日本", "x"});
  table.add({"e\u0301", "y"});
  table.add({"abcd", "z"});
  EXPECT_EQ(table.text(), "a     b\n----  -\n日本  x\ne\u0301     y\nabcd  z\n");
}

TEST(Table, rules_titles_notes_and_colour) {
  Table table("Title", {{.key = "a", .title = "a"}});
  table.notes = {"note"};
  table.add({"x"});
  table.add_rule();
  table.add({Cell("y").mark()});
  EXPECT_EQ(table.text(), "Title\na\n--\nx\n--\ny*\nnote\n");
  EXPECT_NE(table.text({.color = true}).find("\x1b[1my\x1b[0m*"), std::string::npos);
  EXPECT_EQ(Table("", {{.key = "a", .title = "a"}}).text(), "a\n-\n");
}

TEST(Table, colour_needs_a_terminal) { EXPECT_FALSE(wants_color(-1)); }

TEST(Table, emit_writes_text_or_json) {
  char* buffer = nullptr;
  size_t size = 0;
  std::FILE* memory = ::open_memstream(&buffer, &size);
  ASSERT_TRUE(emit(synthetic_table(), {.json = true, .out = memory}));
  EXPECT_EQ(nlohmann::json::parse(std::string(buffer, size)), synthetic_table().json());
  std::fclose(memory);
  std::free(buffer);

  const std::string path = ::testing::TempDir() + "pointsman_emit.json";
  memory = ::open_memstream(&buffer, &size);
  ASSERT_TRUE(emit(synthetic_table(), {.json = true, .json_file = path, .out = memory}));
  EXPECT_EQ(std::string(buffer, size), synthetic_table().text());
  EXPECT_EQ(nlohmann::json::parse(read_file(path).value()), synthetic_table().json());
  std::fclose(memory);
  std::free(buffer);
  EXPECT_EQ(emit(synthetic_table(), {.json = true, .json_file = "/nonexistent/folder/x.json"}).error().code, ErrorCode::kNotFound);
}

TEST(Table, malformed_text_does_not_break_json) {
  Table table("", {{.key = "a", .title = "a"}});
  table.add({"\xff\xfe"});
  EXPECT_EQ(nlohmann::json::parse(dump_json(table.json()))[0]["a"], "\uFFFD\uFFFD");
}

TEST(Format, digits_and_units) {
  EXPECT_EQ(format_ratio(.8249), "0.82");
  EXPECT_EQ(format_ratio(9.996), "10.0");
  EXPECT_EQ(format_ratio(140.2), "140");
  EXPECT_EQ(format_fixed(-.001, 2), "0.00");
  EXPECT_EQ(format_ratio(kMissing), "-");
  EXPECT_EQ(format_ratio(std::numeric_limits<double>::infinity()), "-");
  EXPECT_EQ(format_percent(.183), "18 %");
  EXPECT_EQ(format_percent(-.0042), "-0.4 %");
  EXPECT_EQ(format_percent(.00999), "1 %");
  EXPECT_EQ(format_seconds(38.2e-6), "38.2 µs");
  EXPECT_EQ(format_seconds(.41249), "412 ms");
  EXPECT_EQ(format_seconds(.99999), "1.00 s");
  EXPECT_EQ(format_seconds(142), "2 min 22 s");
  EXPECT_EQ(format_seconds(3900), "1 h 05 min");
  EXPECT_EQ(format_seconds(0), "0 s");
  EXPECT_EQ(format_bytes(9.42e6), "9.42 MB");
  EXPECT_EQ(format_count(1234567), "1 234 567");
  EXPECT_EQ(format_count(-123), "-123");
  EXPECT_EQ(format_interval({.82, .79, .85}), "0.82 [0.79, 0.85]");
  EXPECT_EQ(format_interval({.82, kMissing, kMissing}), "0.82");
}

TEST(Utf8, widths_clipping_and_malformed_bytes) {
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("日本"), 4u);
  EXPECT_EQ(display_width("e\u0301"), 1u);
  EXPECT_EQ(display_width("\xc3"), 1u);
  EXPECT_EQ(clip("abcdef", 4), "abc…");
  EXPECT_EQ(clip("日本語", 4), "日…");
  EXPECT_EQ(clip("abc", 3), "abc");
  EXPECT_EQ(clip("abc", 0), "");
  for (const char* bad : {"\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\x80"}) {
    size_t at = 0;
    EXPECT_EQ(next_code_point(bad, at), U'\uFFFD');
    EXPECT_EQ(at, 1u);
  }
}

TEST(Markup, nothing_gets_through) {
  EXPECT_EQ(escape("<a href=\"x\" onclick='y'>&\x01\xff"), "&lt;a href=&quot;x&quot; onclick=&#39;y&#39;&gt;&amp;\uFFFD\uFFFD");
  EXPECT_EQ(identifier("a b\"><c_1"), "a-b---c_1");
  EXPECT_EQ(typographic("-5 %"), "−5 %");
  EXPECT_EQ(typographic("-"), "–");
  EXPECT_EQ(typographic("a-b"), "a-b");
}

}  // namespace
}  // namespace pointsman::report
