// Our values beside psutil's: on the trees in tests/data to the last digit, and on the running system between two of psutil's readings, one before and one after
// ours. Differences that are meant are named here and in docs/metrics.md; any other is a bug.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/clock.h"
#include "base/file.h"
#include "base/temporary_folder.h"
#include "metrics/catalogue.h"
#include "metrics/sampler.h"
#include "tests/runtime/python_process.h"

namespace pointsman {
namespace {

const std::string kSource = POINTSMAN_SOURCE_DIR;

// psutil in a process of its own. It says its version first.
class Reader : public PythonProcess {
 public:
  Reader() : PythonProcess("tests/runtime/psutil_reader.py"), version_(checked(answer()).value("psutil", "")) {}
  nlohmann::json ask(const std::string& line) { return checked(PythonProcess::ask(line)); }
  [[nodiscard]] const std::string& version() const { return version_; }

 private:
  static nlohmann::json checked(nlohmann::json said) {
    EXPECT_FALSE(said.is_discarded()) << "psutil's process said no JSON";
    return said.is_discarded() ? nlohmann::json::object() : said;
  }
  std::string version_;
};

class PsutilTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::access(PythonProcess::program().c_str(), X_OK) != 0) GTEST_SKIP() << PythonProcess::program() << " is not there: scripts/setup --test makes it";
    reader_ = std::make_unique<Reader>();
    ASSERT_EQ(reader_->version(), "7.2.2");
  }
  std::unique_ptr<Reader> reader_;
};

double seconds(uint64_t ticks) { return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK)); }

// Name -> value, the same of ours and of psutil's.
using Values = std::map<std::string, double>;

Values ours(const Snapshot& s) {
  const CpuTicks& t = s.cpu.all;
  const MemoryTopic& m = s.memory;
  const auto bytes = [](uint64_t b) { return static_cast<double>(b); };
  return {
      {"user", seconds(t.user)},
      {"nice", seconds(t.nice)},
      {"system", seconds(t.system)},
      {"idle", seconds(t.idle)},
      {"iowait", seconds(t.iowait)},
      {"irq", seconds(t.irq)},
      {"softirq", seconds(t.softirq)},
      {"steal", seconds(t.steal)},
      {"guest", seconds(t.guest)},
      {"guest_nice", seconds(t.guest_nice)},
      {"ctx_switches", bytes(s.cpu.switches)},
      {"interrupts", bytes(s.cpu.interrupts)},
      {"total", bytes(m.total_bytes)},
      {"used", bytes(m.total_bytes - m.available_bytes)},
      {"available", bytes(m.available_bytes)},
      {"cached", bytes(m.cached_bytes + m.reclaimable_slab_bytes)},
      {"buffers", bytes(m.buffers_bytes)},
      {"swap_used", bytes(m.swap_total_bytes - m.swap_free_bytes)},
      // It takes every page for 4096 bytes.
      {"sin", bytes(s.paging.swapped_in_pages * 4096)},
      {"sout", bytes(s.paging.swapped_out_pages * 4096)},
  };
}
Values theirs(const nlohmann::json& reading) {
  Values out;
  for (const auto& [name, value] : reading.at("cpu").items()) out[name] = value.get<double>();
  for (const char* name : {"ctx_switches", "interrupts", "total", "used", "available", "cached", "buffers", "swap_used", "sin", "sout"}) out[name] = reading.at(name).get<double>();
  return out;
}

// Every folder that holds moments 0, 1, ... of one machine.
std::vector<std::filesystem::path> trees() {
  std::vector<std::filesystem::path> out{kSource + "/tests/data/root"};
  if (const std::filesystem::path more = kSource + "/tests/data/kernels"; std::filesystem::is_directory(more)) {
    for (const auto& entry : std::filesystem::directory_iterator(more)) out.push_back(entry.path());
  }
  return out;
}

TEST_F(PsutilTest, OnTreesToTheLastDigit) {
  for (const auto& tree : trees()) {
    std::optional<Snapshot> before;
    for (int moment = 0; std::filesystem::is_directory(tree / std::to_string(moment)); ++moment) {
      const std::string procfs = (tree / std::to_string(moment) / "proc").string();
      auto sampler = Sampler::open({.roots = {.procfs = procfs, .sysfs = (tree / "sys").string()}});
      ASSERT_TRUE(sampler) << sampler.error().message;
      const Snapshot now = sampler->tick();
      const auto reading = reader_->ask(procfs);
      const Values a = ours(now), b = theirs(reading);
      for (const auto& [name, value] : a) {
        ASSERT_TRUE(b.contains(name)) << name;
        EXPECT_DOUBLE_EQ(value, b.at(name)) << name << " in " << procfs;
      }
      ASSERT_EQ(reading.at("cpus").size(), now.cpu.each.size());
      for (size_t i = 0; i < now.cpu.each.size(); ++i) EXPECT_DOUBLE_EQ(reading["cpus"][i]["user"].get<double>(), seconds(now.cpu.each[i].ticks.user));
      if (before) {
        // It rounds to a tenth of a percent.
        const CpuShares shares = shares_between(before->cpu.all, now.cpu.all);
        EXPECT_NEAR(reading.at("cpu_percent").get<double>(), 100 * shares.busy, 0.0501) << procfs;
        const auto& percent = reading.at("times_percent");
        EXPECT_NEAR(percent.at("iowait").get<double>(), 100 * shares.iowait, 0.0501) << procfs;
        EXPECT_NEAR(percent.at("irq").get<double>(), 100 * shares.irq, 0.0501) << procfs;
        EXPECT_NEAR(percent.at("softirq").get<double>(), 100 * shares.softirq, 0.0501) << procfs;
        EXPECT_NEAR(percent.at("steal").get<double>(), 100 * shares.steal, 0.0501) << procfs;
      }
      before = now;
    }
    EXPECT_TRUE(before) << tree;
  }
}

// What only grows lies between the two. A gauge may go up and down in between, so a moment counts for it when both of psutil's readings agree: then ours is theirs.
TEST_F(PsutilTest, LiveReadingsLieBetweenTwoOfPsutils) {
  auto sampler = Sampler::open({});
  ASSERT_TRUE(sampler) << sampler.error().message;
  const std::set<std::string> gauges = {"used", "available", "cached", "buffers", "swap_used"};
  std::map<std::string, int> agreed, missed;
  for (int attempt = 0; attempt < 300; ++attempt) {
    const Values before = theirs(reader_->ask("/proc"));
    const Values mine = ours(sampler->tick());
    const Values after = theirs(reader_->ask("/proc"));
    for (const auto& [name, value] : mine) {
      if (gauges.contains(name)) {
        if (before.at(name) != after.at(name)) continue;
        ++(value == before.at(name) ? agreed : missed)[name];
        continue;
      }
      // iowait may go backwards (proc(5)), idle with it.
      if (name != "iowait" && name != "idle") {
        EXPECT_LE(before.at(name), value + 1e-6) << name;
        EXPECT_GE(after.at(name), value - 1e-6) << name;
      }
      ++agreed[name];
    }
    if (attempt >= 20 && std::all_of(gauges.begin(), gauges.end(), [&](const std::string& g) { return agreed[g] >= 3; })) break;
  }
  // A gauge may leave a value and come back to it between psutil's two looks, but not often.
  for (const std::string& gauge : gauges) {
    EXPECT_GT(agreed[gauge], 0) << gauge << " never held still";
    EXPECT_LE(missed[gauge], agreed[gauge]) << gauge;
  }
}

TEST_F(PsutilTest, LiveDisksAreThoseThatHoldData) {
  auto sampler = Sampler::open({});
  ASSERT_TRUE(sampler);
  const auto disks = reader_->ask("/proc").at("disks");
  const Snapshot first = sampler->tick();
  if (!first.of(Topic::kDisks).ok) GTEST_SKIP() << first.of(Topic::kDisks).trouble;
  double read = 0;
  int counted = 0;
  for (const auto& [name, bytes] : disks.items()) {
    const std::filesystem::path folder = "/sys/block/" + name;
    const bool stacked = std::filesystem::exists(folder / "slaves") && !std::filesystem::is_empty(folder / "slaves");
    const bool memory = name.starts_with("loop") || name.starts_with("zram") || name.starts_with("ram");
    if (!std::filesystem::is_directory(folder) || stacked || memory) continue;  // what it adds up and we do not
    ++counted;
    read += bytes[0].get<double>();
  }
  EXPECT_EQ(first.disks.devices, counted);
  EXPECT_LE(read, static_cast<double>(first.disks.read_bytes));
}

// psutil tells of a process's leader only. A process of one thread is told alike.
TEST_F(PsutilTest, SwitchesOfOneThreadAreTheSame) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  const std::string status = "/proc/" + std::to_string(child) + "/status";
  // Asleep for good: its counts stand still.
  nlohmann::json before, after;
  for (int i = 0; i < 100; ++i) {
    before = reader_->ask("switches /proc " + std::to_string(child));
    after = reader_->ask("switches /proc " + std::to_string(child));
    if (before == after && before[0].get<int>() > 0) break;
  }
  EXPECT_EQ(before, after);
  // A walk over a tree with this process alone.
  const TemporaryFolder tree = *TemporaryFolder::make("walk");
  const std::string& folder = tree.path();
  std::filesystem::create_directories(folder + "/5");
  auto stat = read_file("/proc/stat");
  ASSERT_TRUE(stat);
  ASSERT_TRUE(write_file(folder + "/stat", *stat));
  const std::string zero = "State:\tS\nThreads:\t1\nvoluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n";
  std::FILE* file = std::fopen((folder + "/5/status").c_str(), "w");
  std::fputs(zero.c_str(), file);
  std::fclose(file);
  auto sampler = Sampler::open({.roots = {.procfs = folder}, .walk = true});
  ASSERT_TRUE(sampler);
  sampler->tick();
  std::filesystem::remove(folder + "/5/status");
  // By its bytes: a copy of the file would go by its size, which /proc says is 0.
  auto text = read_file(status);
  ASSERT_TRUE(text);
  ASSERT_TRUE(write_file(folder + "/5/status", *text));
  const WalkTopic walk = sampler->tick().walk;
  EXPECT_EQ(static_cast<int64_t>(walk.voluntary), before[0].get<int64_t>());
  EXPECT_EQ(static_cast<int64_t>(walk.involuntary), before[1].get<int64_t>());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace pointsman
