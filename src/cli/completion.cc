#include <cstdio>
#include <memory>

#include "cli/tree.h"
#include "cli/verb.h"

namespace pointsman {

namespace {
const CLI::App& root_of(const CLI::App& app) { return app.get_parent() ? root_of(*app.get_parent()) : app; }
}  // namespace

void add_completion(CommandLine& app, int&) {
  auto shell = std::make_shared<std::string>();
  app.add_option("shell", *shell, "bash, zsh or fish").required().one_of({"bash", "zsh", "fish"});
  app.footer(examples({{"pointsman completion bash > /etc/bash_completion.d/pointsman", "for every user of this machine"}}));
  app.callback([&node = app.library(), shell] { std::fputs(completion_of(root_of(node), *shell).c_str(), stdout); });
}

void add_man(CommandLine& app, int&) {
  app.footer(examples({{"pointsman man | man -l -", "read it"}}));
  app.callback([&node = app.library()] { std::fputs(man_page_of(root_of(node)).c_str(), stdout); });
}

}  // namespace pointsman
