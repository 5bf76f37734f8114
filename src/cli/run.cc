// pointsman run: the agent on this machine.
#include <sys/time.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>

#include "agent/agent.h"
#include "agent/config.h"
#include "agent/ledger_recorder.h"
#include "agent/metrics_sensor.h"
#include "base/file_hash.h"
#include "base/unique_fd.h"
#include "cli/arm_file.h"
#include "cli/model_option.h"
#include "cli/project.h"
#include "cli/verb.h"
#include "learn/controllers.h"
#include "learn/model.h"
#include "sched/external_host.h"
#include "sched/kernel_host.h"
#include "sched/priority.h"
#include "sched/shadow_host.h"

namespace pointsman {

namespace {

struct Options {
  std::string config, arm_file, pin_path = kPinPath, procfs = "/proc", sysfs = "/sys";
  // These outrank the configuration.
  std::optional<std::string> controller, model, ledger;
  std::optional<double> guard_multiple, guard_reference_ms;
  uint64_t seed = 1;
  double seconds = 0;
  bool shadow = false, windows = false;
  JsonOption json;
};

std::atomic<Agent*> running{nullptr};
std::atomic<int> ended_by{0};  // the signal

// Ctrl-C ends the loop; the scheduler is detached on the way out, so the machine is left as it was found.
void on_signal(int signal) {
  ended_by = signal;
  if (Agent* agent = running) agent->stop();
}

void listen_to_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  for (const int signal : {SIGINT, SIGTERM, SIGALRM}) sigaction(signal, &action, nullptr);
}

class Teller : public Recorder {
 public:
  Teller(int64_t start_ns, bool every_window, bool json, bool shadow) : start_ns_(start_ns), every_window_(every_window), json_(json), shadow_(shadow) {}

  void on_window(const WindowRecord& w) override {
    ++windows_;
    if (!w.idle) account(w);
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
      if (w.notice.vetoed) notice += " | staying on eevdf until pointsman pin --release";
      if (!w.notice.foreign.empty()) notice += fmt::format(" | {} was attached by somebody else", w.notice.foreign);
      fmt::print("{:9.2f} s  {}{}{}  {}{}{}{}\n", t, arm_name(w.active), w.taken != w.active ? shadow_ ? " (would) -> " : " -> " : "", w.taken != w.active ? arm_name(w.taken) : "", w.decision.why,
                 w.held_back.empty() ? "" : " | held back: " + w.held_back, outcome.empty() ? "" : " | " + outcome, notice);
    }
    std::fflush(stdout);
  }
  [[nodiscard]] int windows() const { return windows_; }

  // What would have been done, and what it would have gained by the controller's own predictions. A machine that stays on one arm has tried no other, so nothing
  // that was logged can confirm it: that is said too.
  [[nodiscard]] std::string would_have() const {
    if (busy_ == 0) return "every window was idle: there was nothing to decide\n";
    std::string out = "it would have taken";
    std::vector<std::pair<int, size_t>> order;
    for (size_t a = 0; a < taken_.size(); ++a)
      if (taken_[a] > 0) order.emplace_back(-taken_[a], a);
    std::sort(order.begin(), order.end());
    for (size_t i = 0; i < order.size(); ++i) out += fmt::format("{} {} in {:.0f} %", i == 0 ? "" : ",", arm_name(static_cast<ArmId>(order[i].second)), -100.0 * order[i].first / busy_);
    out += fmt::format(" of {} busy windows", busy_);
    if (predicted_ > 0) out += fmt::format("; by its own predictions at {:.0f} % of the cost of what ran", 100 * std::exp(gain_ / predicted_));
    if (replayed_ > 0) out += fmt::format("; by {} replays at {:.0f} %", replayed_, 100 * std::exp(replayed_gain_ / replayed_));
    return out + fmt::format("; {:.0f} % of these choices were really tried here, and only those could be held against it\n", 100.0 * tried_ / busy_);
  }

 private:
  void account(const WindowRecord& w) {
    ++busy_;
    const auto wanted = static_cast<size_t>(w.decision.arm), active = static_cast<size_t>(w.active);
    if (taken_.size() <= wanted) taken_.resize(wanted + 1);
    ++taken_[wanted];
    tried_ += wanted == active ? 1 : 0;
    if (wanted >= kChoosable || active >= kChoosable) return;
    if (w.decision.predicted) {
      gain_ += (*w.decision.predicted)[wanted] - (*w.decision.predicted)[active];
      ++predicted_;
    }
    if (w.replayed) {
      replayed_gain_ += (*w.replayed)[wanted] - (*w.replayed)[active];
      ++replayed_;
    }
  }

  int64_t start_ns_;
  bool every_window_, json_, shadow_;
  std::string last_;
  int windows_ = 0;
  std::vector<int> taken_;  // by arm
  int busy_ = 0, tried_ = 0, predicted_ = 0, replayed_ = 0;
  double gain_ = 0, replayed_gain_ = 0;  // sums of ln ratios
};

// The configuration, with what the command line says in its place.
Result<Config> configuration_of(const Options& options) {
  Config config;
  if (!options.config.empty()) {
    auto loaded = load_config(options.config);
    if (!loaded) return fail(loaded.error());
    config = std::move(*loaded);
  }
  if (options.controller) config.controller = *options.controller;
  if (config.controller.empty()) config.controller = "agent";
  if (options.model) config.model = *options.model;
  if (options.ledger) config.ledger = *options.ledger;
  if (options.guard_multiple) config.agent.guard.multiple = *options.guard_multiple;
  if (options.guard_reference_ms) config.agent.guard.reference_ns = static_cast<int64_t>(*options.guard_reference_ms * 1e6);
  config.agent.shadow = options.shadow;
  return config;
}

// The controller's whole text: a learned one is told its model and the arms that it may choose.
Result<std::string> controller_text_of(const Config& config, const Options& options) {
  std::string names;
  for (size_t arm = 0; arm < kChoosable; ++arm)
    if (config.agent.choosable[arm]) names += fmt::format("{}{}", names.empty() ? "" : "+", arms()[arm].name);
  std::string text = config.controller;
  const auto add = [&](const std::string& option) { text += (text.find(':') == std::string::npos ? ":" : ",") + option; };
  if (!is_learned(text)) return text;
  if (text.find("model=") == std::string::npos) {
    auto model = find_model(config.model, text);
    if (!model) return fail(model.error());
    if (auto bytes = load_model_bytes(*model, text); !bytes) return fail(bytes.error());
    auto trained = trained_objective(*model);
    if (!trained) return fail(trained.error());
    if (const std::string wanted = spell(config.objective); *trained != wanted)
      return fail(ErrorCode::kInvalidArgument, "{} was trained for {}, {} asks for {}: pointsman train --config {} --out FILE makes one for it", *model, *trained,
                  options.config.empty() ? "the default objective" : options.config, wanted, options.config.empty() ? "FILE" : options.config);
    text = with_model(text, *model);
  }
  // The rest of them are held back by the agent when they want another arm.
  const std::string kind = text.substr(0, text.find(':'));
  if (config.restricts_arms && (kind == "agent" || kind == "classifier" || kind == "experts") && text.find("arms=") == std::string::npos) add("arms=" + names);
  return text;
}

class Both : public Recorder {
 public:
  Both(Recorder& one, Recorder* other) : one_(one), other_(other) {}
  void on_window(const WindowRecord& window) override {
    one_.on_window(window);
    if (other_ != nullptr) other_->on_window(window);
  }

 private:
  Recorder& one_;
  Recorder* other_;
};

Result<std::unique_ptr<LedgerRecorder>> open_ledger_recorder(const Config& config, const std::string& controller, SchedulerHost& host, int64_t start_ns) {
  utsname system{};
  ::uname(&system);
  auto binary = hash_of_file("/proc/self/exe");
  if (!binary) return fail(binary.error());
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  LedgerRecorder::Options options;
  options.path = config.ledger;
  options.controller = controller;
  options.kernel = system.release;
  options.binary = *binary;
  options.details = nlohmann::json{{"host", system.nodename}, {"shadow", config.agent.shadow}, {"objective", spell(config.objective)}}.dump();
  options.started = static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
  options.start_ns = start_ns;
  return LedgerRecorder::open(std::move(options), host);
}

Result<Unit> run(const Options& options) {
  listen_to_signals();  // before the seconds that loading takes
  if (auto registered = register_arm_file(options.arm_file); !registered) return registered;
  auto config = configuration_of(options);
  if (!config) return fail(config.error());
  auto text = controller_text_of(*config, options);
  if (!text) return fail(text.error());
  const std::string& spec = *text;
  auto controller = make_controller(spec, options.seed);
  if (!controller) return fail(is_learned(spec) ? controller.error() : as_usage(controller.error()));
  SystemClock clock;
  std::unique_ptr<SchedulerHost> portfolio, host;
  if (options.shadow) {
    host = std::make_unique<ShadowHost>(options.sysfs);
  } else {
    KernelHost::Options host_options;
    host_options.sysfs = options.sysfs;
    host_options.procfs = options.procfs;
    auto opened = KernelHost::open(host_options, clock);
    if (!opened) return fail(opened.error().at("cannot swap schedulers here (pointsman doctor tells more; --shadow decides without swapping)"));
    portfolio = std::move(*opened);
    ExternalHost::Options external;
    external.sysfs = options.sysfs;
    external.folders = scheduler_folders();
    host = std::make_unique<ExternalHost>(*portfolio, clock, std::move(external));
  }
  auto sensor = MetricsSensor::open({.procfs = options.procfs, .bursts = (*controller)->wants_bursts()});
  if (!sensor) return fail(sensor.error());
  if (auto outranked = outrank_ordinary_tasks(); !outranked) return fail(outranked.error());

  Swapper swapper(*host, clock);
  PinFile pin(options.pin_path);
  const int64_t start_ns = clock.now_ns();
  Teller teller(start_ns, options.windows, options.json.emit().json, options.shadow);
  std::unique_ptr<LedgerRecorder> ledger;
  if (!config->ledger.empty()) {
    auto opened = open_ledger_recorder(*config, spec, *host, start_ns);
    if (!opened) return fail(opened.error());
    ledger = std::move(*opened);
  }
  Both recorders(teller, ledger.get());
  Agent agent(clock, **sensor, swapper, **controller, pin, recorders, config->agent);
  running = &agent;
  if (ended_by != 0) agent.stop();
  if (options.seconds > 0) {
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
  if (options.shadow) fmt::print(stderr, "{}", teller.would_have());
  if (!options.shadow && swapper.current() && *swapper.current() != kEevdf) {
    const Outcome outcome = swapper.swap(kEevdf);
    if (outcome.verdict != Outcome::Verdict::kConfirmed) return fail(ErrorCode::kIo, "the kernel did not go back to eevdf: {}", outcome.why);
  }
  // A service manager's SIGTERM and --seconds are ends as planned.
  if (ended_by == SIGINT) return fail(ErrorCode::kInterrupted, "interrupted; {}", options.shadow ? "nothing was swapped" : "the machine is on eevdf");
  return Unit{};
}

}  // namespace

void add_run(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  app.add_option("--config", options->config, "Configuration in TOML; what is given here besides outranks it").type_name("FILE");
  app.add_option("--arm-file", options->arm_file, "External arms of your own, in TOML (docs/arms.md), for --controller and pointsman pin").type_name("FILE");
  app.add_option("--controller", options->controller, "What decides; pointsman arms lists them (default: agent)");
  app.add_option("--model", options->model, "Model of a learned controller (default: models/default.pmm of the project)").type_name("FILE");
  app.add_option("--ledger", options->ledger, "Keep every window, decision and swap in this ledger").type_name("FILE");
  app.add_option("--seed", options->seed, "Seed of controllers that draw").capture_default_str();
  app.add_option("--seconds", options->seconds, "Stop after this long (default: never)");
  app.add_flag("--shadow", options->shadow, "Decide and tell, never swap; needs no sched_ext");
  app.add_flag("--windows", options->windows, "Tell every decision window, not only news");
  app.add_option("--guard-multiple", options->guard_multiple, "Leave an arm when short jobs wait this many times as long as under eevdf (p99; default: 10)").between(1.0, 1000.0);
  app.add_option("--guard-reference-ms", options->guard_reference_ms, "Their p99 wait under eevdf, until it has been measured (default: 25)").between(0.1, 10000.0);
  app.add_option("--pin-file", options->pin_path, "Where pointsman pin leaves its word").capture_default_str().type_name("FILE");
  app.add_option("--procfs", options->procfs, "Where /proc is").capture_default_str();
  app.add_option("--sysfs", options->sysfs, "Where /sys is").capture_default_str();
  options->json.add(app);
  app.footer(examples({{"pointsman run --shadow", "what would it do here? Nothing is swapped"}, {"pointsman run", "let it swap; Ctrl-C leaves the machine on eevdf"}, {"pointsman run --controller las --seconds 60", "one arm for a minute"}, {"pointsman run --controller scx_bpfland --seconds 60", "somebody else's scheduler, started, watched and stopped"}, {"pointsman run --config /etc/pointsman.toml --ledger /var/lib/pointsman/live.db", "as a service would"}}));
  app.callback([options, &exit_code] {
    if (auto done = run(*options); !done) exit_code = report_error(done.error());
  });
}

}  // namespace pointsman
