// pointsman lab serve: the experiment server inside a virtual machine of its own, driven from this host.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "cli/interrupt.h"
#include "cli/lab_options.h"
#include "cli/project.h"
#include "cli/server_option.h"
#include "cli/verb.h"
#include "http/client.h"
#include "lab/networked.h"

namespace pointsman {

namespace {

struct Options {
  LabOptions lab;
  int port = 8765;
  std::string token_file, accelerator = "auto";
  std::vector<std::string> files, arms;
  bool allow_exec = false, pin = false;
  double max_seconds = 120;
  int max_repeats = 100;
};

constexpr const char* kGuestScenarios = "/scenarios";

// Says where the server is as soon as it answers.
void announce(std::stop_token stop, uint16_t port) {
  const Client client({.host = "127.0.0.1", .port = port}, {.answer_ns = 2 * kSecond});
  while (!stop.stop_requested()) {
    auto reply = client.ask({.target = "/v1/healthz"});
    if (reply && reply->status == 200) {
      if (::isatty(STDERR_FILENO)) fmt::print(stderr, "\33[K");
      fmt::print("http://127.0.0.1:{}\n", port);
      std::fflush(stdout);
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

Result<Unit> run(const Options& options) {
  for (const std::string& name : options.arms)
    if (auto arm = find_arm(name); !arm) return fail(as_usage(arm.error()));
  const bool kvm = options.accelerator == "kvm" || (options.accelerator == "auto" && has_kvm());
  if (options.accelerator == "kvm" && !has_kvm()) return fail(ErrorCode::kUnsupported, "--accelerator kvm: this host has no /dev/kvm, or its processors no virtualisation");
  NetworkedGuest::Options guest;
  auto machine = options.lab.machine();
  if (!machine) return fail(machine.error());
  guest.machine = std::move(*machine);
  auto port = free_port(static_cast<uint16_t>(options.port));
  if (!port) return fail(port.error());
  guest.machine.networked = Networked{.port = *port, .kvm = kvm};
  guest.pinned = options.pin;
  guest.words = {"/bin/pointsman", "serve", "--in-guest", "--listen", fmt::format("{}:{}", kGuestAddress, kGuestPort), "--max-seconds", fmt::format("{}", options.max_seconds), "--max-repeats", std::to_string(options.max_repeats), "--scratch", "/dev/nullb0"};
  if (options.allow_exec) guest.words.emplace_back("--allow-exec");
  if (!options.token_file.empty()) {
    auto token = read_token(options.token_file);
    if (!token) return fail(token.error());
    guest.token = *token;
    guest.words.insert(guest.words.end(), {"--token-file", NetworkedGuest::kTokenPath});
  }
  ImageOptions contents;
  contents.kernel = guest.machine.kernel;
  contents.modules = network_modules();
  for (const std::string& text : options.files) {
    auto file = BroughtFile::parse(text);
    if (!file) return fail(file.error());
    contents.files.push_back(std::move(*file));
  }
  if (const std::string scenarios = find_in_project("scenarios"); !scenarios.empty()) {
    contents.files.push_back({.host = scenarios, .guest = kGuestScenarios});
    guest.words.insert(guest.words.end(), {"--scenarios", kGuestScenarios});
  }
  auto arms = bring_arms_named(options.arms);
  if (!arms) return fail(arms.error());
  // Where the server looks for them in any case: the folder of programs.
  for (BroughtFile& file : arms->files) file.guest = "/bin/" + std::filesystem::path(file.host).filename().string();
  contents.files.insert(contents.files.end(), arms->files.begin(), arms->files.end());
  auto image = Image::build(contents);
  if (!image) return fail(image.error());
  if (::isatty(STDERR_FILENO)) fmt::print(stderr, "booting Linux {}, {} ...\r", guest.machine.kernel.release, kvm ? "virtualised" : "emulated");
  auto started = NetworkedGuest::start(guest, *image);
  if (!started) return fail(started.error());
  std::jthread announcer([port = *port](std::stop_token stop) { announce(stop, port); });
  auto ended = started->wait();
  // Ctrl-C is how it ends.
  if (!ended && ended.error().code == ErrorCode::kInterrupted) return Unit{};
  return ended;
}

}  // namespace

void add_lab_serve(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  options->lab.cpus = std::clamp(static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)), 1, 4);
  options->lab.add(app);
  app.add_option("--port", options->port, "Of 127.0.0.1, where the server is then (0: any)").capture_default_str().between(0, 65535);
  app.add_option("--accelerator", options->accelerator, "kvm, tcg (emulated), or auto: kvm where it can be had").capture_default_str().one_of({"auto", "kvm", "tcg"});
  app.add_flag("--pin", options->pin, "Pin each virtual CPU to a CPU of this host");
  app.add_option("--arms", options->arms, "External arms that come along").delimiter(',').type_name("NAME,...");
  app.add_option("--file", options->files, "File or folder to bring along, HOST or HOST:GUEST; programs bring their libraries").type_name("FILE");
  app.add_flag("--allow-exec", options->allow_exec, "Let clients name programs of the guest");
  app.add_option("--token-file", options->token_file, "File with a token; every request must carry it").type_name("FILE");
  app.add_option("--max-seconds", options->max_seconds, "Longest repeat").capture_default_str().between(0.2, 600.0);
  app.add_option("--max-repeats", options->max_repeats, "Most repeats of an experiment").capture_default_str().between(1, 10000);
  app.footer(examples({{"pointsman lab serve", "until Ctrl-C: a virtual machine with all arms, at http://127.0.0.1:8765"},
                       {"pointsman experiment run --workload pareto --arm eevdf,las --repeats 20", "from another terminal"},
                       {"pointsman lab serve --allow-exec --file /usr/bin/stress-ng", "a program of this host comes along"}}));
  app.callback([options, &exit_code] {
    if (auto done = run(*options); !done) exit_code = report_error(done.error());
  });
}

}  // namespace pointsman
