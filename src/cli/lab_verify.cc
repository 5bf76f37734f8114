// pointsman lab verify: is the lab exact on this machine? Compared to the bit, not assumed.
#include "lab/verify.h"

#include <unistd.h>

#include "cli/lab_options.h"
#include "cli/verb.h"

namespace pointsman {

namespace {

Result<Unit> run(const LabOptions& lab, const JsonOption& json, bool& exact) {
  auto machine = lab.machine();
  if (!machine) return fail(machine.error());
  ImageOptions contents;
  contents.kernel = machine->kernel;
  auto image = Image::build(contents);
  if (!image) return fail(image.error());
  VerifyOptions options;
  options.machine = *machine;
  options.boot.boot = {{"stage", true}};
  if (::isatty(STDERR_FILENO)) options.on_step = [](const std::string& what) { fmt::print(stderr, "\r\33[K{} ...", what); };
  auto report_of = verify(options, *image);
  if (::isatty(STDERR_FILENO)) fmt::print(stderr, "\r\33[K");
  if (!report_of) return fail(report_of.error());
  exact = report_of->exact();
  using report::Quantity;
  report::Table table("The same job, run again: every bit of its results", {{"what", "run"}, {"group", "must agree within"}, {"busy_host", "busy host"}, {"hash", "results"}, {"identity", "save"},
                                                                        {"selftest", "self-test"}, {"host_seconds", "host", Quantity::kSeconds}, {"cpu_seconds", "CPU", Quantity::kSeconds}});
  for (const VerifyRow& row : report_of->rows)
    table.add({row.what, row.group, row.busy_host ? "yes" : "no", row.hash, row.identity, row.self_test_good ? "good" : "FAILED", row.host_seconds, row.cpu_seconds});
  table.notes.push_back(exact ? "exact: all agree" : "NOT EXACT: results of this machine must not be compared");
  table.notes.push_back(fmt::format("boot to gate {:.1f} s, save {:.2f} s, restore {:.3f} CPU s; QEMU {}", report_of->boot_seconds, report_of->save_seconds, report_of->restore_cpu_seconds, report_of->qemu_version));
  if (json.emit().json) return report::emit(table.text(), report_of->json(), json.emit());
  return report::emit(table);
}

}  // namespace

void add_lab_verify(CommandLine& app, int& exit_code) {
  struct Options {
    LabOptions lab;
    JsonOption json;
  };
  auto options = std::make_shared<Options>();
  options->lab.add(app);
  options->json.add(app);
  app.footer(examples({{"pointsman lab verify", "before trusting any result of this machine"}}));
  app.callback([options, &exit_code] {
    bool exact = false;
    auto done = run(options->lab, options->json, exact);
    if (!done) exit_code = report_error(done.error());
    else if (!exact) exit_code = kExitFailed;
  });
}

}  // namespace pointsman
