// ExternalArm: a sched_ext scheduler that is not ours, as a few lines of TOML tell of it:
//   [scx_bpfland]
//   command = ["scx_bpfland"]     a program that attaches it and stays (a cold swap: started and stopped), or
//   object = "scx_simple.bpf.o"   a BPF object that we load beforehand and attach ourselves (a warm swap)
//   ops = "bpfland"               how its name shows in the kernel's root/ops, as it is or up to "_<digit>"
// and, where the defaults do not do: stop = "INT" (TERM, KILL), start_limit_s = 10, stop_limit_s = 5, summary = "...",
// set = { fifo_sched = 1 } (variables of an object's .rodata).
// Errors: kInvalidArgument with file and line, kNotFound.
#pragma once

#include <csignal>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "sched/arm.h"

namespace pointsman {

struct ExternalArm {
  std::string name, summary;
  std::vector<std::string> command;  // cold arms: the program and its arguments
  std::string object;                // warm arms: the file
  std::string ops;
  std::map<std::string, int64_t> set;
  int stop_signal = SIGINT;             // SIGTERM and SIGKILL follow
  int64_t start_limit_ns = 10 * kSecond;  // from its start until the kernel has it enabled
  int64_t stop_limit_ns = 5 * kSecond;    // after each signal
  [[nodiscard]] bool warm() const { return !object.empty(); }
  // The file without which it cannot run: the program or the object, as it was named.
  [[nodiscard]] const std::string& file() const { return warm() ? object : command.front(); }
};

// `where` stands before the line in errors.
Result<std::vector<ExternalArm>> parse_external_arms(std::string_view toml, const std::string& where);
Result<std::vector<ExternalArm>> load_external_arms(const std::string& path);
// What we ship: scx_simple (weighted vtime), scx_simple -f (FIFO), both of them as objects, bpfland, flash, rustland, lavd.
std::span<const ExternalArm> shipped_external_arms();

nlohmann::json to_json(const ExternalArm& arm);
Result<ExternalArm> external_arm_from(const nlohmann::json& value);

// True when `ops`, as root/ops has it, is this arm's: "bpfland" and "bpfland_1.1.4_x86_64_unknown_linux_gnu" are one.
bool shows_as(const ExternalArm& arm, std::string_view ops);

// Adds them to the catalogue of arms (arm.h says when). All or none.
Result<Unit> register_external_arms(std::span<const ExternalArm> arms);
// nullptr: not an external arm.
const ExternalArm* external_arm(ArmId id);
const ExternalArm* external_arm_of_policy(int policy);

// Its file as it can be started or opened: FILE itself when it has a slash, else in FOLDERS and, for programs, PATH. Errors: kNotFound.
Result<std::string> find_file(const ExternalArm& arm, std::span<const std::string> folders);

}  // namespace pointsman
