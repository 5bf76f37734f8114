// pointsman lab families, pointsman arms: what there is to run, and under what.
#include "cli/arm_file.h"
#include "cli/verb.h"
#include "lab/splits.h"
#include "learn/controllers.h"
#include "sched/arm.h"
#include "sched/external_arm.h"
#include "workload/scenario.h"

namespace pointsman {

void add_families(CommandLine& app, int& exit_code) {
  struct Options {
    std::string name;
    JsonOption json;
  };
  auto options = std::make_shared<Options>();
  app.add_option("family", options->name, "Tell this one's parameters");
  options->json.add(app);
  app.footer(examples({{"pointsman lab families", "all of them"}, {"pointsman lab families pareto", "what can be set, and within which limits"},
                       {"pointsman lab families random:7", "what the generator makes of 7"}}));
  app.callback([options, &exit_code] {
    Result<Unit> shown = Unit{};
    if (options->name.empty()) {
      report::Table table("Families of workloads", {{"family", "family"}, {"regime", "regime"}, {"split", "split"}, {"imitates", "imitates"}});
      for (const Family& family : families()) table.add({family.name, family.regime, is_held_out(family.name) ? "held out" : "known", family.imitates});
      table.add({"random:SEED", "random", "by SEED", "a workload that SEED draws from a grammar of arrivals, sizes, naps, fork trees, requests, barriers, frames and hogs"});
      shown = report::emit(table, options->json.emit());
    } else {
      auto family = find_family(options->name);
      if (!family) {
        exit_code = report_error(as_usage(family.error()));
        return;
      }
      using report::Quantity;
      report::Table table(fmt::format("{}: {}", options->name, (*family)->imitates), {{"parameter", "parameter"}, {"default", "default", Quantity::kNumber}, {"low", "least", Quantity::kNumber},
                                                                                  {"high", "most", Quantity::kNumber}, {"unit", "unit"}, {"meaning", "meaning"}});
      for (const ParameterSpec& p : (*family)->parameters) table.add({p.name, p.value, p.low, p.high, p.unit, p.meaning});
      shown = report::emit(table, options->json.emit());
    }
    if (!shown) exit_code = report_error(shown.error());
  });
}

namespace {

std::string kind_of(const Arm& arm) {
  if (arm.kind == ArmKind::kKernel) return "the kernel's own";
  if (arm.kind == ArmKind::kPolicy) return "policy";
  const ExternalArm& external = *external_arm(*find_arm(arm.name));
  return fmt::format("{}{}", external.warm() ? "object" : "program", find_file(external, scheduler_folders()) ? "" : ", not here");
}

}  // namespace

void add_arms(CommandLine& app, int& exit_code) {
  auto json = std::make_shared<JsonOption>();
  json->add(app);
  app.callback([json, &exit_code] {
    report::Table table("Arms, and the controllers that choose among them", {{"name", "name"}, {"kind", "kind"}, {"choosable", "choosable"}, {"summary", "what it is"}});
    for (const Arm& arm : arms()) table.add({arm.name, kind_of(arm), arm.choosable ? "yes" : "static rows only", arm.summary});
    table.add_rule();
    for (const ControllerKind& kind : controller_kinds()) table.add({kind.name, "controller", "", fmt::format("{} ({})", kind.summary, kind.options)});
    if (auto shown = report::emit(table, json->emit()); !shown) exit_code = report_error(shown.error());
  });
}

}  // namespace pointsman
