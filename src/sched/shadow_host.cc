#include "sched/shadow_host.h"

#include "base/file.h"

namespace pointsman {

Result<KernelState> ShadowHost::read_state() {
  KernelState state;
  const std::string root = sysfs_ + "/kernel/sched_ext/";
  auto word = read_file(root + "state");
  if (!word) {
    if (word.error().code == ErrorCode::kNotFound) return state;
    return fail(word.error());
  }
  if (word->starts_with("enabled")) state.phase = KernelState::Phase::kEnabled;
  if (auto ops = read_file(root + "root/ops"); ops && state.phase == KernelState::Phase::kEnabled)
    state.ops = ops->substr(0, ops->find('\n'));
  return state;
}

}  // namespace pointsman
