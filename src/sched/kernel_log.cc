#include "sched/kernel_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace pointsman {
namespace {

struct Reason {
  std::string_view words;
  int kind;
};
// enum scx_exit_kind, include/linux/sched/ext.h; its words are scx_exit_reason()'s
constexpr Reason kReasons[] = {{"unregistered from user space", 64}, {"unregistered from BPF", 65}, {"unregistered from the main kernel", 66},
                               {"disabled by sysrq-S", 67},          {"runtime error", 1024},        {"scx_bpf_error", 1025},
                               {"runnable task stall", 1026}};

}  // namespace

int exit_kind_of(std::string_view reason) {
  for (const Reason& known : kReasons) {
    if (reason == known.words) return known.kind;
  }
  return 0;
}

std::optional<Ejection> end_in_log(std::string_view text, const ExternalArm& arm) {
  constexpr std::string_view kPrefix = "sched_ext: ", kEnded = "BPF scheduler \"", kDisabled = "\" disabled (";
  std::optional<Ejection> last;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t begin = line.find(kPrefix);
    if (begin == std::string_view::npos) continue;
    line.remove_prefix(begin + kPrefix.size());
    if (line.starts_with(kEnded)) {
      line.remove_prefix(kEnded.size());
      const size_t quote = line.find(kDisabled), close = line.rfind(')');
      if (quote == std::string_view::npos || close == std::string_view::npos || close < quote || !shows_as(arm, line.substr(0, quote))) continue;
      last = Ejection{};
      last->reason = line.substr(quote + kDisabled.size(), close - quote - kDisabled.size());
      last->kind = exit_kind_of(last->reason);
    } else if (const size_t colon = line.find(": "); colon != std::string_view::npos && last && last->message.empty() && shows_as(arm, line.substr(0, colon))) {
      last->message = line.substr(colon + 2);
    }
  }
  return last;
}

KernelLog::KernelLog(const std::string& path) : log_(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) { skip(); }

void KernelLog::skip() {
  unread_.clear();
  if (log_) ::lseek(log_.get(), 0, SEEK_END);
}

std::optional<Ejection> KernelLog::end_of(const ExternalArm& arm) {
  char buffer[8192];  // a record of /dev/kmsg is at most so long, and each read gives one
  while (log_) {
    const ssize_t n = ::read(log_.get(), buffer, sizeof buffer);
    if (n < 0 && (errno == EINTR || errno == EPIPE)) continue;  // EPIPE: records were overwritten before they were read
    if (n <= 0) break;
    unread_.append(buffer, static_cast<size_t>(n));
  }
  return end_in_log(unread_, arm);
}

}  // namespace pointsman
