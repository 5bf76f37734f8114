// Options that every verb of the lab shares, and the snapshot they lead to.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "lab/brought_arms.h"
#include "lab/image.h"
#include "lab/ledger_run.h"
#include "lab/snapshot.h"

namespace pointsman {

struct LabOptions {
  std::string kernel;  // empty: the one that scripts/setup chose
  std::string qemu = "qemu-system-x86_64";
  int cpus = 4;
  int memory_mb = 1024;
  uint64_t machine_seed = 1;
  std::string arm_file;

  void add(CommandLine& app);
  // --arm-file too, for verbs that run arms by name.
  void add_arm_file(CommandLine& app);
  // Makes arms of what the --arm-file has. Before any arm is looked up.
  [[nodiscard]] Result<Unit> register_arms() const;
  [[nodiscard]] Result<MachineOptions> machine() const;
};

// A booted, settled, saved guest with the portfolio and the probe loaded, and the names of what it is made of.
struct LabBench {
  GuestSnapshot snapshot;
  Identities identities;
  MachineOptions machine;
};
// Those of ARMS that are external come along. Says on standard error what it waits for when that is a terminal.
Result<LabBench> open_bench(const LabOptions& options, std::span<const std::string> arms = {});
// The external arms among ARMS, with the files that scripts/setup --schedulers built.
Result<BroughtArms> bring_arms_named(std::span<const std::string> arms);
// What the guest is told before it settles: load the stage, and these arms.
nlohmann::json boot_request(const BroughtArms& arms);

}  // namespace pointsman
