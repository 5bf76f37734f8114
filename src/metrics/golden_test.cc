// The shipped collectors on tests/data/root, as the full text that people read. After a wanted change: ninja golden, and read the diff.
#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "base/file.h"
#include "metrics/catalogue_page.h"
#include "metrics/fake_tree.h"
#include "metrics/print.h"
#include "metrics/seed_columns.h"
#include "metrics/sampler.h"

namespace pointsman {
namespace {

const std::string kData = POINTSMAN_SOURCE_DIR "/tests/data";

// Three moments half a second apart; the probe's sums are set by hand.
std::vector<Snapshot> sample_tree() {
  FakeTree tree;
  FakeClock clock;
  tree.overlay(kData + "/root/sys", "sys");
  tree.overlay(kData + "/root/0/proc", "proc");
  auto sampler = Sampler::open({.roots = tree.roots(), .probe = nullptr, .probe_absent = "it is set by hand", .clock = &clock});
  EXPECT_TRUE(sampler) << sampler.error().message;
  std::vector<Snapshot> out;
  for (int moment = 0; moment < 3; ++moment) {
    tree.overlay(kData + "/root/" + std::to_string(moment) + "/proc", "proc");
    out.push_back(sampler->tick());
    clock.advance(kSecond / 2);
    Snapshot& s = out.back();
    const auto n = static_cast<uint64_t>(moment);
    s.of(Topic::kProbe) = {.ok = true, .duration_ns = 0, .trouble = ""};
    s.probe.moment_ns = s.taken_ns + 1000;
    s.probe.sums.voluntary = 5'000'000 + 900 * n;
    s.probe.sums.other_voluntary = 1'000'000 + 100 * n;
    s.probe.sums.involuntary = 2'000'000 + 250 * n * n;
    s.probe.sums.busy_ns = 700'000'000 * n;
    s.probe.sums.other_ns = 50'000'000 * n;
  }
  return out;
}

void compare_path(const std::string& path, const std::string& text) {
  if (std::getenv("POINTSMAN_REGENERATE") != nullptr) {
    const auto written = write_file(path, text);
    ASSERT_TRUE(written) << written.error().message;
    return;
  }
  const auto golden = read_file(path);
  ASSERT_TRUE(golden) << golden.error().message;
  EXPECT_EQ(text, *golden) << "if this change is wanted: ninja golden";
}

void compare(const std::string& file, const std::string& text) { compare_path(kData + "/" + file, text); }

TEST(Golden, TableOfTheFakeTree) {
  const auto snapshots = sample_tree();
  compare("metrics.golden.txt", to_table(evaluate_metrics(snapshots), snapshots));
}

TEST(Golden, JsonOfTheFakeTree) {
  const auto snapshots = sample_tree();
  compare("metrics.golden.json", to_json(evaluate_metrics(snapshots), snapshots).dump(1) + "\n");
}

TEST(Golden, CsvOfTheFakeTree) {
  const auto snapshots = sample_tree();
  const auto metrics = evaluate_metrics(snapshots);
  const CsvOptions options{.per_cpu = true};
  compare("metrics.golden.csv", csv_header(metrics, snapshots, options) + csv_row(metrics, snapshots, options));
}

TEST(Golden, PrometheusOfTheFakeTree) {
  const auto snapshots = sample_tree();
  compare("metrics.golden.prom", to_prometheus(evaluate_metrics(snapshots), snapshots, {.per_cpu = true}));
}

TEST(Golden, SeedColumnsOfTheFakeTree) {
  const auto snapshots = sample_tree();
  std::string text;
  for (const SeedColumn& c : seed_columns(evaluate_metrics(snapshots), snapshots)) {
    text += fmt::format("{} {} {} | {}\n", c.name, c.value ? fmt::format("{:.6g}", *c.value) : "-", c.normalized ? fmt::format("{:.6g}", *c.normalized) : "-", c.wrong);
  }
  compare("seed_columns.golden.txt", text);
}

TEST(Golden, DocumentationIsWhatTheCatalogueSays) { compare_path(POINTSMAN_SOURCE_DIR "/docs/metrics.md", catalogue_page()); }

}  // namespace
}  // namespace pointsman
