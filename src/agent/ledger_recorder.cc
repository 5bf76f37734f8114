#include "agent/ledger_recorder.h"

#include <utility>

#include "base/hash.h"
#include "base/log.h"
#include "learn/dataset.h"
#include "learn/votes.h"

namespace pointsman {

namespace {

// A disk that does not take them for this long costs the oldest ones, not memory without end.
constexpr size_t kMostWaiting = 30;

std::string hash_of(const LedgerRun& piece) {
  Hash64 hash;
  for (const LedgerWindow& window : piece.windows) {
    hash.add(static_cast<uint64_t>(window.end_ns)).add(window.arm);
    hash.add({reinterpret_cast<const char*>(window.features.data()), window.features.size() * sizeof(float)});
  }
  for (const LedgerDecision& decision : piece.decisions) hash.add(decision.arm).add(decision.taken).add(decision.held_back);
  for (const LedgerSwap& swap : piece.swaps) hash.add(static_cast<uint64_t>(swap.at_ns)).add(swap.to).add(swap.outcome);
  return hash.hex();
}

}  // namespace

Result<std::unique_ptr<LedgerRecorder>> LedgerRecorder::open(Options options, SchedulerHost& host) {
  auto ledger = Ledger::open(options.path, {.max_bytes = options.max_bytes});
  if (!ledger) return fail(ledger.error());
  return std::unique_ptr<LedgerRecorder>(new LedgerRecorder(std::move(options), host, std::move(*ledger)));
}

LedgerRecorder::LedgerRecorder(Options options, SchedulerHost& host, Ledger ledger)
    : options_(std::move(options)),
      host_(host),
      piece_until_ns_(options_.start_ns + options_.piece_ns),
      ledger_(std::move(ledger)),
      writer_([this](const std::stop_token& stop) { write(stop); }) {}

LedgerRecorder::~LedgerRecorder() {
  complete_swap();
  hand_over();
  writer_.request_stop();
  writer_.join();
}

void LedgerRecorder::on_window(const WindowRecord& window) {
  complete_swap();
  if (window.end_ns >= piece_until_ns_) {
    hand_over();
    while (piece_until_ns_ <= window.end_ns) piece_until_ns_ += options_.piece_ns;
  }
  const int64_t at_ns = window.end_ns - options_.start_ns;
  piece_.windows.push_back({.end_ns = at_ns, .arm = std::string(arm_name(window.active)), .idle = window.idle, .features = {window.features.begin(), window.features.end()}});
  LedgerDecision decision{.at_ns = at_ns,
                          .arm = std::string(arm_name(window.decision.arm)),
                          .taken = std::string(arm_name(window.taken)),
                          .propensity = window.decision.propensity,
                          .why = window.decision.why,
                          .held_back = window.held_back};
  if (window.decision.predicted) decision.predicted.assign(window.decision.predicted->begin(), window.decision.predicted->end());
  if (window.decision.deviation) decision.deviation.assign(window.decision.deviation->begin(), window.decision.deviation->end());
  if (window.live_cost) decision.live_cost = *window.live_cost;
  if (window.replayed) decision.replayed.assign(window.replayed->begin(), window.replayed->end());
  if (!window.decision.votes.empty()) decision.votes = write_votes(window.decision.votes);
  piece_.decisions.push_back(std::move(decision));
  if (!window.outcome) return;
  const SwapTimes& times = window.outcome->times;
  piece_.swaps.push_back({.at_ns = at_ns,
                          .from = std::string(arm_name(window.active)),
                          .to = std::string(arm_name(window.taken)),
                          .outcome = name_of(window.outcome->verdict),
                          .detail = window.outcome->why,
                          .call_ns = times.call_ns,
                          .attach_ns = times.attach_ns,
                          .detach_ns = times.detach_ns});
  open_swap_ = piece_.swaps.size() - 1;
}

void LedgerRecorder::complete_swap() {
  if (!open_swap_) return;
  const SwapTimes times = host_.last_times();
  LedgerSwap& swap = piece_.swaps[*std::exchange(open_swap_, std::nullopt)];
  swap.first_dispatch_ns = times.first_dispatch_ns;
  swap.all_cpus_ns = times.all_cpus_ns;
  swap.longest_wait_ns = times.longest_wait_ns;
  swap.moved = times.moved;
}

void LedgerRecorder::hand_over() {
  if (piece_.windows.empty()) return;
  piece_.key.scenario = kLiveScenario;
  piece_.key.controller = options_.controller;
  piece_.key.seed = options_.started;
  piece_.key.draw = pieces_++;
  piece_.key.kernel = options_.kernel;
  piece_.key.binary = options_.binary;
  piece_.split = kLiveScenario;
  piece_.rejected = "a live machine: no plan of jobs, no costs";
  piece_.features_schema = feature_catalogue_hash();
  piece_.details = options_.details;
  piece_.results_hash = hash_of(piece_);
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::exchange(piece_, LedgerRun{}));
  if (waiting_.size() > kMostWaiting) {
    waiting_.pop_front();
    if (lost_++ == 0) log_warning("the ledger's disk is too slow for it: a piece of the ledger is lost");
  }
  changed_.notify_all();
}

void LedgerRecorder::write(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, stop, [&] { return !waiting_.empty(); });
    if (waiting_.empty()) return;  // asked to stop, and nothing is left
    const LedgerRun piece = std::move(waiting_.front());
    waiting_.pop_front();
    writing_ = true;
    lock.unlock();
    auto written = ledger_.append(piece);
    lock.lock();
    writing_ = false;
    if (!written && lost_++ == 0) log_warning("{}: what happened in the meantime is not recorded", written.error().message);
    changed_.notify_all();
  }
}

void LedgerRecorder::flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return waiting_.empty() && !writing_; });
}

int LedgerRecorder::lost_pieces() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

}  // namespace pointsman
