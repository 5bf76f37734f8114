// Remote training: the episode loop of a client whose model lives here while the work runs on a server: windows come in, an arm goes out, the next windows come in.
// A life is one workload under one seed, several experiments long: the first under the arm that every life begins with, then as many as there are steps, each under
// the arm that the policy draws from the windows of the experiment before. A cost is the ln ratio to the life's first experiment: the same jobs, another arm.
// Errors: those of the errand; kUnsupported (fewer than two arms to choose from), kNotFound (no such workload or arm), kIo (experiments fail one after the other).
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "http/client.h"
#include "learn/online_policy.h"
#include "sched/arm.h"

namespace pointsman {

struct RemoteTrainingOptions {
  std::vector<std::string> families{};  // empty: all of the server's that training may see
  std::vector<std::string> arms{};      // empty: all choosable ones that the server has
  double seconds = 2.2;                 // of arrivals in an experiment
  int lives = 0;                        // 0: four for each family
  int steps = 3;                        // decisions in a life
  int judged = 1;                       // seeds of `validation` for each family on which what was learned is judged at the end; 0: none
  OnlinePolicyOptions policy{};         // what it is offered is found out
};

// What a server has of that.
struct RemoteGround {
  std::string backend{}, kernel{};
  std::vector<std::string> families{};
  std::array<bool, kChoosable> offered{};
  ArmId first = kDefaultArm;
  int lives = 0;
  int experiments = 0;  // at most so many will be run
};
Result<RemoteGround> survey(const Client& client, const RemoteTrainingOptions& options);

// One experiment.
struct Trial {
  int number = 0, life = 0;  // from 1
  std::string family{};
  uint64_t seed = 0;
  ArmId arm = kDefaultArm;
  enum class Kind { kFirst, kDrawn, kJudged } kind = Kind::kFirst;
  double exploring = 0, propensity = 1;
  double slowdown = 0;  // geometric mean
  double cost = 0;      // ln ratio to the life's first experiment; 0 of that one
  std::string failure{};  // why it counts for nothing; empty: it counts
};
nlohmann::json to_json(const Trial& trial);

struct RemoteTrained {
  RemoteGround ground{};
  std::vector<Trial> trials{};
  OnlinePolicy policy;
  std::vector<std::string> notes{};
  bool interrupted = false;  // the client was cancelled: what was learned until then is here
};
Result<RemoteTrained> train_remotely(const Client& client, const RemoteTrainingOptions& options, const RemoteGround& ground, const std::function<void(const Trial&)>& on_trial);

}  // namespace pointsman
