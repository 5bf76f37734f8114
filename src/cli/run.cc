// pointsman run: the agent on this machine.
#include <sys/time.h>

#include <csignal>
#include <cmath>

#include "agent/agent.h"
#include "agent/metrics_sensor.h"
#include "cli/model_option.h"
#include "cli/project.h"
#include "cli/verb.h"
#include "learn/controllers.h"
#include "sched/kernel_host.h"
#include "sched/priority.h"
#include "sched/shadow_host.h"

namespace pointsman {

namespace {

struct Options {
  std::string controller = "classifier", model, pin_path = kPinPath, procfs = "/proc", sysfs = "/sys";
  uint64_t seed = 1;
  double seconds = 0, guard_multiple = 10, guard_reference_ms = 25;
  bool shadow = false, windows = false;
  JsonOption json;
};

Agent* running = nullptr;  // for the signal handler alone

// Ctrl-C ends the loop; the scheduler is detached on the way out, so the machine is left as it was found.
void on_signal(int) {
  if (running) running->stop();
}

std::string_view arm_name(ArmId arm) { return arms()[static_cast<size_t>(arm)].name; }

class Teller : public Recorder {
 public:
  Teller(int64_t start_ns, bool every_window, bool json, bool shadow) : start_ns_(start_ns), every_window_(every_window), json_(json), shadow_(shadow) {}

  void on_window(const WindowRecord& w) override {
    ++windows_;
    const bool news = w.taken != w.active || !w.held_back.empty() || !w.notice.empty();
    const std::string state = fmt::format("{}|{}|{}", arm_name(w.active), arm_name(w.decision.arm), w.held_back);
    if (!every_window_ && (!news || state == last_)) return;
    last_ = state;
    const double t = static_cast<double>(w.end_ns - start_ns_) / 1e9;
    const std::string outcome = w.outcome ? fmt::format("{}{}{}", name_of(w.outcome->verdict), w.outcome->why.empty() ? "" : ": ", w.outcome->why) : "";
    if (json_) {
      nlohmann::json row = {{"t_s", t}, {"active", arm_name(w.active)}, {"wanted", arm_name(w.decision.arm)}, {"taken", arm_name(w.taken)}, {"why", w.decision.why}, {"held_back", w.held_back}, {"outcome", outcome},
                            {"propensity", w.decision.propensity}, {"p99_short_wait_ms", w.p99_short_wait_ms}};
      fmt::print("{}\n", row.dump());
    } else {
      std::string notice;
      if (w.notice.ejection) notice += fmt::format(" | ejected: {} {}", w.notice.ejection->reason, w.notice.ejection->message);
      if (w.notice.vetoed) notice += " | SysRq-S: staying on eevdf until pointsman pin --release";
      if (!w.notice.foreign.empty()) notice += fmt::format(" | {} was attached by somebody else", w.notice.foreign);
      fmt::print("{:9.2f} s  {}{}{}  {}{}{}{}\n", t, arm_name(w.active), w.taken != w.active ? shadow_ ? " (would) -> " : " -> " : "", w.taken != w.active ? arm_name(w.taken) : "", w.decision.why,
                 w.held_back.empty() ? "" : " | held back: " + w.held_back, outcome.empty() ? "" : " | " + outcome, notice);
    }
    std::fflush(stdout);
  }
  [[nodiscard]] int windows() const { return windows_; }

 private:
  int64_t start_ns_;
  bool every_window_, json_, shadow_;
  std::string last_;
  int windows_ = 0;
};

Result<Unit> run(const Options& options) {
  std::string spec = options.controller;
  if (is_learned(spec) && spec.find("model=") == std::string::npos) {
    auto model = find_model(options.model, spec);
    if (!model) return fail(model.error());
    spec = with_model(spec, *model);
  }
  auto controller = make_controller(spec, options.seed);
  if (!controller) return fail(controller.error());
  SystemClock clock;
  std::unique_ptr<SchedulerHost> host;
  if (options.shadow) {
    host = std::make_unique<ShadowHost>(options.sysfs);
  } else {
    KernelHost::Options host_options;
    host_options.sysfs = options.sysfs;
    host_options.procfs = options.procfs;
    auto opened = KernelHost::open(host_options, clock);
    if (!opened) return fail(opened.error().at("cannot swap schedulers here (pointsman doctor tells more; --shadow decides without swapping)"));
    host = std::move(*opened);
  }
  auto sensor = MetricsSensor::open({.procfs = options.procfs, .bursts = (*controller)->wants_bursts()});
  if (!sensor) return fail(sensor.error());
  if (auto outranked = outrank_ordinary_tasks(); !outranked) return fail(outranked.error());

  Swapper swapper(*host, clock);
  PinFile pin(options.pin_path);
  const int64_t start_ns = clock.now_ns();
  Teller teller(start_ns, options.windows, options.json.emit().json, options.shadow);
  AgentOptions agent_options;
  agent_options.shadow = options.shadow;
  agent_options.guard.multiple = options.guard_multiple;
  agent_options.guard.reference_ns = static_cast<int64_t>(options.guard_reference_ms * 1e6);
  Agent agent(clock, **sensor, swapper, **controller, pin, teller, agent_options);
  running = &agent;
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  if (options.seconds > 0) {
    struct sigaction alarm_action {};
    alarm_action.sa_handler = on_signal;
    sigaction(SIGALRM, &alarm_action, nullptr);
    itimerval timer{};
    timer.it_value.tv_sec = static_cast<time_t>(options.seconds);
    timer.it_value.tv_usec = static_cast<suseconds_t>((options.seconds - std::floor(options.seconds)) * 1e6);
    setitimer(ITIMER_REAL, &timer, nullptr);
  }
  auto ran = agent.run();
  running = nullptr;
  if (!ran) return ran;
  const AgentCost cost = agent.cost();
  fmt::print(stderr, "{} windows, {} swaps; the agent used {:.2f} % of a CPU and {:.1f} MB; a tick took {:.0f} us (p50), {:.0f} us (p99)\n", teller.windows(), agent.swaps(),
             100.0 * static_cast<double>(cost.cpu_ns) / static_cast<double>(std::max<int64_t>(1, cost.elapsed_ns)), static_cast<double>(cost.rss_bytes) / 1e6, static_cast<double>(cost.tick_p50_ns) / 1e3,
             static_cast<double>(cost.tick_p99_ns) / 1e3);
  if (!options.shadow && swapper.current() && *swapper.current() != kEevdf) {
    const Outcome outcome = swapper.swap(kEevdf);
    if (outcome.verdict != Outcome::Verdict::kConfirmed) return fail(ErrorCode::kIo, "the kernel did not go back to eevdf: {}", outcome.why);
  }
  return Unit{};
}

}  // namespace

void add_run(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  app.add_option("--controller", options->controller, "What decides (pointsman arms lists them)")->capture_default_str();
  app.add_option("--model", options->model, "Model of a learned controller (default: models/default.pmm of the project)")->type_name("FILE");
  app.add_option("--seed", options->seed, "Seed of controllers that draw")->capture_default_str();
  app.add_option("--seconds", options->seconds, "Stop after this long (default: never)");
  app.add_flag("--shadow", options->shadow, "Decide and tell, never swap; needs no sched_ext");
  app.add_flag("--windows", options->windows, "Tell every decision window, not only news");
  app.add_option("--guard-multiple", options->guard_multiple, "Leave an arm when short jobs wait this many times as long as under eevdf (p99)")->capture_default_str()->check(CLI::Range(1.0, 1000.0));
  app.add_option("--guard-reference-ms", options->guard_reference_ms, "Their p99 wait under eevdf, until it has been measured")->capture_default_str();
  app.add_option("--pin-file", options->pin_path, "Where pointsman pin leaves its word")->capture_default_str()->type_name("FILE");
  app.add_option("--procfs", options->procfs, "Where /proc is")->capture_default_str();
  app.add_option("--sysfs", options->sysfs, "Where /sys is")->capture_default_str();
  options->json.add(app);
  app.footer(examples({{"pointsman run --shadow", "what would it do here? Nothing is swapped"}, {"pointsman run", "let it swap; Ctrl-C leaves the machine on eevdf"}, {"pointsman run --controller las --seconds 60", "one arm for a minute"}}));
  app.callback([options, &exit_code] {
    if (auto done = run(*options); !done) exit_code = report_error(done.error());
  });
}

}  // namespace pointsman
