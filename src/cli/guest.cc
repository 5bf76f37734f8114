#include "cli/guest.h"

#include <memory>

#include "base/file.h"
#include "lab/brought_arms.h"
#include "lab/episode.h"
#include "lab/guest.h"
#include "lab/networked.h"
#include "sched/priority.h"
#include "sched/swap_storm.h"

namespace pointsman {

void run_guest() {
  // Lives as long as the guest. Loaded before the snapshot when the host asks for it (`"stage": true`), else when the first job needs it.
  static std::unique_ptr<EpisodeStage> stage;
  const auto ensure_stage = []() -> Result<Unit> {
    if (stage) return Unit{};
    auto opened = EpisodeStage::open();
    if (!opened) return fail(opened.error());
    stage = std::make_unique<EpisodeStage>(std::move(*opened));
    return Unit{};
  };
  GuestHooks hooks;
  hooks.before_settle = [ensure_stage](const nlohmann::json& boot) -> Result<Unit> {
    if (auto taken = take_brought_arms(boot); !taken) return taken;
    return boot.value("stage", false) ? ensure_stage() : Unit{};
  };

  GuestJobs jobs;
  jobs["nothing"] = nothing_job();
  jobs["serve"] = serve_job();
  jobs["burn"] = burn_job();
  jobs["trial"] = [ensure_stage](const nlohmann::json&, FrameWriter& out) -> Result<Unit> {
    if (auto ready = ensure_stage(); !ready) return ready;
    return stage->trial(out);
  };
  jobs["verified"] = [ensure_stage](const nlohmann::json&, FrameWriter& out) -> Result<Unit> {
    if (auto ready = ensure_stage(); !ready) return ready;
    return stage->verified(out);
  };
  jobs["episode"] = [ensure_stage](const nlohmann::json& request, FrameWriter& out) -> Result<Unit> {
    if (auto ready = ensure_stage(); !ready) return ready;
    return stage->run(request, out);
  };
  jobs["storm"] = [](const nlohmann::json& request, FrameWriter& out) -> Result<Unit> {
    auto options = storm_options_from(request.at("storm"));
    if (!options) return fail(options.error());
    if (auto outranked = outrank_ordinary_tasks(); !outranked) return fail(outranked.error());
    std::string object;  // another build of the portfolio, brought along: the negative control of the tests
    KernelHost::Options host_options;
    if (const std::string path = request.value("object", ""); !path.empty()) {
      auto bytes = read_file(path);
      if (!bytes) return fail(bytes.error());
      object = std::move(*bytes);
      host_options.object = {reinterpret_cast<const unsigned char*>(object.data()), object.size()};
    }
    SystemClock clock;
    auto host = KernelHost::open(host_options, clock);
    if (!host) return fail(host.error());
    auto result = swap_storm(**host, clock, *options);
    if (!result) return fail(result.error());
    return out.send_json("storm", *result);
  };
  ExecHooks exec;
  exec.before = [ensure_stage](const nlohmann::json& request, FrameWriter&) -> Result<Unit> {
    if (auto ready = ensure_stage(); !ready) return ready;
    return stage->begin_exec(request);
  };
  exec.after = [](const nlohmann::json&, FrameWriter& out) { return stage->end_exec(out); };
  jobs["exec"] = exec_job(exec);
  guest_main(std::move(jobs), hooks);
}

}  // namespace pointsman
