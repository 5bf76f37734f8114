#include <array>

#include "cli/verb.h"

namespace pointsman {

void add_arms(CLI::App& app, int& exit_code);
void add_completion(CLI::App& app, int& exit_code);
void add_demo(CLI::App& app, int& exit_code);
void add_doctor(CLI::App& app, int& exit_code);
void add_evaluate(CLI::App& app, int& exit_code);
void add_explain(CLI::App& app, int& exit_code);
void add_experiment_cancel(CLI::App& app, int& exit_code);
void add_experiment_list(CLI::App& app, int& exit_code);
void add_experiment_run(CLI::App& app, int& exit_code);
void add_experiment_show(CLI::App& app, int& exit_code);
void add_families(CLI::App& app, int& exit_code);
void add_lab_episode(CLI::App& app, int& exit_code);
void add_lab_matrix(CLI::App& app, int& exit_code);
void add_lab_remote(CLI::App& app, int& exit_code);
void add_lab_run(CLI::App& app, int& exit_code);
void add_lab_swap_bench(CLI::App& app, int& exit_code);
void add_lab_trial(CLI::App& app, int& exit_code);
void add_lab_verify(CLI::App& app, int& exit_code);
void add_man(CLI::App& app, int& exit_code);
void add_metrics(CLI::App& app, int& exit_code);
void add_pin(CLI::App& app, int& exit_code);
void add_run(CLI::App& app, int& exit_code);
void add_serve(CLI::App& app, int& exit_code);
void add_stress_set(CLI::App& app, int& exit_code);
void add_trace(CLI::App& app, int& exit_code);
void add_train(CLI::App& app, int& exit_code);
void add_variability(CLI::App& app, int& exit_code);

namespace {
constexpr std::array kVerbs = {
    Verb{"demo", "The main job: a changing workload under every scheduler and under the agent", add_demo},
    Verb{"run", "The agent on this machine", add_run},
    Verb{"pin", "Hold an arm, or release it", add_pin},
    Verb{"train", "Train the agent's model from a matrix", add_train},
    Verb{"evaluate", "Judge every controller on every split", add_evaluate},
    Verb{"explain", "One decision of a ledger, in words", add_explain},
    Verb{"doctor", "Explain what this machine has and lacks, point by point", add_doctor},
    Verb{"metrics", "What the kernel counts, live: 19 T_* features and more", add_metrics},
    Verb{"trace", "Every process: arrival, first run, completion, CPU time", add_trace},
    Verb{"variability", "What tables of measurements can show, and what is wrong with them", add_variability},
    Verb{"stress-set", "Draw a set of stress-ng's stressors by seed", add_stress_set},
    Verb{"serve", "The experiment server: runs workloads under arms for clients", add_serve},
    Verb{"experiment run", "Have a server run a workload under one or more arms", add_experiment_run},
    Verb{"experiment list", "List a server's experiments", add_experiment_list},
    Verb{"experiment show", "Show what came out of an experiment", add_experiment_show},
    Verb{"experiment cancel", "Cancel an experiment", add_experiment_cancel},
    Verb{"arms", "List the arms and the controllers", add_arms},
    Verb{"lab families", "List the families of workloads and their parameters", add_families},
    Verb{"lab matrix", "Run every family and seed under every arm", add_lab_matrix},
    Verb{"lab trial", "Does this kernel load our scheduler?", add_lab_trial},
    Verb{"lab verify", "Is the lab exact on this machine?", add_lab_verify},
    Verb{"lab remote", "The seed's case: an editor attached over ssh, under many arms", add_lab_remote},
    Verb{"lab run", "Run any program as the workload", add_lab_run},
    Verb{"lab swap-bench", "Measure what swaps cost", add_lab_swap_bench},
    Verb{"lab episode", "Run one scenario under one controller", add_lab_episode},
    Verb{"completion", "Print a completion script for a shell", add_completion},
    Verb{"man", "Print the manual page", add_man},
};
}  // namespace

std::span<const Verb> verbs() { return kVerbs; }

}  // namespace pointsman
