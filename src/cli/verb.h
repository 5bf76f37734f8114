// A verb of the command line: one file each, one line each in verbs.cc. A verb declares its options on an app of its own and sets the exit code when it is run.
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "cli/command_line.h"
#include "report/table.h"

namespace pointsman {

enum ExitCode { kExitDone = 0, kExitFailed = 1, kExitUsage = 2, kExitSkipped = 77, kExitInterrupted = 130 };

struct Verb {
  const char* path;  // "doctor", "lab verify"
  const char* summary;
  void (*add)(CommandLine& app, int& exit_code);
};
std::span<const Verb> verbs();

// Prints the error as one line on standard error. kInvalidArgument is a usage error, kUnsupported a skip,
// kInterrupted a person's wish; the rest failed.
int report_error(const Error& error);
// A name that does not exist, but came from the command line: wrong usage.
Error as_usage(Error error);

// --json[=FILE]: standard output by default.
struct JsonOption {
  std::string path;
  Option option;
  void add(CommandLine& app);
  [[nodiscard]] report::EmitOptions emit() const { return {.json = option.count() > 0, .json_file = path}; }
};

// What is shown below the options in --help.
std::string examples(std::initializer_list<std::pair<const char*, const char*>> lines);

}  // namespace pointsman
