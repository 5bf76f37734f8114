// The shipped collectors on tests/data/root, as the full text that people read. After a wanted change: ninja golden, and read the diff.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
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

// Made by hand after each kernel's formats: what is missing in one is told, not guessed.
//   4.19  no pressure, no KReclaimable, no flushes in the disks' statistics
//   5.10  the CPU's pressure has only "some"; devices stacked upon NVMe
//   5.15  eight CPUs that run guests, loop devices, swap in use
//   6.1   a CPU is off line, pressure of interrupts
//   6.12  version 16 of the scheduler's statistics, swap in compressed memory
TEST(Golden, KernelsOfSevenYears) {
  for (const char* kernel : {"4.19", "5.10", "5.15", "6.1", "6.12", "6.18"}) {
    SCOPED_TRACE(kernel);
    const std::string root = kData + "/kernels/" + kernel;
    FakeTree tree;
    FakeClock clock;
    tree.overlay(root + "/sys", "sys");
    tree.overlay(root + "/0/proc", "proc");
    auto sampler = Sampler::open({.roots = tree.roots(), .probe = nullptr, .probe_absent = "a tree has none", .clock = &clock});
    ASSERT_TRUE(sampler) << sampler.error().message;
    std::vector<Snapshot> snapshots{sampler->tick()};
    tree.overlay(root + "/1/proc", "proc");
    clock.advance(2 * kSecond);
    snapshots.push_back(sampler->tick());
    const Snapshot& last = snapshots.back();
    for (const Topic topic : {Topic::kCpu, Topic::kLoad, Topic::kMemory, Topic::kPaging, Topic::kDisks}) EXPECT_TRUE(last.of(topic).ok) << name_of(topic) << ": " << last.of(topic).trouble;
    EXPECT_EQ(last.of(Topic::kPressure).ok, std::string(kernel) != "4.19") << last.of(Topic::kPressure).trouble;
    EXPECT_EQ(last.of(Topic::kSchedstat).ok, std::string(kernel) != "6.18") << last.of(Topic::kSchedstat).trouble;
    // The tree stands elsewhere each time.
    std::string text = to_table(evaluate_metrics(snapshots), snapshots);
    const std::string procfs = tree.roots().procfs, here = std::filesystem::path(procfs).parent_path();
    for (size_t at = text.find(here); at != std::string::npos; at = text.find(here, at)) text.replace(at, here.size(), "TREE");
    compare("kernels/" + std::string(kernel) + "/metrics.golden.txt", text);
  }
}

TEST(Golden, DocumentationIsWhatTheCatalogueSays) { compare_path(POINTSMAN_SOURCE_DIR "/docs/metrics.md", catalogue_page()); }

}  // namespace
}  // namespace pointsman
