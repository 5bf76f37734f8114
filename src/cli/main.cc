#include <cstdio>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/log.h"
#include "cli/guest.h"
#include "cli/tree.h"
#include "cli/verb.h"

int main(int argc, char** argv) {
  using namespace pointsman;
  const char* slash = std::strrchr(argv[0], '/');
  if (std::strcmp(slash ? slash + 1 : argv[0], "init") == 0) run_guest();

  int exit_code = kExitDone;
  const auto app = make_tree(exit_code);
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 uses exceptions for --help and --version too; those end with 0.
    if (error.get_exit_code() == 0) return app->exit(error);
    const std::string message = error.what();
    std::fprintf(stderr, "pointsman: %s\nTry 'pointsman --help'.\n", message.c_str());
    return kExitUsage;
  }
  return exit_code;
}
