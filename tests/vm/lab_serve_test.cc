// pointsman lab serve: the experiment server in a machine of its own, from its first word to Ctrl-C. Its clock is the host's, so nothing here looks at a time.
#include <gmock/gmock.h>
#include <signal.h>

#include "base/clock.h"
#include "http/errand.h"
#include "tests/vm/marked.h"

namespace pointsman {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr int64_t kGuardNs = 600 * kSecond;  // an emulated machine on a busy host; it takes a tenth of that

class LabServe : public MarkedTest {};

TEST_F(LabServe, RunsAnExperimentInItsMachineAndLeavesNone) {
  const std::string out = folder_.path() + "/out";
  ASSERT_TRUE(write_file(out, ""));
  RunOptions run = marked();
  run.standard_output = out;
  json health, arms, result;
  size_t machines_meanwhile = 0;
  std::string trouble = "it never said where it is";
  run.meanwhile = [&](pid_t pid) {
    const struct End {
      pid_t pid;
      ~End() { ::kill(pid, SIGINT); }
    } end{pid};
    SystemClock clock;
    const int64_t start_ns = clock.now_ns();
    std::string url;
    while (!url.ends_with('\n') && clock.now_ns() - start_ns < kGuardNs) {
      siginfo_t info{};
      if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid) return;  // it ended by itself
      clock.sleep_until_ns(clock.now_ns() + 20 * kMillisecond);
      if (auto text = read_file(out)) url = *text;
    }
    if (url.empty()) return;
    url.pop_back();
    const auto parsed = ServerUrl::parse(url);
    if (!parsed) return static_cast<void>(trouble = url);
    const Client client(*parsed, {.answer_ns = kGuardNs});
    const auto get = [&](const std::string& target, json& into) {
      auto answer = client.ask_json({.target = target});
      trouble = answer ? "" : target + ": " + answer.error().message;
      if (answer) into = std::move(*answer);
      return trouble.empty();
    };
    if (!get("/v1/healthz", health) || !get("/v1/arms", arms)) return;
    machines_meanwhile = machines().size();
    auto id = submit_experiment(client, {{"workload", {{"name", "single"}, {"seconds", 0.2}}}, {"arm", "las"}, {"seed", 1}, {"repeats", 1}});
    if (!id) return static_cast<void>(trouble = id.error().message);
    auto ended = wait_for_experiment(client, *id, [](const std::string&, const json&) {});
    auto fetched = ended ? result_of_experiment(client, *id) : Result<json>(fail(ended.error()));
    trouble = fetched ? "" : fetched.error().message;
    if (fetched) result = std::move(*fetched);
  };
  const Ran ran = run_binary({"lab", "serve", "--port", "0", "--cpus", "2", "--memory", "512", "--accelerator", "tcg"}, run);
  EXPECT_EQ(trouble, "") << ran.err;
  EXPECT_EQ(ran.exit_code, 0) << "Ctrl-C is how it ends: " << ran.err;
  EXPECT_THAT(machines(), ElementsAre()) << "no machine outlives the command";
  ASSERT_TRUE(result.is_object());

  EXPECT_EQ(machines_meanwhile, 1u);
  EXPECT_EQ(health.at("status"), "ok");
  EXPECT_EQ(arms.at("backend"), "vm");
  EXPECT_THAT(arms.at("notes").get<std::vector<std::string>>(), Contains(HasSubstr("not exact")));
  for (const json& arm : arms.at("arms")) {
    if (arm.at("kind") == "external") continue;  // none was brought along
    EXPECT_TRUE(arm.at("available").get<bool>()) << arm;
  }
  const json& experiment = result.at("experiment");
  EXPECT_EQ(experiment.at("state"), "done") << experiment;
  ASSERT_THAT(result.at("repeats"), SizeIs(1));
  const json& repeat = result.at("repeats").front();
  EXPECT_NE(repeat.at("kernel_says"), "eevdf") << "las was in charge, by the guest kernel's own word";
  EXPECT_GT(repeat.at("costs").at("jobs"), 0);
  EXPECT_EQ(repeat.at("features").size(), 19u);
}

}  // namespace
}  // namespace pointsman
