// Episode: one scenario, one seed, one controller, run in the guest by the same agent loop that runs on a host. Both sides of the serial line are here:
// the request as the host writes it, the job that the guest runs, and the result as the host reads it.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "agent/metrics_sensor.h"
#include "base/result.h"
#include "lab/disturbance.h"
#include "lab/guest.h"
#include "lab/snapshot.h"
#include "learn/cost.h"
#include "learn/overruled.h"
#include "sched/external_host.h"
#include "sched/kernel_host.h"
#include "store/run.h"
#include "workload/runner.h"
#include "workload/scenario.h"

namespace pointsman {

// Where the guest finds the model that the host sent along: "classifier:model=/run/model".
inline constexpr const char* kGuestModelPath = "/run/model";

struct EpisodeRequest {
  Scenario scenario;
  uint64_t seed = 1;
  int draw = 0;               // settles for another 0..5 s before the start: the same plan from another state of the machine
  int cpus = 4;
  std::string controller;     // as make_controller() takes it: "las", "random", "classifier"
  bool guard = false;         // the agent's guard; off for baselines, which are obeyed to the letter
  std::optional<Overruling> overruling{};  // the counterfactual of a decision (lab/counterfactual.h)
  std::vector<Disturbance> disturbances{};
};
nlohmann::json to_json(const EpisodeRequest& request);
Result<EpisodeRequest> episode_request_from(const nlohmann::json& value);

// One decision window as it comes out of the guest; times from the plan's start.
struct WindowRow {
  int64_t end_ns = 0;
  ArmId active = kEevdf, wanted = kEevdf, taken = kEevdf;
  bool idle = false;
  FeatureVector features{};
  double p99_short_wait_ms = 0;
  double propensity = 1;
  std::string why, held_back;
  std::optional<std::array<double, kChoosable>> predicted, deviation;
  std::optional<double> live_cost;  // what the controller was told
  std::optional<std::array<double, kChoosable>> replayed;
  std::string votes;  // JSON (learn/votes.h); empty: none
  std::string swap;  // "confirmed", "refused: ...", "ejected: ..."; empty when none was tried
  SwapTimes swap_times;
};

struct EpisodeResult {
  Plan plan;
  std::vector<JobRecord> jobs;
  std::vector<WindowRow> windows;
  AgentCost agent;
  nlohmann::json portfolio;  // its own counts: wake-ups that took a CPU, tasks moved by flips, rescued, aged
  int64_t makespan_ns = 0, dispatch_lag_p99_ns = 0;
  SwapTimes first_swap;    // to the arm it began with, before the plan's start
  std::string final_ops;   // what the kernel said was attached at the end; empty: eevdf
  nlohmann::json disturbances = nlohmann::json::array();  // what became of them, as Disturbers::finish() tells
  std::string distrust;    // why this run must not be averaged (self-test, dispatcher's lag, unfinished jobs); empty: none
  std::string results_hash;
  double host_seconds = 0, cpu_seconds = 0, virtual_seconds = 0;

  [[nodiscard]] std::vector<JobOutcome> outcomes() const;
  [[nodiscard]] Costs costs() const;                 // over all jobs
  [[nodiscard]] std::vector<Costs> phase_costs() const;  // by phase of arrival
  [[nodiscard]] int swaps() const;
};

// Guest side. Loaded once, before the snapshot, because the verifier's time is virtual time.
class EpisodeStage {
 public:
  // The catalogue of arms must be whole (lab/brought_arms.h).
  static Result<EpisodeStage> open();
  Result<Unit> run(const nlohmann::json& request, FrameWriter& out);
  // Attaches every arm once and reads it back: can this kernel do it? Sends "trial".
  Result<Unit> trial(FrameWriter& out);
  // How many instructions the verifier walked through for each of our programs. Sends "verified".
  Result<Unit> verified(FrameWriter& out) const;
  // Around a user's program: takes request["arm"] and reads the probe; afterwards sends "probe", what it saw of the program's time, and lets go of the arm.
  Result<Unit> begin_exec(const nlohmann::json& request);
  Result<Unit> end_exec(FrameWriter& out);

 private:
  EpisodeStage(std::unique_ptr<SystemClock> clock, std::unique_ptr<KernelHost> portfolio, std::unique_ptr<ExternalHost> host, std::unique_ptr<MetricsSensor> sensor)
      : clock_(std::move(clock)), portfolio_(std::move(portfolio)), host_(std::move(host)), sensor_(std::move(sensor)) {}
  std::unique_ptr<SystemClock> clock_;
  std::unique_ptr<KernelHost> portfolio_;
  std::unique_ptr<ExternalHost> host_;  // all arms
  std::unique_ptr<MetricsSensor> sensor_;
  std::unique_ptr<Swapper> exec_swapper_;
  ArmId exec_arm_ = kEevdf;
  Reading exec_begin_;
};

// Host side. Errors: those of GuestSnapshot::run, kCorrupt when the guest's plan is not the host's.
Result<EpisodeResult> run_episode(const GuestSnapshot& snapshot, const EpisodeRequest& request, std::string_view model);

}  // namespace pointsman
