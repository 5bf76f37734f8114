// One line a message on standard error, for the verbs and the agent. Results never go through here.
#pragma once

#include <fmt/core.h>

#include <string>
#include <utility>

namespace pointsman {

enum class LogLevel { kQuiet, kWarning, kInfo, kDebug };
void set_log_level(LogLevel level);
void write_log(LogLevel level, const std::string& line);

template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace pointsman
