// pointsman serve and pointsman experiment as people use them: real processes, real workloads, kill -9.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "http/client.h"
#include "tests/run_binary.h"

namespace pointsman {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kLong = R"({"workload": {"name": "underload", "seconds": 100}, "arm": "eevdf"})";
constexpr const char* kNothing = R"({"workload": "nothing", "arm": "eevdf"})";

// The binary as a server in the background.
class Running {
 public:
  Running(const std::string& folder, const std::vector<std::string>& more) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    UniqueFd out(ends[0]);
    std::vector<std::string> words = {POINTSMAN_BINARY, "serve", "--listen", "127.0.0.1:0", "--ledger", folder + "/l.db", "--lock", folder + "/lock"};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], 1);
      ::execv(pointers[0], pointers.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    char c = 0;
    while (::read(out.get(), &c, 1) == 1 && c != '\n') url_ += c;
  }
  ~Running() { end(SIGKILL); }
  int end(int signal) {
    if (pid_ <= 0) return -1;
    ::kill(pid_, signal);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] Client client(const std::string& token = "") const {
    auto url = ServerUrl::parse(url_);
    EXPECT_TRUE(url) << url_;
    return Client(url ? *url : ServerUrl{}, {.token = token});
  }

 private:
  pid_t pid_ = -1;
  std::string url_;
};

class Serve : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  static Client::Request post(const std::string& body) { return {.method = "POST", .target = "/v1/experiments", .body = body, .headers = {{"Content-Type", "application/json"}}}; }
  // Waits until the rig is open; what /v1/arms says then.
  static json arms_of(const Running& server) {
    for (;;) {
      auto reply = server.client().ask({.target = "/v1/arms"});
      if (reply && reply->status == 200) return json::parse(reply->body);
      if (!reply) return {};
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  static json state_of(const Running& server, int64_t id) {
    auto found = server.client().ask_json({.target = fmt::format("/v1/experiments/{}", id)});
    EXPECT_TRUE(found) << found.error().message;
    return found ? *found : json::object();
  }
  static json wait_for_end(const Running& server, int64_t id) {
    auto ended = server.client().stream(fmt::format("/v1/experiments/{}/events", id), "", [](const Client::StreamEvent&) { return true; });
    EXPECT_TRUE(ended && *ended) << (ended ? "" : ended.error().message);
    return state_of(server, id);
  }
  // Processes that were started for this folder: the server, its worker, and the tasks of a workload, which share the worker's memory and so its command line.
  [[nodiscard]] std::vector<pid_t> processes() const {
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::ifstream file(entry.path() / "cmdline");
      const std::string line{std::istreambuf_iterator<char>(file), {}};
      if (line.find(folder_.path()) != std::string::npos) found.push_back(static_cast<pid_t>(std::atoi(entry.path().filename().c_str())));
    }
    return found;
  }
  TempFolder folder_;
};

TEST_F(Serve, RunsAnExperimentAndTellsEverything) {
  Running server(folder_.path(), {});
  ASSERT_THAT(server.url(), StartsWith("http://127.0.0.1:"));
  const json arms = arms_of(server);
  EXPECT_EQ(arms.at("backend"), "host");
  EXPECT_EQ(arms.at("arms").at(0).at("name"), "eevdf");
  EXPECT_TRUE(arms.at("arms").at(0).at("available").get<bool>());
  const Ran ran = run_binary({"experiment", "run", "--server", server.url(), "--workload", "underload", "--seconds", "0.5", "--arm", "eevdf", "--repeats", "2", "--trace", folder_.path() + "/t.pftrace", "--json"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const json result = json::parse(ran.out).at(0);
  EXPECT_EQ(result.at("experiment").at("state"), "done");
  ASSERT_EQ(result.at("repeats").size(), 2u);
  const json& repeat = result.at("repeats").at(0);
  EXPECT_EQ(repeat.at("plan"), result.at("repeats").at(1).at("plan")) << "the same work again";
  EXPECT_EQ(repeat.at("features").size(), 19u);
  for (const char* name : {"T_cpu_percent_avg", "T_vcsw_total_delta", "T_nvcsw_total_delta", "T_mem_available", "T_run_queue_avg"})
    EXPECT_TRUE(repeat.at("features").at(name).is_number()) << name << ": " << repeat.at("absent").dump();
  const int jobs = repeat.at("costs").at("jobs");
  EXPECT_GT(jobs, 5);
  EXPECT_GT(repeat.at("costs").at("mean_tat_s").get<double>(), 0);
  // Every job of this family is a process of its own, and the table has them all.
  EXPECT_EQ(repeat.at("processes").at("count"), jobs);
  const json& row = repeat.at("processes").at("rows").at(0);
  EXPECT_GE(row.at("TAT").get<double>(), row.at("RT").get<double>());
  EXPECT_GT(row.at("Total_CPU_Time").get<double>(), 0);
  EXPECT_EQ(repeat.at("kernel_says"), "eevdf");
  EXPECT_TRUE(result.at("summary").at("mean_tat_s").at("cv").is_number());
  auto trace = read_file(folder_.path() + "/t.pftrace");
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_GT(trace->size(), 1000u);
  const Ran shown = run_binary({"experiment", "show", "1", "--processes", "--server", server.url()});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("T_cpu_percent_avg"));
  EXPECT_THAT(shown.out, HasSubstr("Total_CPU_Time"));
  const Ran listed = run_binary({"experiment", "list", "--server", server.url()});
  EXPECT_THAT(listed.out, HasSubstr("2/2"));
  EXPECT_EQ(server.end(SIGTERM), 0);
}

TEST_F(Serve, WithoutSchedExtOtherArmsAreRefusedWithTheReason) {
  Running server(folder_.path(), {});
  const json arms = arms_of(server);
  const json& hyb = arms.at("arms").at(1);
  if (hyb.at("available").get<bool>()) GTEST_SKIP() << "this kernel has sched_ext";
  EXPECT_THAT(hyb.at("reason").get<std::string>(), HasSubstr("sched_ext"));
  const Ran ran = run_binary({"experiment", "run", "--server", server.url(), "--workload", "nothing", "--arm", "hyb"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, StartsWith("pointsman: the server refuses (422): arm hyb cannot be had here: "));
}

TEST_F(Serve, KilledInTheMiddleItLeavesNothingRunningAndItsQueue) {
  {
    Running server(folder_.path(), {});
    arms_of(server);
    auto first = server.client().ask_json(post(kLong));
    ASSERT_TRUE(first) << first.error().message;
    auto second = server.client().ask_json(post(kNothing));
    ASSERT_TRUE(second) << second.error().message;
    // In the middle: server, worker, supervisor, dispatcher and at least one task.
    while (processes().size() < 5) std::this_thread::yield();
    EXPECT_EQ(server.end(SIGKILL), 128 + SIGKILL);
  }
  while (!processes().empty()) std::this_thread::yield();
  auto state = read_file("/sys/kernel/sched_ext/state");
  EXPECT_TRUE(!state || state->starts_with("disabled"));
  Running server(folder_.path(), {});
  const json aborted = state_of(server, 1);
  EXPECT_EQ(aborted.at("state"), "aborted");
  EXPECT_EQ(aborted.at("error").at("message"), "the server ended in the middle of it");
  EXPECT_EQ(wait_for_end(server, 2).at("state"), "done") << "the queue survived";
}

TEST_F(Serve, AWorkerThatDiesFailsItsExperimentOnly) {
  Running server(folder_.path(), {});
  arms_of(server);
  ASSERT_TRUE(server.client().ask_json(post(kLong)));
  ASSERT_TRUE(server.client().ask_json(post(kNothing)));
  while (processes().size() < 5) std::this_thread::yield();
  // Its parent is the server.
  for (const pid_t pid : processes()) {
    auto stat = read_file(fmt::format("/proc/{}/status", pid));
    if (stat && stat->find(fmt::format("\nPPid:\t{}\n", server.pid())) != std::string::npos) ::kill(pid, SIGSEGV);
  }
  const json failed = wait_for_end(server, 1);
  EXPECT_EQ(failed.at("state"), "failed");
  EXPECT_THAT(failed.at("error").at("message").get<std::string>(), HasSubstr("signal 11"));
  EXPECT_EQ(wait_for_end(server, 2).at("state"), "done");
}

TEST_F(Serve, CancelsWhatRuns) {
  Running server(folder_.path(), {});
  arms_of(server);
  ASSERT_TRUE(server.client().ask_json(post(kLong)));
  while (processes().size() < 5) std::this_thread::yield();
  const Ran ran = run_binary({"experiment", "cancel", "1", "--server", server.url()});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(wait_for_end(server, 1).at("state"), "cancelled");
  EXPECT_LE(processes().size(), 2u) << "the server and its worker";
}

TEST_F(Serve, OneServerAMachine) {
  Running server(folder_.path(), {});
  ASSERT_NE(server.url(), "");
  const std::string port = server.url().substr(server.url().rfind(':') + 1);
  Ran ran = run_binary({"serve", "--listen", "127.0.0.1:0", "--ledger", folder_.path() + "/2.db", "--lock", folder_.path() + "/lock"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.err, fmt::format("pointsman: one server a machine, since one experiment at a time: another server, process {}, has it ({}/lock)\n", server.pid(), folder_.path()));
  ran = run_binary({"serve", "--listen", "127.0.0.1:0", "--ledger", folder_.path() + "/l.db", "--lock", folder_.path() + "/lock2"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("l.db: another server, process"));
  ran = run_binary({"serve", "--listen", "127.0.0.1:" + port, "--ledger", folder_.path() + "/2.db", "--lock", folder_.path() + "/lock2"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.err, fmt::format("pointsman: listen on 127.0.0.1:{}: something listens there already\n", port));
}

TEST_F(Serve, OtherMachinesNeedAToken) {
  const std::vector<std::string> common = {"serve", "--ledger", folder_.path() + "/l.db", "--lock", folder_.path() + "/lock", "--listen"};
  const auto refused = [&](std::vector<std::string> more) {
    more.insert(more.begin(), common.begin(), common.end());
    return run_binary(more);
  };
  for (const char* address : {"0.0.0.0:0", "[::]:0", "192.0.2.1:0"}) {
    const Ran ran = refused({address});
    EXPECT_EQ(ran.exit_code, 2) << address;
    EXPECT_THAT(ran.err, HasSubstr("whoever reaches it could run programs as root: name a --token-file"));
  }
  EXPECT_THAT(refused({"box:80"}).err, HasSubstr("whoever reaches it"));
  EXPECT_THAT(refused({"127.0.0.1:99999"}).err, HasSubstr("must be ADDRESS or ADDRESS:PORT"));
  const std::string token = folder_.path() + "/token";
  ASSERT_TRUE(write_file(token, "correct-horse-battery\n"));
  EXPECT_THAT(refused({"0.0.0.0:0", "--token-file", token}).err, HasSubstr("others may read it (mode 644)"));
  ::chmod(token.c_str(), 0600);
  ASSERT_TRUE(write_file(folder_.path() + "/short", "hunter2\n"));
  ::chmod((folder_.path() + "/short").c_str(), 0600);
  EXPECT_THAT(refused({"0.0.0.0:0", "--token-file", folder_.path() + "/short"}).err, HasSubstr("must be one line of 16 to 512 printable characters"));
  Running server(folder_.path(), {"--token-file", token});
  EXPECT_EQ(server.client().ask({.target = "/v1/arms"})->status, 401);
  EXPECT_NE(server.client("correct-horse-battery").ask({.target = "/v1/arms"})->status, 401);
  const Ran with = run_binary({"experiment", "list", "--server", server.url(), "--token-file", token});
  EXPECT_EQ(with.exit_code, 0) << with.err;
  const Ran without = run_binary({"experiment", "list", "--server", server.url()});
  EXPECT_EQ(without.exit_code, 1);
  EXPECT_THAT(without.err, StartsWith("pointsman: the server refuses (401): "));
}

TEST_F(Serve, ProgramsOnlyWhereTheyAreAllowed) {
  const char* body = R"({"workload": {"exec": ["/bin/sh", "-c", "echo hello; for i in 1 2 3; do /bin/true; done; exit 5"], "seconds": 60}, "arm": "eevdf"})";
  {
    Running server(folder_.path(), {});
    EXPECT_EQ(server.client().ask(post(body))->status, 403);
  }
  Running server(folder_.path(), {"--allow-exec"});
  arms_of(server);
  ASSERT_TRUE(server.client().ask_json(post(body)));
  EXPECT_EQ(wait_for_end(server, 1).at("state"), "done");
  auto result = server.client().ask_json({.target = "/v1/experiments/1/result"});
  ASSERT_TRUE(result) << result.error().message;
  const json& repeat = result->at("repeats").at(0);
  EXPECT_EQ(repeat.at("program").at("stdout"), "hello\n");
  EXPECT_EQ(repeat.at("program").at("exit_code"), 5);
  EXPECT_EQ(repeat.at("rejected"), "the program ended with 5");
  EXPECT_EQ(repeat.at("processes").at("count"), 4) << "the shell and three others";
  EXPECT_EQ(repeat.at("costs").at("jobs"), 4);
  // One that does not end in time fails, and is gone.
  ASSERT_TRUE(server.client().ask_json(post(R"({"workload": {"exec": ["/bin/sleep", "86400.77"], "seconds": 0.2}, "arm": "eevdf"})")));
  const json failed = wait_for_end(server, 2);
  EXPECT_EQ(failed.at("state"), "failed");
  EXPECT_EQ(failed.at("error").at("message"), "/bin/sleep did not end within 0.2 s");
}

TEST(SystemdUnit, IsVerified) {
  if (std::system("command -v systemd-analyze >/dev/null 2>&1") != 0) GTEST_SKIP() << "systemd-analyze is not installed";
  TempFolder folder;
  auto unit = read_file(POINTSMAN_SOURCE_DIR "/packaging/pointsman-serve.service");
  ASSERT_TRUE(unit) << unit.error().message;
  // The binary is not installed here; all else is as it is shipped.
  const std::string installed = "/usr/bin/pointsman";
  const size_t at = unit->find(installed);
  ASSERT_NE(at, std::string::npos);
  unit->replace(at, installed.size(), POINTSMAN_BINARY);
  const std::string file = folder.path() + "/pointsman-serve.service";
  ASSERT_TRUE(write_file(file, *unit));
  FILE* pipe = ::popen(("systemd-analyze verify --man=no " + file + " 2>&1").c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string complaints;
  char buffer[4096];
  for (size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) complaints.append(buffer, n);
  EXPECT_EQ(::pclose(pipe), 0);
  EXPECT_EQ(complaints, "");
}

}  // namespace
}  // namespace pointsman
