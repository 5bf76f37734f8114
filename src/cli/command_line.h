// CommandLine: what a verb takes. CLI11 does the work behind it: its header alone costs every file that sees it eight seconds of compiling.
// Owns: nothing; the tree of verbs (cli/tree.h) owns what these handles refer to.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace pointsman {

class Option {
 public:
  Option() = default;
  explicit Option(CLI::Option* option) : option_(option) {}

  Option required();
  Option type_name(const std::string& name);
  // The value that the variable has now is shown as the default.
  Option capture_default_str();
  Option delimiter(char between);
  // One value an occurrence; without it a list takes all words up to the next option.
  Option one_each();
  // The value may be left out.
  Option optional_value();
  // In no help, completion or manual.
  Option hidden();
  Option between(int64_t low, int64_t high);
  Option between(int low, int high);
  Option between(double low, double high);
  Option one_of(const std::vector<std::string>& words);
  Option needs(Option other);
  Option excludes(Option other);
  // How often it was given.
  [[nodiscard]] size_t count() const;

 private:
  CLI::Option* option_ = nullptr;
};

class CommandLine {
 public:
  explicit CommandLine(CLI::App& app) : app_(app) {}

  // T: int, int64_t, uint64_t, double, std::string, some vectors and optionals of them; command_line.cc has the list, any other does not link.
  template <typename T>
  Option add_option(const std::string& names, T& value, const std::string& meaning);
  Option add_flag(const std::string& names, bool& value, const std::string& meaning);
  // Shown below the options.
  void footer(const std::string& text);
  // What runs when this is the verb that was given.
  void callback(std::function<void()> run);

  [[nodiscard]] CLI::App& library() const { return app_; }

 private:
  CLI::App& app_;
};

}  // namespace pointsman
