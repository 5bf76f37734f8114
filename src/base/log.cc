#include "base/log.h"

#include <atomic>
#include <cstdio>

namespace pointsman {

namespace {
std::atomic<LogLevel> threshold{LogLevel::kWarning};
}

void set_log_level(LogLevel level) { threshold = level; }

void write_log(LogLevel level, const std::string& line) {
  if (level > threshold.load()) return;
  const std::string text = (level == LogLevel::kWarning ? "pointsman: warning: " : "pointsman: ") + line + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace pointsman
