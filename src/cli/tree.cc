#include "cli/tree.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/log.h"
#include "cli/verb.h"
#include "learn/controllers.h"
#include "sched/arm.h"
#include "workload/scenario.h"

namespace pointsman {

namespace {

const std::map<std::string, const char*> kGroups = {{"lab", "The exact lab: real kernels in a virtual machine, the same bits for the same seed"},
                                                    {"experiment", "A client of an experiment server (pointsman serve)"}};

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

std::string fish_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string names_in(const auto& table) {
  std::string names;
  for (const auto& entry : table) names += fmt::format("{} ", entry.name);
  return names;
}

// Options whose values are names that are known.
std::vector<std::pair<std::string, std::string>> values_by_option() {
  return {{"--arm|--controller", names_in(arms()) + names_in(controller_kinds())}, {"--arms", names_in(arms()) + "choosable all external"}, {"--family|--families", names_in(families()) + "random:1"}};
}

// The same of what stands without an option.
std::string values_of_position(const std::string& path) {
  if (path == "pin") return names_in(arms());
  if (path == "lab families") return names_in(families());
  if (path == "completion") return "bash zsh fish ";
  return "";
}

// "INT:INT in [1 - 8]" as CLI11 writes it, for people: "INT, 1 to 8".
std::string type_of(const CLI::Option& option) {
  if (option.get_type_size() == 0) return "";
  std::string type = option.get_type_name();
  const size_t in = type.find(" in [");
  if (in != std::string::npos) {
    const size_t dash = type.find(" - ", in), end = type.rfind(']');
    if (dash != std::string::npos && end != std::string::npos && end > dash)
      type = fmt::format("{}, {} to {}", type.substr(0, type.find(':')), type.substr(in + 5, dash - in - 5), type.substr(dash + 3, end - dash - 3));
  }
  return " " + type;
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

// How many letters to put in, take out or change to get from one word to the other.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string unknown_verb(const CLI::App& app, std::span<char* const> words) {
  const CLI::App* at = &app;
  std::string path;
  for (const std::string_view word : words) {
    if (word.starts_with('-')) continue;
    const auto below = children(*at);
    if (below.empty()) return "";
    const auto found = std::find_if(below.begin(), below.end(), [&](const CLI::App* child) { return child->get_name() == word; });
    if (found != below.end()) {
      at = *found;
      path += at->get_name() + " ";
      continue;
    }
    std::vector<std::pair<std::string, const CLI::App*>> all;
    collect(app, "", all);
    std::string nearest, list;
    size_t least = std::max<size_t>(word.size() / 2, 1) + 1;
    for (const auto& [name, node] : all) {
      if (name.empty()) continue;
      // A verb of a group is known by its last word too: "matrix" means "lab matrix".
      const size_t far = std::min(distance(path + std::string(word), name), distance(word, node->get_name()));
      if (far < least) {
        least = far;
        nearest = name;
      }
    }
    for (const CLI::App* child : below) list += (list.empty() ? "" : ", ") + child->get_name();
    return nearest.empty() ? fmt::format("there is no verb '{}{}'; allowed: {}", path, word, list) : fmt::format("there is no verb '{}{}'; did you mean '{}'?", path, word, nearest);
  }
  if (children(*at).empty() || std::any_of(words.begin(), words.end(), [](const char* word) { return *word == '-'; })) return "";
  std::string list;
  for (const CLI::App* child : children(*at)) list += (list.empty() ? "" : ", ") + child->get_name();
  return fmt::format("{} needs a verb: {}", path.empty() ? "pointsman" : path.substr(0, path.size() - 1), list);
}

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
    CommandLine line(*sub);
    verb.add(line, exit_code);
  }
  return app;
}

std::string completion_of(const CLI::App& app, const std::string& shell) {
  std::vector<std::pair<std::string, const CLI::App*>> all;
  collect(app, "", all);
  std::string out;
  if (shell == "bash" || shell == "zsh") {
    if (shell == "zsh") out += "autoload -U +X bashcompinit && bashcompinit\n";
    out += "_pointsman() {\n  local path= word words=\n  case ${COMP_WORDS[COMP_CWORD-1]} in\n";
    for (const auto& [option, words] : values_by_option()) out += fmt::format("    {}) COMPREPLY=($(compgen -W \"{}\" -- \"${{COMP_WORDS[COMP_CWORD]}}\")); return ;;\n", option, words);
    out += "  esac\n  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n    case $word in -*) ;; *) path=\"${path:+$path }$word\" ;; esac\n  done\n  case $path in\n";
    for (auto it = all.rbegin(); it != all.rend(); ++it)
      out += fmt::format("    {}) words='{}' ;;\n", it->first.empty() ? "''" : "\"" + it->first + "\"*", values_of_position(it->first) + words_of(*it->second));
    out += "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\ncomplete -o default -F _pointsman pointsman\n";
  } else if (shell == "fish") {
    for (const auto& [path, node] : all) {
      const size_t space = path.find(' ');
      const std::string condition =
          path.empty() ? "__fish_use_subcommand"
                       : fmt::format("__fish_seen_subcommand_from {}{}", path.substr(0, space),
                                     space == std::string::npos ? "" : "; and __fish_seen_subcommand_from " + path.substr(space + 1));
      for (const CLI::App* child : children(*node))
        out += fmt::format("complete -c pointsman -n '{}' -f -a {} -d {}\n", condition, child->get_name(), fish_quoted(child->get_description()));
      if (const std::string values = values_of_position(path); !values.empty()) out += fmt::format("complete -c pointsman -n '{}' -f -a '{}'\n", condition, values);
      for (const CLI::Option* option : node->get_options())
        for (const std::string& name : option->get_lnames())
          out += fmt::format("complete -c pointsman -n '{}' -l {} -d {}\n", condition, name, fish_quoted(option->get_description()));
    }
  }
  return out;
}

namespace {
std::string option_entry(const CLI::Option& option) {
  const std::string by_default = option.get_default_str().empty() ? "" : fmt::format(" Default: {}.", option.get_default_str());
  return fmt::format(".TP\n.B {}{}\n{}.{}\n", roff(option.get_name(option.get_positional())), roff(type_of(option)), roff(option.get_description()), roff(by_default));
}
}  // namespace

std::string man_page_of(const CLI::App& app) {
  std::vector<std::pair<std::string, const CLI::App*>> all;
  collect(app, "", all);
  std::string out = fmt::format(".TH POINTSMAN 1 \"\" \"pointsman {}\" \"User Commands\"\n.SH NAME\npointsman \\- learns which CPU scheduler suits what is running, and swaps it\n", kVersion);
  out += ".SH SYNOPSIS\n.B pointsman\nVERB [OPTIONS]\n.SH DESCRIPTION\n" + roff(app.get_description()) + "\n.SH OPTIONS\n";
  for (const CLI::Option* option : app.get_options()) out += option_entry(*option);
  out += ".SH VERBS\n";
  for (const auto& [path, node] : all) {
    if (path.empty() || !children(*node).empty()) continue;
    out += fmt::format(".SS {}\n{}\n", roff(path), roff(node->get_description()));
    for (const CLI::Option* option : node->get_options()) {
      if (option->check_lname("help")) continue;
      out += option_entry(*option);
    }
    if (!node->get_footer().empty()) out += ".PP\n.nf\n" + roff(node->get_footer()) + "\n.fi\n";
  }
  out += ".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage, 77 this machine or build cannot; the reason is printed. 130 interrupted by Ctrl\\-C: nothing half\\-written is left behind.\n";
  return out;
}

}  // namespace pointsman
