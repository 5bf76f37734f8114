#include "cli/verb.h"

#include <cstdio>

namespace pointsman {

int report_error(const Error& error) {
  std::fprintf(stderr, "pointsman: %s\n", error.message.c_str());
  switch (error.code) {
    case ErrorCode::kInvalidArgument: return kExitUsage;
    case ErrorCode::kUnsupported: return kExitSkipped;
    case ErrorCode::kInterrupted: return kExitInterrupted;
    default: return kExitFailed;
  }
}

Error as_usage(Error error) {
  if (error.code == ErrorCode::kNotFound) error.code = ErrorCode::kInvalidArgument;
  return error;
}

void JsonOption::add(CommandLine& app) {
  option = app.add_option("--json", path, "Print JSON instead of text; with =FILE, write it there besides the text").optional_value().type_name("[FILE]");
}

std::string examples(std::initializer_list<std::pair<const char*, const char*>> lines) {
  std::string out = "Examples:\n";
  for (const auto& [command, meaning] : lines) out += fmt::format("  {}\n      {}\n", command, meaning);
  return out;
}

}  // namespace pointsman
