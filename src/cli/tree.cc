#include "cli/tree.h"

#include <fmt/core.h>

#include <map>
#include <sstream>
#include <vector>

#include "base/log.h"
#include "cli/verb.h"

namespace pointsman {

namespace {

constexpr const char* kVersion = "0.1.0";
const std::map<std::string, const char*> kGroups = {{"lab", "The exact lab: real kernels in a virtual machine, the same bits for the same seed"}};

std::vector<const CLI::App*> children(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

CLI::App* find_child(CLI::App& app, const std::string& name) {
  for (CLI::App* child : app.get_subcommands([](CLI::App*) { return true; }))
    if (child->get_name() == name) return child;
  return nullptr;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

void collect(const CLI::App& app, const std::string& path, std::vector<std::pair<std::string, const CLI::App*>>& out) {
  out.emplace_back(path, &app);
  for (const CLI::App* child : children(app)) collect(*child, path.empty() ? child->get_name() : path + " " + child->get_name(), out);
}

std::string words_of(const CLI::App& app) {
  std::string words;
  for (const CLI::App* child : children(app)) words += child->get_name() + " ";
  for (const std::string& name : option_names(app)) words += name + " ";
  return words;
}

std::string roff(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((i == 0 || text[i - 1] == '\n') && (text[i] == '.' || text[i] == '\'')) out += "\\&";
    if (text[i] == '-') out += "\\-";
    else if (text[i] == '\\') out += "\\e";
    else out += text[i];
  }
  return out;
}

}  // namespace

std::unique_ptr<CLI::App> make_tree(int& exit_code) {
  auto app = std::make_unique<CLI::App>("Watches a running Linux, learns which CPU scheduler suits what is running, and swaps it, live and safely.", "pointsman");
  app->set_version_flag("--version", kVersion);
  app->require_subcommand(1);
  app->get_formatter()->column_width(36);
  app->footer("Exit codes: 0 done, 1 failed, 2 wrong usage, 77 this machine or build cannot (the reason is printed), 130 interrupted by Ctrl-C.");
  app->add_flag_callback("-v,--verbose", [] { set_log_level(LogLevel::kInfo); }, "Say more on standard error");
  for (const Verb& verb : verbs()) {
    CLI::App* parent = app.get();
    std::string name = verb.path;
    if (const size_t space = name.find(' '); space != std::string::npos) {
      const std::string group = name.substr(0, space);
      name = name.substr(space + 1);
      CLI::App* existing = find_child(*app, group);
      parent = existing ? existing : app->add_subcommand(group, kGroups.at(group))->require_subcommand(1);
    }
    CLI::App* sub = parent->add_subcommand(name, verb.summary);
    sub->get_formatter()->column_width(36);
    verb.add(*sub, exit_code);
  }
  return app;
}

std::string completion_of(const CLI::App& app, const std::string& shell) {
  std::vector<std::pair<std::string, const CLI::App*>> all;
  collect(app, "", all);
  std::string out;
  if (shell == "bash" || shell == "zsh") {
    if (shell == "zsh") out += "autoload -U +X bashcompinit && bashcompinit\n";
    out += "_pointsman() {\n  local path= word words=\n  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n    case $word in -*) ;; *) path=\"${path:+$path }$word\" ;; esac\n  done\n  case $path in\n";
    for (auto it = all.rbegin(); it != all.rend(); ++it)
      out += fmt::format("    {}) words='{}' ;;\n", it->first.empty() ? "''" : "\"" + it->first + "\"*", words_of(*it->second));
    out += "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\ncomplete -o default -F _pointsman pointsman\n";
  } else if (shell == "fish") {
    for (const auto& [path, node] : all) {
      const size_t space = path.find(' ');
      const std::string condition =
          path.empty() ? "__fish_use_subcommand"
                       : fmt::format("__fish_seen_subcommand_from {}{}", path.substr(0, space),
                                     space == std::string::npos ? "" : "; and __fish_seen_subcommand_from " + path.substr(space + 1));
      for (const CLI::App* child : children(*node))
        out += fmt::format("complete -c pointsman -n '{}' -f -a {} -d '{}'\n", condition, child->get_name(), child->get_description());
      for (const CLI::Option* option : node->get_options())
        for (const std::string& name : option->get_lnames())
          out += fmt::format("complete -c pointsman -n '{}' -l {} -d \"{}\"\n", condition, name, option->get_description());
    }
  }
  return out;
}

std::string man_page_of(const CLI::App& app) {
  std::vector<std::pair<std::string, const CLI::App*>> all;
  collect(app, "", all);
  std::string out = fmt::format(".TH POINTSMAN 1 \"\" \"pointsman {}\" \"User Commands\"\n.SH NAME\npointsman \\- learns which CPU scheduler suits what is running, and swaps it\n", kVersion);
  out += ".SH SYNOPSIS\n.B pointsman\nVERB [OPTIONS]\n.SH DESCRIPTION\n" + roff(app.get_description()) + "\n.SH VERBS\n";
  for (const auto& [path, node] : all) {
    if (path.empty() || !children(*node).empty()) continue;
    out += fmt::format(".SS {}\n{}\n", roff(path), roff(node->get_description()));
    for (const CLI::Option* option : node->get_options()) {
      if (option->check_lname("help")) continue;
      const std::string type = option->get_type_size() == 0 ? "" : " " + option->get_type_name();
      out += fmt::format(".TP\n.B {}{}\n{}\n", roff(option->get_name(option->get_positional())), roff(type), roff(option->get_description()));
    }
    if (!node->get_footer().empty()) out += ".PP\n.nf\n" + roff(node->get_footer()) + "\n.fi\n";
  }
  out += ".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage, 77 this machine or build cannot; the reason is printed. 130 interrupted by Ctrl\\-C: nothing half\\-written is left behind.\n";
  return out;
}

}  // namespace pointsman
