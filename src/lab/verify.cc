#include "lab/verify.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

namespace pointsman {

namespace {

constexpr const char* kForks = "forks of one save";
constexpr const char* kSaves = "two saves";
constexpr const char* kBoots = "two boots";

// Keeps the host's CPUs busy for as long as it lives.
class Hogs {
 public:
  explicit Hogs(int count) {
    if (count <= 0) count = 2 * static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this] {
        while (!stop_.load(std::memory_order_relaxed)) {
        }
      });
    }
  }
  Hogs(const Hogs&) = delete;
  Hogs& operator=(const Hogs&) = delete;
  ~Hogs() {
    stop_ = true;
    for (auto& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

VerifyRow row_of(const RunResult& result, std::string what, const char* group, bool busy, std::string identity) {
  auto hello = result.json("hello");
  return {.what = std::move(what),
          .group = group,
          .busy_host = busy,
          .identity = std::move(identity),
          .hash = result.results_hash,
          .self_test_good = hello && hello->value(nlohmann::json::json_pointer("/selftest/good"), false),
          .host_seconds = result.host_seconds,
          .cpu_seconds = result.cpu_seconds,
          .virtual_seconds = result.virtual_seconds};
}

bool rows_agree(const std::vector<VerifyRow>& rows, const std::set<std::string>& groups) {
  std::set<std::string> hashes, identities;
  size_t count = 0;
  for (const VerifyRow& row : rows) {
    if (groups.count(row.group) == 0) continue;
    hashes.insert(row.hash);
    identities.insert(row.identity);
    ++count;
  }
  return count >= 2 && hashes.size() == 1 && identities.size() == 1;
}

}  // namespace

void judge(VerifyReport& report) {
  report.forks_agree = rows_agree(report.rows, {kForks});
  const bool second_save = std::any_of(report.rows.begin(), report.rows.end(), [](const VerifyRow& row) { return row.group == kSaves; });
  report.saves_agree = second_save && rows_agree(report.rows, {kForks, kSaves});
  report.boots_agree = rows_agree(report.rows, {kBoots});
  report.self_tests_good = !report.rows.empty() && std::all_of(report.rows.begin(), report.rows.end(), [](const VerifyRow& row) { return row.self_test_good; });
}

nlohmann::json VerifyReport::json() const {
  nlohmann::json out{{"exact", exact()},
                     {"forks_agree", forks_agree},
                     {"saves_agree", saves_agree},
                     {"boots_agree", boots_agree},
                     {"self_tests_good", self_tests_good},
                     {"boot_seconds", boot_seconds},
                     {"save_seconds", save_seconds},
                     {"ready_seconds", ready_seconds},
                     {"restore_cpu_seconds", restore_cpu_seconds},
                     {"qemu", qemu_version},
                     {"rows", nlohmann::json::array()}};
  for (const VerifyRow& row : rows) {
    out["rows"].push_back({{"what", row.what},
                           {"group", row.group},
                           {"busy_host", row.busy_host},
                           {"identity", row.identity},
                           {"hash", row.hash},
                           {"self_test_good", row.self_test_good},
                           {"host_seconds", row.host_seconds},
                           {"cpu_seconds", row.cpu_seconds},
                           {"virtual_seconds", row.virtual_seconds}});
  }
  return out;
}

Result<VerifyReport> verify(const VerifyOptions& options, const Image& image) {
  VerifyReport report;
  const auto step = [&](const std::string& what) {
    if (options.on_step) options.on_step(what);
  };
  const auto fork = [&](const GuestSnapshot& snapshot, const std::string& what, const char* group, bool busy) -> Result<Unit> {
    step(what);
    auto result = snapshot.run(options.request, options.blob, options.limits);
    if (!result) return fail(result.error().at(what));
    if (report.rows.empty()) report.restore_cpu_seconds = result->restore_seconds;
    report.rows.push_back(row_of(*result, what, group, busy, snapshot.identity()));
    return Unit{};
  };
  const auto boot = [&](const std::string& what, bool busy) -> Result<Unit> {
    step(what);
    auto result = run_from_boot(options.machine, image, options.boot, options.request, options.blob, options.limits);
    if (!result) return fail(result.error().at(what));
    report.rows.push_back(row_of(*result, what, kBoots, busy, {}));
    return Unit{};
  };

  {
    step("save 1");
    auto snapshot = GuestSnapshot::take(options.machine, image, options.boot);
    if (!snapshot) return fail(snapshot.error().at("save 1"));
    report.boot_seconds = snapshot->boot_seconds();
    report.save_seconds = snapshot->save_seconds();
    report.ready_seconds = snapshot->ready_seconds();
    report.qemu_version = snapshot->qemu_version();
    if (auto done = fork(*snapshot, "fork 1 of save 1", kForks, false); !done) return fail(done.error());
    const Hogs hogs(options.hogs);
    if (auto done = fork(*snapshot, "fork 2 of save 1", kForks, true); !done) return fail(done.error());
  }
  {
    const Hogs hogs(options.hogs);
    step("save 2");
    auto snapshot = GuestSnapshot::take(options.machine, image, options.boot);
    if (!snapshot) return fail(snapshot.error().at("save 2"));
    if (auto done = fork(*snapshot, "fork of save 2", kSaves, true); !done) return fail(done.error());
  }
  if (auto done = boot("boot 1", false); !done) return fail(done.error());
  {
    const Hogs hogs(options.hogs);
    if (auto done = boot("boot 2", true); !done) return fail(done.error());
  }
  judge(report);
  return report;
}

}  // namespace pointsman
