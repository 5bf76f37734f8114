#include "agent/agent.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "learn/live_cost.h"

namespace pointsman {

namespace {

constexpr size_t kTickRing = 4096;

int64_t resident_bytes() {
  auto text = read_file("/proc/self/statm");
  if (!text) return 0;
  const size_t space = text->find(' ');
  return std::atoll(text->c_str() + space) * sysconf(_SC_PAGESIZE);
}

// Where the controller's own choice is quarantined: of the arms that are not, the one of least predicted cost, if that is surely less than
// eevdf's, on which the guard has put the machine. nullopt: none, nothing is predicted, or two arms are quarantined already: then what
// waits does not wait because of an arm, and trying the rest in turn would only make it longer.
std::optional<ArmId> second_best(const Decision& d, const Guard& guard, const AgentOptions& options, int64_t moment_ns) {
  if (!d.predicted) return std::nullopt;
  int quarantined = 0;
  for (ArmId arm = 0; arm < kChoosable; ++arm) quarantined += guard.quarantined(arm, moment_ns) ? 1 : 0;
  if (quarantined > 1) return std::nullopt;
  std::optional<ArmId> best;
  for (ArmId arm = 0; arm < kChoosable; ++arm) {
    const auto a = static_cast<size_t>(arm);
    if (arm == kEevdf || !options.choosable[a] || guard.quarantined(arm, moment_ns)) continue;
    const double doubt = d.deviation ? (*d.deviation)[a] : 0;
    if ((*d.predicted)[a] + doubt > (*d.predicted)[kEevdf] - options.hysteresis) continue;
    if (!best || (*d.predicted)[a] < (*d.predicted)[static_cast<size_t>(*best)]) best = arm;
  }
  return best;
}

}  // namespace

Agent::Agent(Clock& clock, Sensor& sensor, Swapper& swapper, Controller& controller, PinSource& pin, Recorder& recorder,
             const AgentOptions& options)
    : clock_(clock),
      sensor_(sensor),
      swapper_(swapper),
      controller_(controller),
      pin_(pin),
      recorder_(recorder),
      options_(options),
      guard_(options.guard),
      replays_(options.replay) {
  tick_ns_.reserve(kTickRing);
}

Result<Unit> Agent::run() {
  cpu_at_start_ns_ = thread_cpu_ns();
  started_ns_ = asked_ns_ = clock_.now_ns();
  int64_t next_tick = started_ns_;
  while (!stopping_.load()) {
    int64_t due = next_tick;
    if (auto moment = controller_.next_moment_ns(asked_ns_ - started_ns_)) due = std::min(due, std::max(started_ns_ + *moment, asked_ns_));
    clock_.sleep_until_ns(due);
    if (stopping_.load()) break;
    const int64_t begin = clock_.now_ns();
    tick(due);
    const int64_t end = clock_.now_ns();
    if (tick_ns_.size() < kTickRing) tick_ns_.push_back(0);
    tick_ns_[static_cast<size_t>(ticks_) % kTickRing] = static_cast<uint32_t>(std::min<int64_t>(end - begin, UINT32_MAX));
    ++ticks_;
    if (due == next_tick) {
      next_tick += options_.tick_ns;
      // Late by more than a tick (a suspended machine, a debugger): the grid is kept, the missed ticks are counted, not made up for.
      while (next_tick <= end) {
        next_tick += options_.tick_ns;
        ++late_ticks_;
      }
    }
  }
  cpu_used_ns_ = thread_cpu_ns() - cpu_at_start_ns_;
  return Unit{};
}

void Agent::tick(int64_t moment_ns) {
  auto reading = sensor_.read();
  if (!reading) {
    go_blind(moment_ns, reading.error());
    return;
  }
  blind_since_ns_ = 0;
  if (!window_start_) {
    if (started_ns_ == 0) started_ns_ = asked_ns_ = moment_ns;
    window_start_ = cost_start_ = *reading;
    next_window_ns_ = moment_ns + options_.window_ns;
    next_cost_window_ns_ = moment_ns + options_.cost_window_ns;
    swapped_ns_ = moment_ns;
    record_if_wanted({.active = swapper_.current().value_or(kEevdf)});
    return;
  }
  busiest_cpu_ratio_ = std::max(busiest_cpu_ratio_, reading->busiest_cpu_ratio);
  const auto moment = controller_.next_moment_ns(asked_ns_ - started_ns_);
  const bool called = moment && moment_ns >= started_ns_ + *moment;
  if (moment_ns < next_window_ns_ && !called) return;
  std::optional<std::string> sentence;
  if (moment_ns >= next_cost_window_ns_) {
    sentence = guard_.judge(swapper_.current().value_or(kEevdf), swapped_ns_, *cost_start_, *reading);
    if (recording_since_ns_ && !look_back_from_) look_back_from_ = cost_start_->moment_ns;
    cost_start_ = *reading;
    while (next_cost_window_ns_ <= moment_ns) next_cost_window_ns_ += options_.cost_window_ns;
  }
  close_window(moment_ns, *reading, sentence);
  if (moment_ns >= next_window_ns_) {
    window_start_ = *reading;
    busiest_cpu_ratio_ = 0;
    while (next_window_ns_ <= moment_ns) next_window_ns_ += options_.window_ns;
  }
}

// Without eyes nothing can be guarded: after a second of it the machine goes back to eevdf. Told once.
void Agent::go_blind(int64_t moment_ns, const Error& why) {
  if (blind_since_ns_ == 0) {
    blind_since_ns_ = moment_ns;
    log_warning("no reading: {}", why.message);
  }
  if (moment_ns - blind_since_ns_ < kSecond || options_.shadow || swapper_.current().value_or(kEevdf) == kEevdf) return;
  const Outcome outcome = swapper_.swap(kEevdf);
  log_warning("blind for a second: back to eevdf: {} {}", name_of(outcome.verdict), outcome.why);
}

void Agent::close_window(int64_t moment_ns, const Reading& now, const std::optional<std::string>& sentence) {
  asked_ns_ = moment_ns;
  WindowRecord window;
  window.notice = swapper_.check();
  window.end_ns = moment_ns;
  window.active = swapper_.current().value_or(kEevdf);
  const WindowInput input{.before = window_start_->probe,
                          .after = now.probe,
                          .before_ns = window_start_->moment_ns,
                          .after_ns = now.moment_ns,
                          .cpus = sensor_.cpus()};
  window.idle = nearly_idle(input);
  window.features = features_of(input);
  window.p99_short_wait_ms = guard_.last_p99_ms();
  Context context{.since_start_ns = moment_ns - started_ns_,
                  .since_swap_ns = moment_ns - swapped_ns_,
                  .active = window.active,
                  .idle = window.idle,
                  .recording_since_ns = recording_since_ns_,
                  .features = window.features,
                  .busiest_cpu_ratio = busiest_cpu_ratio_};
  // In an idle window nobody listens: it is told at the next busy one.
  if (recording_since_ns_ && !window.idle) {
    context.cost_window_ended = look_back_from_.has_value();
    look_back(now, context);
    look_back_from_.reset();
  }
  hear_replay(context);
  window.live_cost = context.live_cost;
  window.replayed = context.replayed;
  window.decision = controller_.decide(context);
  window.taken = choose(window, sentence, moment_ns);
  if (window.taken != window.active && !options_.shadow) {
    window.outcome = swapper_.swap(window.taken);
    guard_.forget_strikes();
    if (window.outcome->verdict == Outcome::Verdict::kConfirmed) {
      ++swaps_;
      swapped_ns_ = moment_ns;
      // A slow average of what swaps cost here.
      int64_t& measured = measured_swap_ns(window.active, window.taken);
      measured += (window.outcome->times.call_ns - measured) / 4;
    }
  }
  context.active = swapper_.current().value_or(kEevdf);
  context.since_swap_ns = moment_ns - swapped_ns_;
  record_if_wanted(context);
  recorder_.on_window(window);
}

void Agent::record_if_wanted(const Context& context) {
  if (!controller_.wants_bursts() || cannot_record_) return;
  const bool wanted = controller_.wants_recording(context);
  if (wanted == recording_since_ns_.has_value()) return;
  recording_since_ns_.reset();
  if (!wanted) {
    sensor_.ignore_bursts();
    look_back_from_.reset();
    return;
  }
  if (auto started = sensor_.record_bursts(); started) {
    recording_since_ns_ = context.since_start_ns;
  } else {
    cannot_record_ = true;
    log_warning("{} goes without live costs and replays: {}", controller_.name(), started.error().message);
  }
}

// What the cost window that has just ended cost, when one arm had all of it; and what recent bursts would have cost under every arm is put in hand.
void Agent::look_back(const Reading& now, Context& context) {
  const auto replays_from = controller_.replays_from_ns(context);
  const bool wants_cost = look_back_from_ && controller_.wants_live_cost();
  if (!replays_from && !wants_cost) return;
  auto bursts = sensor_.recent_bursts(options_.replay_ns);
  if (!bursts) {
    log_warning("no bursts: {}", bursts.error().message);
    return;
  }
  // The first window is the first arm's from its first tick on.
  if (wants_cost && swapped_ns_ <= *look_back_from_ + options_.tick_ns) {
    const std::vector<RecordedBurst> recorded = recorded_bursts(*bursts, now.moment_ns - options_.replay_ns);
    if (const auto cost = live_cost(recorded, *look_back_from_, now.moment_ns)) context.live_cost = cost->log_turnaround;
  }
  if (!replays_from) return;
  std::vector<RecordedBurst> steady = recorded_bursts(*bursts, std::max(now.moment_ns - options_.replay_ns, started_ns_ + *replays_from));
  if (!steady.empty()) replays_.submit(std::move(steady), sensor_.cpus(), context.since_start_ns);
}

void Agent::hear_replay(Context& context) {
  auto answer = replays_.take();
  if (!answer) return;
  if (!answer->comparison) {
    log_warning("{}", answer->comparison.error().message);
    return;
  }
  context.replayed = answer->comparison->gain;
  context.replayed_deviation = answer->comparison->deviation;
  context.replayed_to_ns = answer->recorded_to_ns;
}

// The order of precedence: a foreign scheduler, a person, the guard, the controller held by dwell and cost.
ArmId Agent::choose(WindowRecord& window, const std::optional<std::string>& sentence, int64_t moment_ns) {
  const Pin pin = pin_.read();
  if (releases_seen_ && pin.releases != *releases_seen_) swapper_.release();
  releases_seen_ = pin.releases;
  if (!swapper_.current()) {
    const std::string& ops = swapper_.kernel().ops;
    window.held_back = ops.empty() ? "the kernel's state cannot be read" : fmt::format("{} is {}", ops, swapper_.kernel().ours ? name_of(swapper_.kernel().phase) : "attached and not ours");
    return window.active;
  }
  ArmId wanted = pin.arm.value_or(window.decision.arm);
  if (swapper_.vetoed()) {
    window.held_back = fmt::format("a person asked for the kernel's scheduler ({}); pointsman pin --release ends it", swapper_.veto());
    return window.active;
  }
  if (pin.arm) {
    if (wanted != window.decision.arm) window.held_back = "pinned by a person";
    return wanted;
  }
  if (sentence) {
    window.held_back = *sentence;
    return kEevdf;
  }
  if (wanted != window.active && guard_.quarantined(wanted, moment_ns)) {
    window.held_back = fmt::format("{} is quarantined by the guard", arm_name(wanted));
    const std::optional<ArmId> next = controller_.literal() ? std::nullopt : second_best(window.decision, guard_, options_, moment_ns);
    if (!next) return window.active;
    window.held_back += fmt::format("; {} is the best of the others", arm_name(*next));
    wanted = *next;
  }
  if (wanted == window.active) return wanted;
  if (wanted < kChoosable && !options_.choosable[static_cast<size_t>(wanted)]) {
    window.held_back = fmt::format("{} is not among the arms that may be chosen", arm_name(wanted));
    return window.active;
  }
  if (std::string objection = swapper_.objection(wanted); !objection.empty()) {
    window.held_back = std::move(objection);
    return window.active;
  }
  if (controller_.literal()) return wanted;
  if (moment_ns - swapped_ns_ < options_.least_dwell_ns) {
    window.held_back = "dwell: the last swap was too recent";
    return window.active;
  }
  if (window.decision.predicted && window.active < kChoosable && wanted < kChoosable) {
    const auto& predicted = *window.decision.predicted;
    const double gain = predicted[static_cast<size_t>(window.active)] - predicted[static_cast<size_t>(wanted)];
    const auto cost = static_cast<double>(measured_swap_ns(window.active, wanted));
    if (gain < options_.hysteresis) {
      window.held_back = fmt::format("hysteresis: a gain of {:.3f} is too small", gain);
      return window.active;
    }
    if (gain * static_cast<double>(options_.expected_dwell_ns) < cost) {
      window.held_back = fmt::format("the swap would cost {:.0f} ms, more than it brings", cost / 1e6);
      return window.active;
    }
  }
  return wanted;
}

// Hot when both are ours, warm when eevdf is one side; each external arm has a cost of its own, whose first guess is a second.
int64_t& Agent::measured_swap_ns(ArmId from, ArmId to) {
  for (const ArmId arm : {to, from}) {
    if (arms()[static_cast<size_t>(arm)].kind == ArmKind::kExternal) return external_swap_ns_.try_emplace(arm, kSecond).first->second;
  }
  return measured_swap_ns_[from == kEevdf || to == kEevdf];
}

AgentCost Agent::cost() const {
  AgentCost cost;
  cost.cpu_ns = cpu_used_ns_ + replays_.cpu_ns();
  cost.elapsed_ns = clock_.now_ns() - started_ns_;
  cost.ticks = ticks_;
  cost.late_ticks = late_ticks_;
  cost.rss_bytes = resident_bytes();
  if (!tick_ns_.empty()) {
    std::vector<uint32_t> sorted = tick_ns_;
    std::sort(sorted.begin(), sorted.end());
    cost.tick_p50_ns = sorted[sorted.size() / 2];
    cost.tick_p99_ns = sorted[std::min(sorted.size() - 1, sorted.size() * 99 / 100)];
    cost.tick_max_ns = sorted.back();
  }
  return cost;
}

}  // namespace pointsman
