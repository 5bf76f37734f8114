// Verify: is the lab exact here? Runs one request as two forks of one save, as a fork of a second save, and from two boots, one of each kind beside a busy
// host, and compares every bit of what came out. Forks are compared with forks and boots with boots: the two do not start from the same state.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "lab/image.h"
#include "lab/snapshot.h"

namespace pointsman {

struct VerifyOptions {
  MachineOptions machine;
  BootOptions boot;
  nlohmann::json request = {{"kind", "burn"}};
  std::string blob;
  RunLimits limits;
  int hogs = 0;  // busy threads of the host; 0: two for each CPU
  std::function<void(const std::string& what)> on_step;  // what is about to run
};

struct VerifyRow {
  std::string what;      // "fork 1 of save 1"
  std::string group;     // "forks of one save", "two saves", "two boots": rows of a group must agree
  bool busy_host = false;
  std::string identity;  // of the save; empty for boots
  std::string hash;      // over all results
  bool self_test_good = false;
  double host_seconds = 0, cpu_seconds = 0, virtual_seconds = 0;
};

struct VerifyReport {
  std::vector<VerifyRow> rows;
  bool forks_agree = false;  // two forks of one save
  bool saves_agree = false;  // forks of two saves; and the saves have one identity
  bool boots_agree = false;
  bool self_tests_good = false;
  double boot_seconds = 0, save_seconds = 0;  // of the first save: host time from start to gate, and from there
  double ready_seconds = 0;                   // until it was saved and a first fork had run
  double restore_cpu_seconds = 0;             // of the first fork
  std::string qemu_version;
  [[nodiscard]] bool exact() const { return forks_agree && saves_agree && boots_agree && self_tests_good; }
  [[nodiscard]] nlohmann::json json() const;
};

// Fills in what agrees, from the rows.
void judge(VerifyReport& report);

// Errors: those of the runs. A difference is no error: it stands in the report.
Result<VerifyReport> verify(const VerifyOptions& options, const Image& image);

}  // namespace pointsman
