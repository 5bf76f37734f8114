// pointsman serve: the experiment server. Composes store, worker, queue and sockets; the worker is this same verb in another process.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <filesystem>

#include "base/file.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "cli/arm_file.h"
#include "cli/interrupt.h"
#include "cli/lab_options.h"
#include "cli/project.h"
#include "cli/server_option.h"
#include "cli/tree.h"
#include "cli/verb.h"
#include "http/host_rig.h"
#include "http/lab_rig.h"
#include "http/server.h"
#include "http/worker_process.h"
#include "metrics/catalogue.h"
#include "metrics/print.h"

namespace pointsman {

namespace {

namespace fs = std::filesystem;

struct Options {
  std::string listen = "127.0.0.1:8765", ledger = "/var/lib/pointsman/experiments.db", token_file, scenarios, traces, scratch, lock = "/run/pointsman/serve.lock";
  std::string procfs = "/proc", sysfs = "/sys";
  int queue = 16, most = 100'000;
  int64_t ledger_mb = 4096;
  double request_seconds = 30;
  ExperimentLimits limits;
  std::string backend = "host";
  LabOptions lab;
  bool worker = false, in_guest = false;
};

struct Address {
  std::string host;
  uint16_t port = 8765;
};

// "ADDRESS", "ADDRESS:PORT", "[ADDRESS]:PORT".
Result<Address> parse_address(const std::string& text) {
  const auto wrong = [&] { return fail(ErrorCode::kInvalidArgument, "--listen {}: must be ADDRESS or ADDRESS:PORT, an IPv6 address in brackets", text); };
  Address out{.host = text};
  size_t colon = text.rfind(':');
  if (text.starts_with('[')) {
    const size_t bracket = text.find(']');
    if (bracket == std::string::npos) return wrong();
    out.host = text.substr(1, bracket - 1);
    colon = bracket + 1 < text.size() ? bracket + 1 : std::string::npos;
  } else if (colon != std::string::npos) {
    out.host = text.substr(0, colon);
  }
  if (colon != std::string::npos) {
    const std::string digits = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return wrong();
  }
  if (out.host == "localhost") out.host = "127.0.0.1";
  return out;
}

// Held as long as the descriptor lives. Errors: kBusy, naming who holds it.
Result<UniqueFd> hold(const std::string& path, const std::string& what) {
  std::error_code ignored;
  fs::create_directories(fs::path(path).parent_path(), ignored);
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file) return fail_errno("lock " + path);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    auto holder = read_file(path);
    std::string who = holder ? holder->substr(0, holder->find('\n')) : "";
    return fail(ErrorCode::kBusy, "{}: another server{} has it ({})", what, who.empty() ? "" : ", process " + who + ",", path);
  }
  const std::string self = fmt::format("{}\n", ::getpid());
  if (::ftruncate(file.get(), 0) != 0 || ::pwrite(file.get(), self.data(), self.size(), 0) < 0) return fail_errno("lock " + path);
  return file;
}

Result<Catalogue> open_catalogue(const Options& options) {
  const std::string folder = options.scenarios.empty() ? find_in_project("scenarios") : options.scenarios;
  std::vector<std::string> files;
  if (!folder.empty()) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error))
      if (entry.path().extension() == ".toml") files.push_back(entry.path().string());
    if (error) return fail(ErrorCode::kNotFound, "scenarios {}: {}", folder, error.message());
  }
  std::sort(files.begin(), files.end());
  return Catalogue::open(files);
}

// What the worker must know to be the same server's.
std::vector<std::string> worker_command(const Options& o) {
  std::vector<std::string> words = {"/proc/self/exe", "serve", "--worker", "--backend", o.backend, "--qemu", o.lab.qemu, "--cpus", std::to_string(o.lab.cpus), "--memory", std::to_string(o.lab.memory_mb), "--ledger", o.ledger, "--max-seconds", fmt::format("{}", o.limits.seconds), "--procfs", o.procfs, "--sysfs", o.sysfs};
  if (!o.lab.kernel.empty()) words.insert(words.end(), {"--kernel", o.lab.kernel});
  if (!o.scenarios.empty()) words.insert(words.end(), {"--scenarios", o.scenarios});
  if (!o.scratch.empty()) words.insert(words.end(), {"--scratch", o.scratch});
  if (o.in_guest) words.emplace_back("--in-guest");
  return words;
}

std::atomic<bool> cancel_repeat{false};

Result<std::unique_ptr<Rig>> open_rig(const Options& options, const Catalogue& catalogue) {
  if (options.backend == "host")
    return HostRig::open({.guest = options.in_guest, .procfs = options.procfs, .sysfs = options.sysfs, .scratch_device = options.scratch, .ledger = options.ledger, .scheduler_folders = scheduler_folders(),
                          .limit_ns = static_cast<int64_t>(options.limits.seconds * 1e9)},
                         catalogue);
  auto bench = open_bench(options.lab);
  if (!bench) return fail(bench.error());
  return LabRig::open(std::move(bench->snapshot), std::move(bench->identities), {.kernel = bench->machine.kernel.release, .cpus = options.lab.cpus, .ledger = options.ledger, .cancel_fd = interrupt_fd()}, catalogue);
}

Result<Unit> run_worker(const Options& options) {
  ::prctl(PR_SET_NAME, "pointsman");  // what its tasks are called too; it was started as /proc/self/exe
  ::signal(SIGPIPE, SIG_IGN);  // a program that is gone before it was told to go on
  if (options.backend == "lab") {
    interrupt_fd();  // the machines watch it, and before there is a second thread
  } else {
    struct sigaction action {};
    action.sa_handler = [](int) { cancel_repeat = true; };
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGTERM, &action, nullptr);
  }
  auto catalogue = open_catalogue(options);
  if (!catalogue) return fail(catalogue.error());
  return serve_worker(kWorkerSocket, [&] { return open_rig(options, *catalogue); }, cancel_repeat);
}

int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

int64_t resident_bytes() {
  auto text = read_file("/proc/self/statm");
  if (!text) return 0;
  const size_t space = text->find(' ');
  return space == std::string::npos ? 0 : std::strtoll(text->c_str() + space, nullptr, 10) * ::sysconf(_SC_PAGESIZE);
}

// The machine's metrics between one scrape and the next.
class MachineMetrics {
 public:
  explicit MachineMetrics(const Options& options) : options_(options) {}
  std::string text() {
    if (!sampler_) {
      auto opened = Sampler::open({.roots = {.procfs = options_.procfs, .sysfs = options_.sysfs}, .probe_absent = "the worker has it"});
      if (!opened) return "";
      sampler_.emplace(std::move(*opened));
    }
    if (snapshots_.size() == 2) snapshots_.erase(snapshots_.begin());
    snapshots_.push_back(sampler_->tick());
    return to_prometheus(evaluate_metrics(snapshots_), snapshots_);
  }

 private:
  const Options& options_;
  std::optional<Sampler> sampler_;
  std::vector<Snapshot> snapshots_;
};

Result<Unit> serve(const Options& options) {
  auto address = parse_address(options.listen);
  if (!address) return fail(address.error());
  ApiOptions api_options;
  api_options.limits = options.limits;
  api_options.version = kVersion;
  if (!options.token_file.empty()) {
    auto token = read_token(options.token_file);
    if (!token) return fail(token.error());
    api_options.token = *token;
  } else if (!options.in_guest && !names_this_machine(address->host.find(':') == std::string::npos ? address->host : "[" + address->host + "]")) {
    return fail(ErrorCode::kInvalidArgument,
                "--listen {}: whoever reaches it could run programs as root: name a --token-file, or listen on 127.0.0.1 and use a tunnel (ssh -L)", options.listen);
  }
  auto catalogue = open_catalogue(options);
  if (!catalogue) return fail(catalogue.error());
  UniqueFd machine_lock;
  if (options.backend == "host") {
    auto machine = hold(options.lock, "one server a machine, since one experiment at a time");
    if (!machine) return fail(machine.error());
    machine_lock = std::move(*machine);
  }
  std::error_code ignored;
  fs::create_directories(fs::path(options.ledger).parent_path(), ignored);
  auto ledger_lock = hold(options.ledger + ".lock", "ledger " + options.ledger);
  if (!ledger_lock) return fail(ledger_lock.error());
  auto store = ExperimentStore::open(options.ledger, {.max_bytes = options.ledger_mb << 20});
  if (!store) return fail(store.error());
  const std::string traces = options.traces.empty() ? options.ledger + ".traces" : options.traces;
  fs::create_directories(traces, ignored);

  Events events;
  Loop loop;
  WorkerProcess worker(loop, {.command = worker_command(options)});
  Desk desk(*store, worker, events, {.queue = options.queue, .most = options.most, .trace_folder = traces, .now_ms = now_ms});
  MachineMetrics metrics(options);
  api_options.machine_metrics = [&] { return metrics.text(); };
  api_options.resident_bytes = resident_bytes;
  Api api(*catalogue, *store, desk, worker, events, std::move(api_options));
  ServerOptions server_options;
  server_options.address = address->host;
  server_options.port = address->port;
  server_options.request_ns = static_cast<int64_t>(options.request_seconds * 1e9);
  auto server = Server::open(loop, api, events, server_options);
  if (!server) return fail(server.error());
  if (auto recovered = desk.recover(); !recovered) return recovered;
  worker.start();
  const std::string shown = address->host.find(':') == std::string::npos ? address->host : "[" + address->host + "]";
  fmt::print("http://{}:{}\n", shown, (*server)->port());
  std::fflush(stdout);
  loop.on_end_signal([&](int) {
    (*server)->close();
    desk.close();
    loop.stop();
  });
  loop.run();
  return Unit{};
}

}  // namespace

void add_serve(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  Options& o = *options;
  app.add_option("--listen", o.listen, "Where; anything but this machine itself needs a --token-file").capture_default_str().type_name("ADDRESS[:PORT]");
  app.add_option("--backend", o.backend, "Where experiments run: on this machine (host), or each repeat as a fork of the exact lab (lab)").capture_default_str().one_of({"host", "lab"});
  app.add_option("--token-file", o.token_file, "File with a token; every request must carry it (Authorization: Bearer ...)").type_name("FILE");
  app.add_option("--ledger", o.ledger, "Queue and results, kept over restarts").capture_default_str().type_name("FILE");
  app.add_option("--ledger-mb", o.ledger_mb, "How large it may grow").capture_default_str().between(1, 1 << 20);
  app.add_option("--traces", o.traces, "Folder for traces (default: LEDGER.traces)").type_name("FOLDER");
  app.add_option("--scenarios", o.scenarios, "Folder whose *.toml are workloads too (default: the project's)").type_name("FOLDER");
  app.add_option("--scratch", o.scratch, "Device or file for workloads that read and write a disk; its content is lost").type_name("PATH");
  app.add_option("--queue", o.queue, "Experiments that may wait").capture_default_str().between(0, 10000);
  app.add_option("--keep", o.most, "Experiments that are kept; then no more are taken").capture_default_str().between(1, 100'000'000);
  app.add_option("--max-seconds", o.limits.seconds, "Longest repeat").capture_default_str().between(0.2, 600.0);
  app.add_option("--max-total-seconds", o.limits.total_seconds, "Longest experiment, all its repeats").capture_default_str().between(0.2, 1e6);
  app.add_option("--max-repeats", o.limits.repeats, "Most repeats of an experiment").capture_default_str().between(1, 10000);
  app.add_flag("--allow-exec", o.limits.allow_exec, "Run programs that clients name, as root");
  app.add_option("--request-seconds", o.request_seconds, "How long a client may take to send a request").capture_default_str().between(0.05, 3600.0);
  app.add_option("--lock", o.lock, "File by which a machine has one server").capture_default_str().type_name("FILE");
  app.add_option("--procfs", o.procfs, "Where /proc is").capture_default_str();
  app.add_option("--sysfs", o.sysfs, "Where /sys is").capture_default_str();
  o.lab.add(app);
  app.add_flag("--worker", o.worker, "").hidden();
  // In the lab's networked guest, whose one address only the host's own loopback leads to.
  app.add_flag("--in-guest", o.in_guest, "").hidden();
  app.footer(examples({{"pointsman serve", "on 127.0.0.1:8765; Ctrl-C ends it, the queue stays"},
                       {"pointsman serve --listen 0.0.0.0 --token-file /etc/pointsman/token", "for other machines"},
                       {"pointsman serve --backend lab --ledger lab.db", "no root needed: experiments are exact, in virtual machines"},
                       {"curl -s localhost:8765/v1/arms", "what can be had here"},
                       {"pointsman experiment run --workload pareto --arm eevdf --repeats 5", "from another terminal"}}));
  app.callback([options, &exit_code] {
    if (auto done = options->worker ? run_worker(*options) : serve(*options); !done) exit_code = report_error(done.error());
  });
}

}  // namespace pointsman
