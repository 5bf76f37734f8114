#include "cli/command_line.h"

#include <CLI/CLI.hpp>

#include <optional>

namespace pointsman {

Option Option::required() { return Option(option_->required()); }
Option Option::type_name(const std::string& name) { return Option(option_->type_name(name)); }
Option Option::capture_default_str() { return Option(option_->capture_default_str()); }
Option Option::delimiter(char between) { return Option(option_->delimiter(between)); }
Option Option::one_each() { return Option(option_->allow_extra_args(false)); }
Option Option::optional_value() { return Option(option_->expected(0, 1)); }
Option Option::hidden() { return Option(option_->group("")); }
Option Option::between(int64_t low, int64_t high) { return Option(option_->check(CLI::Range(low, high))); }
Option Option::between(int low, int high) { return Option(option_->check(CLI::Range(low, high))); }
Option Option::between(double low, double high) { return Option(option_->check(CLI::Range(low, high))); }
Option Option::one_of(const std::vector<std::string>& words) { return Option(option_->check(CLI::IsMember(words))); }
Option Option::needs(Option other) { return Option(option_->needs(other.option_)); }
Option Option::excludes(Option other) { return Option(option_->excludes(other.option_)); }
size_t Option::count() const { return option_->count(); }

template <typename T>
Option CommandLine::add_option(const std::string& names, T& value, const std::string& meaning) {
  return Option(app_.add_option(names, value, meaning));
}
Option CommandLine::add_flag(const std::string& names, bool& value, const std::string& meaning) { return Option(app_.add_flag(names, value, meaning)); }
void CommandLine::footer(const std::string& text) { app_.footer(text); }
void CommandLine::callback(std::function<void()> run) { app_.callback(std::move(run)); }

template Option CommandLine::add_option(const std::string&, int&, const std::string&);
template Option CommandLine::add_option(const std::string&, int64_t&, const std::string&);
template Option CommandLine::add_option(const std::string&, uint64_t&, const std::string&);
template Option CommandLine::add_option(const std::string&, double&, const std::string&);
template Option CommandLine::add_option(const std::string&, std::string&, const std::string&);
template Option CommandLine::add_option(const std::string&, std::optional<double>&, const std::string&);
template Option CommandLine::add_option(const std::string&, std::optional<std::string>&, const std::string&);
template Option CommandLine::add_option(const std::string&, std::vector<int>&, const std::string&);
template Option CommandLine::add_option(const std::string&, std::vector<std::string>&, const std::string&);

}  // namespace pointsman
