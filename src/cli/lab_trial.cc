// pointsman lab trial: does this kernel load our scheduler? A kernel may have sched_ext and load nothing; only trying tells.
#include "cli/lab_options.h"
#include "cli/verb.h"
#include "sched/arm.h"

namespace pointsman {

namespace {

Result<Unit> run(const LabOptions& options, const std::vector<std::string>& arms, const JsonOption& json) {
  if (auto registered = options.register_arms(); !registered) return registered;
  for (const std::string& name : arms)
    if (auto arm = find_arm(name); !arm) return fail(as_usage(arm.error()));
  auto bench = open_bench(options, arms);
  if (!bench) return fail(bench.error());
  // The kernel's verifier takes half a minute of the guest's time over the largest of them.
  auto result = bench->snapshot.run({{"kind", "trial"}}, {}, {.virtual_ns = 600'000'000'000, .host_seconds = 1800});
  if (!result) return fail(result.error());
  auto rows = result->json("trial");
  if (!rows) return fail(rows.error());
  report::Table table(fmt::format("Linux {} loads our scheduler; every arm taken in turn on an idle machine", bench->machine.kernel.release), {{"arm", "arm"}, {"outcome", "outcome"}, {"call", "swap", report::Quantity::kSeconds}, {"detach", "detach", report::Quantity::kSeconds}, {"attach", "attach", report::Quantity::kSeconds}, {"ops", "root/ops"}});
  const auto seconds = [](const nlohmann::json& ns) { return ns.get<double>() < 0 ? report::Cell{} : report::Cell(ns.get<double>() / 1e9); };
  for (const auto& row : *rows) table.add({row.at("arm").get<std::string>(), row.at("outcome").get<std::string>(), seconds(row.at("call_ns")), seconds(row.at("detach_ns")), seconds(row.at("attach_ns")), row.at("ops").get<std::string>()});
  table.notes.push_back(fmt::format("boot to gate {:.1f} s, save {:.2f} s, fork {:.3f} CPU s for its start and this job", bench->snapshot.boot_seconds(), bench->snapshot.save_seconds(), result->cpu_seconds));
  return report::emit(table, json.emit());
}

}  // namespace

void add_lab_trial(CommandLine& app, int& exit_code) {
  struct Options {
    LabOptions lab;
    std::vector<std::string> arms;
    JsonOption json;
  };
  auto options = std::make_shared<Options>();
  options->lab.add(app);
  options->lab.add_arm_file(app);
  app.add_option("--arms", options->arms, "External arms to try as well").delimiter(',').type_name("NAME,...");
  options->json.add(app);
  app.footer(examples({{"pointsman lab trial --kernel /boot/vmlinuz-7.3.4", "before trusting a kernel"}, {"pointsman lab trial --arms scx_simple,scx_bpfland", "what cold swaps cost: every arm in turn"}}));
  app.callback([options, &exit_code] {
    if (auto done = run(options->lab, options->arms, options->json); !done) exit_code = report_error(done.error());
  });
}

}  // namespace pointsman
