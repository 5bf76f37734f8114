// Options that every verb of the lab shares, and the snapshot they lead to.
#pragma once

#include <CLI/CLI.hpp>

#include <memory>
#include <string>

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

  void add(CLI::App& app);
  [[nodiscard]] Result<MachineOptions> machine() const;
};

// A booted, settled, saved guest with the portfolio and the probe loaded, and the names of what it is made of.
struct LabBench {
  GuestSnapshot snapshot;
  Identities identities;
  MachineOptions machine;
};
// Says on standard error what it waits for when that is a terminal.
Result<LabBench> open_bench(const LabOptions& options);

}  // namespace pointsman
