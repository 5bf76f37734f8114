#include "sched/kernel_state.h"

#include <cstdlib>

#include "base/file.h"

namespace pointsman {
namespace {

using Phase = KernelState::Phase;

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

Result<uint64_t> read_number(const std::string& path) {
  auto text = read_file(path);
  if (!text) return fail(text.error());
  char* end = nullptr;
  const uint64_t number = std::strtoull(text->c_str(), &end, 10);
  if (end == text->c_str()) return fail(ErrorCode::kCorrupt, "{} holds no number", path);
  return number;
}

Result<Phase> phase_of(const std::string& word) {
  for (const Phase phase : {Phase::kDisabled, Phase::kEnabling, Phase::kEnabled, Phase::kDisabling}) {
    if (word == name_of(phase)) return phase;
  }
  return fail(ErrorCode::kUnsupported, "the kernel's sched_ext state is '{}'", word);
}

}  // namespace

const char* name_of(Phase phase) {
  switch (phase) {
    case Phase::kDisabled:
      return "disabled";
    case Phase::kEnabling:
      return "enabling";
    case Phase::kEnabled:
      return "enabled";
    case Phase::kDisabling:
      return "disabling";
  }
  return "?";
}

Result<KernelState> read_kernel_state(const std::string& sysfs) {
  const std::string root = sysfs + "/kernel/sched_ext/";
  KernelState state;
  for (int attempt = 0; attempt < 8; attempt++) {
    auto seq = read_number(root + "enable_seq");
    if (!seq) return fail(seq.error());
    auto word = read_file(root + "state");
    if (!word) return fail(word.error());
    auto phase = phase_of(trimmed(*word));
    if (!phase) return fail(phase.error());
    state.phase = *phase;
    state.ops.clear();
    if (auto ops = read_file(root + "root/ops")) {
      state.ops = trimmed(*ops);
    } else if (ops.error().code != ErrorCode::kNotFound && *phase == Phase::kEnabled) {
      return fail(ops.error());
    }
    auto hotplug = read_number(root + "hotplug_seq");
    if (hotplug) state.hotplug_seq = *hotplug;
    auto word_again = read_file(root + "state");
    if (!word_again) return fail(word_again.error());
    auto seq_again = read_number(root + "enable_seq");
    if (!seq_again) return fail(seq_again.error());
    state.enable_seq = *seq_again;
    if (*seq == *seq_again && *word == *word_again) break;
  }
  if (state.phase == Phase::kDisabled) state.ops.clear();
  return state;
}

}  // namespace pointsman
