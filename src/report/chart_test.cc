#include "report/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "report/palette.h"
#include "report/svg.h"
#include "report/wellformed_for_test.h"

namespace pointsman::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Svg, writes_short_numbers_and_escapes) {
  Svg svg({.width = 20, .height = 10, .label = "a \"b\""});
  svg.rect({0, 1.0001, 2.5, 1.0 / 3}, {.fill = "var(--arm-las)", .tip = "<las>"});
  svg.text({-0.0001, 5}, "a<b", {.css = "small", .anchor = 'm'});
  EXPECT_EQ(std::move(svg).take(),
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 20 10\" role=\"img\" aria-label=\"a &quot;b&quot;\" "
            "style=\"max-width:20px\">\n"
            "<rect x=\"0\" y=\"1\" width=\"2.5\" height=\"0.33\" style=\"fill:var(--arm-las);\"><title>&lt;las&gt;</title></rect>\n"
            "<text x=\"0\" y=\"5\" text-anchor=\"middle\" class=\"small\">a&lt;b</text>\n"
            "</svg>\n");
}

TEST(Svg, what_has_no_place_is_left_out) {
  Svg svg({.width = 1, .height = 1});
  const std::string before = Svg({.width = 1, .height = 1}).take();
  svg.rect({kMissing, 0, 1, 1}, {});
  svg.rect({0, 0, -1, 1}, {});
  svg.line({0, 0}, {std::numeric_limits<double>::infinity(), 0}, {});
  svg.circle({0, 0}, kMissing, {});
  svg.text({kMissing, 0}, "x", {});
  svg.polygon(std::array{Point{0, 0}, Point{1, kMissing}, Point{1, 1}}, {});
  EXPECT_EQ(std::move(svg).take(), before);
}

TEST(Svg, lines_part_where_data_is_missing) {
  Svg svg({.width = 1, .height = 1});
  svg.polyline(std::array{Point{0, 0}, Point{1, 1}, Point{kMissing, 2}, Point{3, 3}, Point{4, 4}, Point{kMissing, 0}, Point{6, 6}}, {});
  const std::string out = std::move(svg).take();
  EXPECT_THAT(out, HasSubstr("points=\"0,0 1,1\""));
  EXPECT_THAT(out, HasSubstr("points=\"3,3 4,4\""));
  EXPECT_THAT(out, Not(HasSubstr("6,6")));
}

TEST(Svg, standing_alone_it_brings_its_colours) {
  const std::string out = standalone(Svg({.width = 1, .height = 1}).take());
  EXPECT_THAT(out, HasSubstr("<style>"));
  EXPECT_THAT(out, HasSubstr("--arm-las:"));
  EXPECT_THAT(out, HasSubstr("prefers-color-scheme:dark"));
  EXPECT_EQ(problem_in_markup(out), "");
}

TEST(Svg, text_fits_or_is_cut) {
  EXPECT_EQ(fit_text("las", 12, 100), "las");
  const std::string cut = fit_text("interactive", 12, 50);
  EXPECT_THAT(cut, HasSubstr("…"));
  EXPECT_LE(text_width(cut, 12), 50);
  EXPECT_EQ(fit_text("interactive", 12, 5), "");
}

TimelineChart synthetic_timeline() {
  return {.label = "synthetic",
          .phases = {{.label = "one", .sublabel = "batch", .start_s = 0, .length_s = 5}, {.label = "two", .start_s = 5, .length_s = 5}},
          .lanes = {{.label = "agent",
                     .note = "0.80x",
                     .steps = {{.t_s = 0, .arm = "hyb"},
                               {.t_s = 4, .decided_s = 3.9, .arm = "eevdf", .why = "because", .refused = true},
                               {.t_s = 6, .decided_s = 5.5, .arm = "las", .why = "gain"}},
                     .emphasised = true}}};
}

TEST(Timeline, a_lane_changes_colour_when_the_kernel_confirmed) {
  TimelineChart chart = synthetic_timeline();
  chart.width = 1000;
  const std::string out = timeline_svg(chart);
  EXPECT_EQ(problem_in_markup(out), "");
  EXPECT_THAT(out, HasSubstr("<title>agent: hyb, 0.00 s to 6.00 s</title>"));
  EXPECT_THAT(out, HasSubstr("<title>agent: las, 6.00 s to 10.00 s\ngain</title>"));
  EXPECT_THAT(out, HasSubstr("<title>las decided at 5.50 s: gain</title>"));
  EXPECT_THAT(out, HasSubstr("<title>las active at 6.00 s: gain</title>"));
  // A refused swap is marked and colours nothing.
  EXPECT_THAT(out, HasSubstr("<title>eevdf refused at 4.00 s: because</title>"));
  EXPECT_THAT(out, Not(HasSubstr("agent: eevdf,")));
  EXPECT_THAT(out, Not(HasSubstr("fill:var(--arm-eevdf)")));
}

TEST(Timeline, proportions_are_those_of_time) {
  TimelineChart chart{.phases = {{.label = "p", .start_s = 0, .length_s = 10}},
                      .lanes = {{.label = "", .steps = {{.t_s = 0, .arm = "las"}, {.t_s = 2.5, .arm = "age"}}}},
                      .width = 416};  // narrow: 8 px at each side, 400 px for 10 s
  const std::string out = timeline_svg(chart);
  EXPECT_THAT(out, HasSubstr("x=\"8.75\""));                    // las, half a seam in
  EXPECT_THAT(out, HasSubstr("width=\"98.5\" height=\"24\""));  // 100 px without two half seams
  EXPECT_THAT(out, HasSubstr("width=\"298.5\" height=\"24\""));
}

TEST(Timeline, survives_what_is_missing_or_absurd) {
  EXPECT_EQ(problem_in_markup(timeline_svg({})), "");
  TimelineChart chart = synthetic_timeline();
  chart.phases[0].length_s = kMissing;
  chart.lanes[0].steps.push_back({.t_s = kMissing, .arm = "age"});
  chart.lanes[0].steps.push_back({.t_s = 1e300, .arm = "<script>alert(1)</script>"});
  chart.lanes[0].steps.push_back({.t_s = -5, .arm = ""});
  for (const double width : {10., 440., 960.}) {
    chart.width = width;
    const std::string out = timeline_svg(chart);
    EXPECT_EQ(problem_in_markup(out), "");
    EXPECT_THAT(out, Not(HasSubstr("<script")));
  }
}

TEST(Bars, better_goes_left_worse_goes_right) {
  BarChart chart{
      .groups = {{.label = "phase",
                  .bars = {{.label = "las", .value = {.5, .45, .55}, .best = true}, {.label = "age", .value = {1.5, 1.4, 1.6}}}}},
      .low = .4,
      .high = 2.5};
  const std::string out = bars_svg(chart);
  EXPECT_EQ(problem_in_markup(out), "");
  const auto bar = [&](const std::string& arm) {
    const size_t at = out.find("style=\"fill:var(--arm-" + arm + ");\"");
    const std::string element = out.substr(out.rfind("<rect", at), at - out.rfind("<rect", at));
    double x = 0, y = 0, width = 0;
    EXPECT_EQ(std::sscanf(element.c_str(), "<rect x=\"%lf\" y=\"%lf\" width=\"%lf\"", &x, &y, &width), 3) << element;
    return std::pair(x, x + width);
  };
  const auto las = bar("las"), age = bar("age");
  EXPECT_NEAR(las.second, age.first, .02);  // both start at 1
  // Logarithmic: ln 2 to the left, ln 1.5 to the right.
  EXPECT_NEAR((las.second - las.first) / (age.second - age.first), std::log(2) / std::log(1.5), .01);
  EXPECT_THAT(out, HasSubstr("class=\"small strong\">las</text>"));
}

TEST(Bars, what_leaves_the_axis_is_cut_and_keeps_its_number) {
  BarChart chart{.groups = {{.label = "p", .bars = {{.label = "rtc", .value = {16, 12, 20}}}}}};
  const std::string out = bars_svg(chart);
  EXPECT_THAT(out, HasSubstr("<polygon"));
  EXPECT_THAT(out, HasSubstr(">16.0</text>"));
  EXPECT_THAT(out, Not(HasSubstr("whisker")));
}

TEST(Bars, axis_holds_the_values_within_reason) {
  BarChart chart{.groups = {{.bars = {{.label = "a", .value = {.3}}, {.label = "b", .value = {40}}, {.label = "c"}}}}};
  fit_axis(chart);
  EXPECT_NEAR(chart.low, .285, 1e-9);
  EXPECT_EQ(chart.high, 5);
  BarChart empty;
  fit_axis(empty);
  EXPECT_NEAR(empty.low, .475, 1e-9);
}

TEST(Charts, survive_empty_and_missing_data) {
  BarChart bars{
      .groups = {{.label = "p", .bars = {{.label = "a"}, {.label = "b", .value = {0, -1, 1}}, {.label = "c", .value = {-3}}}}, {}},
      .columns = 0};
  ForestChart forest{.rows = {{.label = "a"}, {.label = "b", .value = {0, -1, 1}}, {.label = "c", .value = {1e9, 1, 1e300}}}};
  LineChart lines{.series = {{.label = "a", .points = {{kMissing, 1}, {1, kMissing}}}, {.label = "b"}}};
  for (const std::string& out : {bars_svg(bars), bars_svg({}), forest_svg(forest), forest_svg({}), line_svg(lines), line_svg({})})
    EXPECT_EQ(problem_in_markup(out), "");
  EXPECT_THAT(line_svg(lines), HasSubstr("no data"));
}

TEST(Forest, shows_value_interval_and_reference) {
  const std::string out =
      forest_svg({.label = "f", .rows = {{.label = "agent", .value = {.71, .66, .77}, .fill = "var(--accent)", .emphasised = true}}});
  EXPECT_EQ(problem_in_markup(out), "");
  EXPECT_THAT(out, HasSubstr("0.71 [0.66, 0.77]"));
  EXPECT_THAT(out, HasSubstr("class=\"reference\""));
  EXPECT_THAT(out, HasSubstr("class=\"whisker\""));
}

TEST(Lines, end_labels_do_not_overlap) {
  LineChart chart{.series = {{.label = "a", .points = {{0, 1}, {1, 1}}},
                             {.label = "b", .points = {{0, 1}, {1, 1.001}}},
                             {.label = "c", .points = {{0, 0}, {1, .999}}}}};
  const std::string out = line_svg(chart);
  EXPECT_EQ(problem_in_markup(out), "");
  std::vector<double> at;
  for (const char* label : {"a", "b", "c"}) {
    const size_t end = out.find(std::string(">") + label + "</text>");
    ASSERT_NE(end, std::string::npos);
    double x = 0, y = 0;
    ASSERT_EQ(std::sscanf(out.c_str() + out.rfind("<text", end), "<text x=\"%lf\" y=\"%lf\"", &x, &y), 2);
    at.push_back(y);
  }
  std::sort(at.begin(), at.end());
  EXPECT_GE(at[1] - at[0], 13.9);
  EXPECT_GE(at[2] - at[1], 13.9);
}

TEST(Charts, are_deterministic) { EXPECT_EQ(timeline_svg(synthetic_timeline()), timeline_svg(synthetic_timeline())); }

TEST(Ticks, are_round) {
  EXPECT_THAT(linear_ticks(0, 30, 6), ::testing::ElementsAre(0, 5, 10, 15, 20, 25, 30));
  EXPECT_TRUE(linear_ticks(1, 1, 5).empty());
  EXPECT_TRUE(linear_ticks(kMissing, 1, 5).empty());
  EXPECT_THAT(ratio_ticks(.45, 2.1), ::testing::ElementsAre(.5, .7, 1, 1.5, 2));
  EXPECT_THAT(ratio_ticks(.05, 20), ::testing::ElementsAre(.05, .1, .2, .5, 1, 2, 5, 10, 20));
}

// Linear light of "#rrggbb".
std::array<double, 3> light_of(std::string_view hex) {
  std::array<double, 3> out{};
  for (size_t i = 0; i < 3; ++i) {
    const double c = std::stoi(std::string(hex.substr(1 + 2 * i, 2)), nullptr, 16) / 255.0;
    out[i] = c <= .04045 ? c / 12.92 : std::pow((c + .055) / 1.055, 2.4);
  }
  return out;
}

using Matrix = std::array<std::array<double, 3>, 3>;
std::array<double, 3> times(const Matrix& m, const std::array<double, 3>& v) {
  std::array<double, 3> out{};
  for (size_t i = 0; i < 3; ++i) out[i] = m[i][0] * v[0] + m[i][1] * v[1] + m[i][2] * v[2];
  return out;
}

// Source: Ottosson, "A perceptual color space for image processing", 2020.
std::array<double, 3> oklab(const std::array<double, 3>& rgb) {
  constexpr Matrix kCones = {
      {{.4122214708, .5363325363, .0514459929}, {.2119034982, .6806995451, .1073969566}, {.0883024619, .2817188376, .6299787005}}};
  constexpr Matrix kLab = {
      {{.2104542553, .7936177850, -.0040720468}, {1.9779984951, -2.4285922050, .4505937099}, {.0259040371, .7827717662, -.8086757660}}};
  std::array<double, 3> cones = times(kCones, rgb);
  for (double& c : cones) c = std::cbrt(std::max(c, 0.));
  return times(kLab, cones);
}

double contrast(std::string_view a, std::string_view b) {
  const auto luminance = [](std::string_view hex) {
    const auto l = light_of(hex);
    return .2126 * l[0] + .7152 * l[1] + .0722 * l[2];
  };
  const double x = luminance(a), y = luminance(b);
  return (std::max(x, y) + .05) / (std::min(x, y) + .05);
}

TEST(Palette, choosable_arms_are_told_apart_by_every_kind_of_eye) {
  // Source: Machado, Oliveira, Fernandes, IEEE TVCG 15 (2009), severity 1.
  constexpr std::array<Matrix, 4> kEyes = {
      Matrix{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},
      Matrix{{{.152286, 1.052583, -.204868}, {.114503, .786281, .099216}, {-.003882, -.048116, 1.051998}}},
      Matrix{{{.367322, .860646, -.227968}, {.280085, .672501, .047413}, {-.011820, .042940, .968881}}},
      Matrix{{{1.255528, -.076749, -.178779}, {-.078411, .930809, .147602}, {.004733, .691367, .303900}}}};
  const auto tones = arm_tones().first(6);
  ASSERT_EQ(tones[5].name, "ipre");
  for (const bool dark : {false, true})
    for (size_t eye = 0; eye < kEyes.size(); ++eye)
      for (size_t i = 0; i < tones.size(); ++i)
        for (size_t j = i + 1; j < tones.size(); ++j) {
          const auto a = oklab(times(kEyes[eye], light_of(dark ? tones[i].dark : tones[i].light)));
          const auto b = oklab(times(kEyes[eye], light_of(dark ? tones[j].dark : tones[j].light)));
          EXPECT_GT(std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]), .1)
              << tones[i].name << " " << tones[j].name << " eye " << eye << " dark " << dark;
        }
}

TEST(Palette, text_can_be_read_on_every_colour) {
  for (const Tone& tone : arm_tones()) {
    EXPECT_GE(contrast(tone.light, tone.on_light), 4.1) << tone.name;
    EXPECT_GE(contrast(tone.dark, tone.on_dark), 4.1) << tone.name;
  }
  std::string_view paper_light, paper_dark;
  for (const Tone& tone : page_tones())
    if (tone.name == "paper") paper_light = tone.light, paper_dark = tone.dark;
  for (const Tone& tone : page_tones()) {
    if (tone.name != "ink" && tone.name != "muted" && tone.name != "accent") continue;
    EXPECT_GE(contrast(tone.light, paper_light), 4.5) << tone.name;
    EXPECT_GE(contrast(tone.dark, paper_dark), 4.5) << tone.name;
  }
}

TEST(Palette, unknown_arms_share_one_colour) {
  EXPECT_EQ(arm_fill("las"), "var(--arm-las)");
  EXPECT_EQ(arm_fill("x\"><script>"), "var(--arm-other)");
}

}  // namespace
}  // namespace pointsman::report
