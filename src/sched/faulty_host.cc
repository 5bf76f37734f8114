#include "sched/faulty_host.h"

namespace pointsman {

template <typename Call>
Result<SwapTimes> FaultyHost::faulty(Call call) {
  Fault fault = Fault::kNone;
  if (!faults_.empty()) {
    fault = faults_.front();
    faults_.pop_front();
  }
  if (fault == Fault::kRefuse) return fail(ErrorCode::kIo, "fault: refused");
  if (fault == Fault::kClaimed) return SwapTimes{.call_ns = 1};
  auto result = call();
  if (fault == Fault::kDoneButFailed) return fail(ErrorCode::kIo, "fault: done, and reported as failed");
  return result;
}

Result<KernelState> FaultyHost::read_state() {
  if (blind_ > 0) {
    blind_--;
    return fail(ErrorCode::kIo, "fault: unreadable");
  }
  return host_.read_state();
}
Result<SwapTimes> FaultyHost::attach(int policy) {
  return faulty([&] { return host_.attach(policy); });
}
Result<SwapTimes> FaultyHost::detach() {
  return faulty([&] { return host_.detach(); });
}
Result<SwapTimes> FaultyHost::flip(int policy) {
  return faulty([&] { return host_.flip(policy); });
}

}  // namespace pointsman
