#include "agent/pin.h"

#include <charconv>
#include <filesystem>

#include "base/file.h"
#include "base/log.h"

namespace pointsman {

// Two lines: the arm's name or "-", and the number of releases.
Result<Pin> read_pin(const std::string& path) {
  auto text = read_file(path);
  if (!text) return fail(text.error());
  const size_t line = text->find('\n');
  if (line == std::string::npos) return fail(ErrorCode::kCorrupt, "{}: two lines are expected", path);
  Pin pin;
  const std::string name = text->substr(0, line);
  if (name != "-") {
    auto arm = find_arm(name);
    if (!arm) return fail(ErrorCode::kCorrupt, "{}: {}", path, arm.error().message);
    pin.arm = *arm;
  }
  const char* first = text->data() + line + 1;
  const char* last = text->data() + text->size();
  if (std::from_chars(first, last, pin.releases).ec != std::errc{}) return fail(ErrorCode::kCorrupt, "{}: no number in line 2", path);
  return pin;
}

Result<Unit> write_pin(const std::string& path, const Pin& pin) {
  std::error_code ignored;  // write_file says what matters
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  return write_file(path, fmt::format("{}\n{}\n", pin.arm ? arm_name(*pin.arm) : "-", pin.releases));
}

Pin PinFile::read() {
  auto pin = read_pin(path_);
  if (pin) return *pin;
  if (pin.error().code != ErrorCode::kNotFound && !complained_) {
    complained_ = true;
    log_warning("{}: ignored", pin.error().message);
  }
  return {};
}

}  // namespace pointsman
