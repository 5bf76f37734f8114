// pointsman lab run: any program as the workload, under any arm, measured by the probe.
#include <algorithm>

#include "cli/lab_options.h"
#include "cli/verb.h"
#include "lab/exec.h"
#include "sched/arm.h"
#include "workload/stress_set.h"

namespace pointsman {

namespace {

struct Options {
  LabOptions lab;
  std::string command, arm = "eevdf";
  std::vector<std::string> files;
  double limit_seconds = 600;
  JsonOption json;
};

Result<Unit> run(const Options& options, int& program_exit) {
  if (auto registered = options.lab.register_arms(); !registered) return registered;
  auto machine = options.lab.machine();
  if (!machine) return fail(machine.error());
  if (auto arm = find_arm(options.arm); !arm) return fail(ErrorCode::kInvalidArgument, "{}", arm.error().message);
  ExecOptions exec;
  exec.machine = *machine;
  auto arms = bring_arms_named(std::span(&options.arm, 1));
  if (!arms) return fail(arms.error());
  exec.boot = {.boot = boot_request(*arms), .cache_folder = default_cache_folder()};
  exec.command = options.command;
  exec.output_bytes = 1 << 20;
  exec.limits = {.virtual_ns = static_cast<int64_t>(options.limit_seconds * 1e9), .host_seconds = options.limit_seconds * 4 + 60};
  for (const std::string& text : options.files) {
    auto file = BroughtFile::parse(text);
    if (!file) return fail(file.error());
    exec.files.push_back(std::move(*file));
  }
  exec.files.insert(exec.files.end(), arms->files.begin(), arms->files.end());
  auto image = image_for(exec);
  if (!image) return fail(image.error());
  auto snapshot = GuestSnapshot::take(*machine, *image, exec.boot);
  if (!snapshot) return fail(snapshot.error());
  auto result = run_exec(*snapshot, exec, {{"arm", options.arm}});
  if (!result) return fail(result.error());
  auto probe = result->run.json("probe");
  if (!probe) return fail(probe.error());
  program_exit = result->exit_code;
  if (!options.json.emit().json) std::fwrite(result->error_output.data(), 1, result->error_output.size(), stderr);
  report::Table table(fmt::format("'{}' under {} on {} CPU{}", options.command, options.arm, machine->cpus, machine->cpus > 1 ? "s" : ""), {{"measure", "measure"}, {"value", "value", report::Quantity::kNumber, 3}});
  table.add({"wall_s", result->wall_seconds});
  table.add({"user_s", result->user_seconds});
  table.add({"system_s", result->system_seconds});
  for (const auto& [key, value] : probe->items())
    if (value.is_number()) table.add({key, value.get<double>()});
  table.notes.push_back(fmt::format("exit code {}, results {}, save {}", program_exit, result->run.results_hash, snapshot->identity()));
  const auto scheduler = std::find_if(result->run.frames.begin(), result->run.frames.end(), [](const Frame& frame) { return frame.type == "scheduler_output"; });
  const std::string said = scheduler == result->run.frames.end() ? "" : scheduler->payload;
  if (!result->distrust.empty()) table.notes.push_back("NOT TO BE COMPARED: " + result->distrust);
  const std::string doubt = censored(options.command);
  if (!doubt.empty()) table.notes.push_back("CENSORED: " + doubt);
  if (result->output_cut) table.notes.push_back("its output was cut");
  const nlohmann::json out = {{"command", options.command}, {"arm", options.arm},          {"exec", result->summary},           {"probe", *probe},
                              {"stdout", result->output},   {"stderr", result->error_output}, {"distrust", result->distrust}, {"censored", doubt}, {"results_hash", result->run.results_hash},
                              {"snapshot", snapshot->identity()},
                              {"scheduler_output", said}};
  return report::emit(result->output + table.text(), out, options.json.emit());
}

}  // namespace

void add_lab_run(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  options->lab.cpus = 1;
  options->lab.add(app);
  options->lab.add_arm_file(app);
  app.add_option("--exec", options->command, "Shell command to run; its program and libraries come along").required().type_name("COMMAND");
  app.add_option("--file", options->files, "File or folder to bring along, HOST or HOST:GUEST").type_name("FILE");
  app.add_option("--arm", options->arm, "Arm to run it under").capture_default_str();
  app.add_option("--seed", options->lab.machine_seed, "Seed of the guest's random numbers").capture_default_str();
  app.add_option("--limit", options->limit_seconds, "Virtual seconds after which it is given up").capture_default_str();
  options->json.add(app);
  app.footer(examples({{"pointsman lab run --exec 'stress-ng --cpu 2 --cpu-ops 200'", "a program of this host on one exact CPU"},
                       {"pointsman lab run --arm scx_bpfland --exec 'stress-ng --cpu 2 --cpu-ops 200'", "the same under a scheduler of somebody else's"},
                       {"pointsman lab run --arm las --file ./job.sh:/job.sh --exec 'sh /job.sh'", "your own script under las"}}));
  app.callback([options, &exit_code] {
    int program_exit = 0;
    auto done = run(*options, program_exit);
    if (!done) exit_code = report_error(done.error());
    else if (program_exit != 0) exit_code = kExitFailed;
  });
}

}  // namespace pointsman
