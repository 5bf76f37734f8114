// FakeWorker: a worker that does what a test says, for tests of whatever stands in front of it.
#pragma once

#include <deque>
#include <functional>
#include <utility>

#include "http/worker.h"

namespace pointsman {

class FakeWorker : public Worker {
 public:
  FakeWorker() {
    info_.backend = "host";
    info_.kernel = "6.99";
    info_.cpus = 4;
    info_.arms = {{.name = "eevdf", .kind = "kernel", .summary = "the kernel's own"},
                  {.name = "las", .kind = "policy", .summary = "least first"},
                  {.name = "age", .kind = "policy", .summary = "oldest first", .unavailable = "this kernel has no sched_ext"}};
  }

  [[nodiscard]] const RigInfo* info() const override { return ready_ ? &info_ : nullptr; }
  [[nodiscard]] std::string trouble() const override { return trouble_; }
  [[nodiscard]] bool idle() const override { return ready_ && !done_; }
  void run(const RepeatRequest& request, Done done) override {
    requests.push_back(request);
    done_ = std::move(done);
    if (answers) later([this, request] { finish(answers(request)); });
  }
  void cancel() override { ++cancels; }

  // What happens in the world.
  void finish(Result<RepeatResult> result) {
    Done done = std::exchange(done_, nullptr);
    done(std::move(result));
    if (on_idle) on_idle();
  }
  void finish(double tat_s = 0.5) {
    finish(RepeatResult{.costs = fmt::format(R"({{"mean_tat_s":{}}})", tat_s), .result = fmt::format(R"({{"repeat":{},"costs":{{"mean_tat_s":{}}}}})", requests.back().repeat, tat_s)});
  }
  void become_ready() {
    ready_ = true;
    if (on_idle) on_idle();
  }
  void lose(std::string trouble) {
    ready_ = false;
    trouble_ = std::move(trouble);
  }
  [[nodiscard]] bool busy() const { return static_cast<bool>(done_); }
  RigInfo& rig() { return info_; }

  std::deque<RepeatRequest> requests{};
  int cancels = 0;
  // A worker that needs nobody to finish it: what each repeat gives.
  std::function<Result<RepeatResult>(const RepeatRequest&)> answers{};
  std::function<void(std::function<void()>)> later{};  // on the loop, not now

 private:
  RigInfo info_;
  bool ready_ = true;
  std::string trouble_;
  Done done_;
};

}  // namespace pointsman
