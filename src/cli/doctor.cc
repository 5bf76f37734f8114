// pointsman doctor: what this machine has and lacks, point by point, and what would help.
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "base/file.h"
#include "cli/verb.h"
#include "report/table.h"
#include "sched/priority.h"

namespace pointsman {

namespace {

struct Finding {
  std::string point;
  enum class State { kGood, kPartly, kMissing } state = State::kGood;
  std::string found;   // what was seen
  std::string matters; // what it is for, and what would provide it
};

const char* name_of(Finding::State state) {
  switch (state) {
    case Finding::State::kGood: return "good";
    case Finding::State::kPartly: return "partly";
    case Finding::State::kMissing: return "missing";
  }
  return "";
}

bool on_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::string rest = path ? path : "";
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
    const std::string folder = rest.substr(0, colon);
    if (::access((folder + "/" + program).c_str(), X_OK) == 0) return true;
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
  }
  return false;
}

std::string first_line(std::string text) {
  if (const size_t end = text.find('\n'); end != std::string::npos) text.resize(end);
  return text;
}

struct Roots {
  std::string procfs = "/proc", sysfs = "/sys";
};

std::vector<Finding> examine(const Roots& roots) {
  using State = Finding::State;
  std::vector<Finding> out;
  utsname name{};
  uname(&name);
  out.push_back({"kernel", State::kGood, name.release, ""});

  auto state = read_file(roots.sysfs + "/kernel/sched_ext/state");
  if (state) {
    auto ops = read_file(roots.sysfs + "/kernel/sched_ext/root/ops");
    const std::string attached = ops ? first_line(*ops) : "";
    out.push_back({"sched_ext", State::kGood, first_line(*state) + (attached.empty() ? "" : ", " + attached + " is attached"),
                   "A kernel may have it and still load nothing: pointsman run tries before it decides."});
  } else {
    out.push_back({"sched_ext", State::kMissing, "this kernel has no " + roots.sysfs + "/kernel/sched_ext",
                   "Swapping needs Linux 6.12 or later with CONFIG_SCHED_CLASS_EXT=y (trixie-backports' 7.3 has it). Without it: pointsman run --shadow, and the lab."});
  }
  const bool btf = ::access((roots.sysfs + "/kernel/btf/vmlinux").c_str(), R_OK) == 0;
  out.push_back({"BTF", btf ? State::kGood : State::kMissing, btf ? "/sys/kernel/btf/vmlinux" : "no type information",
                 btf ? "" : "The probe and the portfolio need CONFIG_DEBUG_INFO_BTF=y."});
  const bool root = ::geteuid() == 0;
  out.push_back({"rights", root ? State::kGood : State::kPartly, root ? "root" : "not root",
                 root ? "" : "Loading BPF programs and swapping need root; metrics work without, but for the probe."});
  auto pressure = read_file(roots.procfs + "/pressure/cpu");
  out.push_back({"PSI", pressure ? State::kGood : State::kPartly, pressure ? first_line(*pressure) : "no " + roots.procfs + "/pressure",
                 pressure ? "" : "Pressure metrics need CONFIG_PSI=y and, on some kernels, psi=1 on the command line."});
  auto schedstat = read_file(roots.procfs + "/schedstat");
  out.push_back({"schedstat", schedstat ? State::kGood : State::kPartly, schedstat ? "present" : "absent",
                 schedstat ? "" : "Exact run delay without BPF needs CONFIG_SCHEDSTATS=y; the probe measures it anyway."});
  const bool qemu = on_path("qemu-system-x86_64");
  out.push_back({"QEMU", qemu ? State::kGood : State::kMissing, qemu ? "qemu-system-x86_64" : "no qemu-system-x86_64 on the path",
                 qemu ? "" : "The lab needs it: scripts/setup, or the package qemu-system-x86."});
  struct statvfs shm {};
  const bool have_shm = statvfs("/dev/shm", &shm) == 0;
  const double free_gib = have_shm ? static_cast<double>(shm.f_bavail) * static_cast<double>(shm.f_frsize) / (1u << 30) : 0;
  out.push_back({"/dev/shm", free_gib >= 1.5 ? State::kGood : State::kMissing, fmt::format("{:.1f} GiB free", free_gib),
                 free_gib >= 1.5 ? "" : "The lab keeps the guest's memory there: 1 GiB, and up to 125 MiB for each fork."});
  if (std::filesystem::exists(kHasteRecord))
    out.push_back({"left behind", State::kPartly, kHasteRecord, "An agent swaps at this moment, or was killed while it did: the next pointsman run puts back what it had changed in the kernel."});
  return out;
}

}  // namespace

void add_doctor(CommandLine& app, int& exit_code) {
  struct Options {
    Roots roots;
    JsonOption json;
  };
  auto options = std::make_shared<Options>();
  options->json.add(app);
  app.add_option("--procfs", options->roots.procfs, "Where /proc is").capture_default_str();
  app.add_option("--sysfs", options->roots.sysfs, "Where /sys is").capture_default_str();
  app.footer(examples({{"pointsman doctor", "what can this machine do?"}}));
  app.callback([options, &exit_code] {
    report::Table table("", {{"point", "point"}, {"state", "state"}, {"found", "found"}, {"matters", "what it is for, what would help"}});
    for (const Finding& finding : examine(options->roots)) table.add({finding.point, std::string(name_of(finding.state)), finding.found, finding.matters});
    if (auto shown = report::emit(table, options->json.emit()); !shown) exit_code = report_error(shown.error());
  });
}

}  // namespace pointsman
