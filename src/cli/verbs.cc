#include <array>

#include "cli/verb.h"

namespace pointsman {

void add_arms(CommandLine& app, int& exit_code);
void add_completion(CommandLine& app, int& exit_code);
void add_convert(CommandLine& app, int& exit_code);
void add_demo(CommandLine& app, int& exit_code);
void add_doctor(CommandLine& app, int& exit_code);
void add_evaluate(CommandLine& app, int& exit_code);
void add_explain(CommandLine& app, int& exit_code);
void add_experiment_cancel(CommandLine& app, int& exit_code);
void add_experiment_list(CommandLine& app, int& exit_code);
void add_experiment_run(CommandLine& app, int& exit_code);
void add_experiment_show(CommandLine& app, int& exit_code);
void add_families(CommandLine& app, int& exit_code);
void add_lab_episode(CommandLine& app, int& exit_code);
void add_lab_matrix(CommandLine& app, int& exit_code);
void add_lab_remote(CommandLine& app, int& exit_code);
void add_lab_run(CommandLine& app, int& exit_code);
void add_lab_serve(CommandLine& app, int& exit_code);
void add_lab_swap_bench(CommandLine& app, int& exit_code);
void add_lab_trial(CommandLine& app, int& exit_code);
void add_lab_verify(CommandLine& app, int& exit_code);
void add_man(CommandLine& app, int& exit_code);
void add_metrics(CommandLine& app, int& exit_code);
void add_pin(CommandLine& app, int& exit_code);
void add_run(CommandLine& app, int& exit_code);
void add_serve(CommandLine& app, int& exit_code);
void add_stress_set(CommandLine& app, int& exit_code);
void add_trace(CommandLine& app, int& exit_code);
void add_train(CommandLine& app, int& exit_code);
void add_variability(CommandLine& app, int& exit_code);

namespace {
constexpr std::array kVerbs = {
    Verb{"demo", "The main job: a changing workload under every scheduler and under the agent", add_demo},
    Verb{"run", "The agent on this machine", add_run},
    Verb{"pin", "Hold an arm, or release it", add_pin},
    Verb{"train", "Train the agent's model from a matrix", add_train},
    Verb{"convert", "A model as ONNX, and back", add_convert},
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
    Verb{"lab serve", "The experiment server in a virtual machine with a network", add_lab_serve},
    Verb{"lab swap-bench", "Measure what swaps cost", add_lab_swap_bench},
    Verb{"lab episode", "Run one scenario under one controller", add_lab_episode},
    Verb{"completion", "Print a completion script for a shell", add_completion},
    Verb{"man", "Print the manual page", add_man},
};
}  // namespace

std::span<const Verb> verbs() { return kVerbs; }

}  // namespace pointsman
