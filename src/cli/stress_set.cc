// pointsman stress-set: a random set of stress-ng's stressors as a command line, for the lab and for a host.
#include "workload/stress_set.h"

#include <fmt/format.h>

#include "cli/verb.h"

namespace pointsman {

void add_stress_set(CommandLine& app, int& exit_code) {
  struct Options {
    StressSetOptions set;
    JsonOption json;
  };
  auto options = std::make_shared<Options>();
  app.add_option("stressors", options->set.named, "These instead of drawn ones: NAME, NAME:INSTANCES or NAME:INSTANCES:OPS").type_name("NAME...");
  app.add_option("--seed", options->set.seed, "Which set").capture_default_str();
  app.add_option("--kinds", options->set.kinds, "Different stressors in it").capture_default_str();
  app.add_option("--most", options->set.most_instances, "Most instances of each").capture_default_str();
  app.add_option("--cpu-seconds", options->set.cpu_seconds, "What one instance needs, to the order of magnitude").capture_default_str();
  app.add_option("--timeout", options->set.timeout_s, "End after so many seconds instead of fixed work: censored, as in the seed's experiments");
  options->json.add(app);
  app.footer(examples({{"pointsman lab run --arm hyb --exec \"$(pointsman stress-set --seed 3)\"", "one set in the exact lab"},
                       {"pointsman trace -- $(pointsman stress-set --seed 3)", "the same on this host"},
                       {"pointsman stress-set cpu:2 pipe:1:100000", "a set of your own"}}));
  app.callback([options, &exit_code] {
    auto set = draw_stress_set(options->set);
    if (!set) {
      exit_code = report_error(set.error());
      return;
    }
    const std::vector<std::string> words = command_of(*set, options->set);
    const std::string command = fmt::format("{}", fmt::join(words, " "));
    nlohmann::json stressors = nlohmann::json::array();
    for (const Stressor& s : *set) stressors.push_back({{"name", s.name}, {"instances", s.instances}, {"ops", s.ops}});
    const std::string doubt = censored(command);
    if (!doubt.empty() && !options->json.emit().json) fmt::print(stderr, "pointsman: note: {}\n", doubt);
    if (auto shown = report::emit(command + "\n", {{"command", words}, {"stressors", stressors}, {"censored", doubt}}, options->json.emit()); !shown) exit_code = report_error(shown.error());
  });
}

}  // namespace pointsman
