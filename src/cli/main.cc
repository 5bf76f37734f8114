#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "base/log.h"
#include "cli/arm_file.h"
#include "cli/guest.h"
#include "cli/tree.h"
#include "cli/verb.h"

namespace {

// What was printed may still be in a buffer: a full disk shows only when it goes out.
int flushed(int exit_code) {
  using namespace pointsman;
  std::cout.flush();
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good();
  if (written || exit_code != kExitDone) return exit_code;
  return report_error({ErrorCode::kIo, "standard output: not all of it could be written"});  // why is lost by now, when it was an earlier part
}

}  // namespace

int main(int argc, char** argv) {
  using namespace pointsman;
  const char* slash = std::strrchr(argv[0], '/');
  if (std::strcmp(slash ? slash + 1 : argv[0], "init") == 0) run_guest();

  int exit_code = kExitDone;
  if (auto known = register_known_arms(); !known) return report_error(known.error());
  const auto app = make_tree(exit_code);
  // CLI11 lets an option whose value may be left out take the mark that ends the options: `--json -- CMD` would lose it.
  std::vector<char*> words(argv, argv + argc);
  for (size_t i = 1; i + 1 < words.size(); ++i) {
    if (std::strcmp(words[i], "--") == 0) break;
    if (std::strcmp(words[i], "--json") == 0 && std::strcmp(words[i + 1], "--") == 0) {
      words.insert(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words[i + 1]);
      break;
    }
  }
  try {
    app->parse(static_cast<int>(words.size()), words.data());
  } catch (const CLI::ParseError& error) {
    // CLI11 uses exceptions for --help and --version too; those end with 0.
    if (error.get_exit_code() == 0) {
      app->exit(error);
      return flushed(kExitDone);
    }
    std::string message = unknown_verb(*app, {argv + 1, static_cast<size_t>(argc - 1)});
    if (message.empty()) message = error.what();
    // One line, whatever the library says.
    std::replace(message.begin(), message.end(), '\n', ' ');
    std::fprintf(stderr, "pointsman: %s (--help tells what is allowed)\n", message.c_str());
    return kExitUsage;
  } catch (const std::exception& error) {
    // Nothing should get here; a line is better than an abort.
    std::fprintf(stderr, "pointsman: %s\n", error.what());
    return kExitFailed;
  }
  return flushed(exit_code);
}
