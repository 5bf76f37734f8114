// What people do wrong: each gets one line that says what is wrong, and the exit code that the manual promises.
#include <gmock/gmock.h>

#include "base/file.h"
#include "tests/run_binary.h"

namespace pointsman {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

using Words = std::vector<std::string>;

class BadInput : public testing::Test {
 protected:
  // Standard error is exactly this line ("..." at its end: it begins so), standard output is empty.
  void expect(const Words& arguments, int exit_code, std::string line, const RunOptions& options = {}) {
    std::string command;
    for (const std::string& argument : arguments) command += " " + argument;
    SCOPED_TRACE("pointsman" + command);
    RunOptions here = options;
    here.folder = folder_.path();
    const Ran ran = run_binary(arguments, here);
    EXPECT_EQ(ran.exit_code, exit_code);
    line = "pointsman: " + line;
    if (line.ends_with("...")) {
      line.resize(line.size() - 3);
      EXPECT_THAT(ran.err, StartsWith(line));
    } else {
      EXPECT_EQ(ran.err, line + "\n");
    }
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    EXPECT_EQ(ran.out, "");
  }
  void write(const std::string& name, std::string_view text) { ASSERT_TRUE(write_file(folder_.path() + "/" + name, text)); }

  TempFolder folder_;
};

TEST_F(BadInput, AVerbThatDoesNotExist) {
  expect({"dmeo"}, 2, "there is no verb 'dmeo'; did you mean 'demo'? (--help tells what is allowed)");
  expect({"lab", "verfy"}, 2, "there is no verb 'lab verfy'; did you mean 'lab verify'? (--help tells what is allowed)");
  expect({"matrix"}, 2, "there is no verb 'matrix'; did you mean 'lab matrix'? (--help tells what is allowed)");
  expect({"lab", "run-shadow"}, 2, "there is no verb 'lab run-shadow'; allowed: ...");
  expect({"bogus"}, 2, "there is no verb 'bogus'; allowed: demo, run, pin, ...");
  expect({}, 2, "pointsman needs a verb: demo, run, pin, ...");
  expect({"lab"}, 2, "lab needs a verb: families, matrix, ...");
  expect({"run", "--shadwo"}, 2, "The following argument was not expected: --shadwo (--help tells what is allowed)");
  expect({"lab", "episode", "--family", "pareto", "--seconds", "-3"}, 2, "--seconds: Value -3 not in range ...");
}

TEST_F(BadInput, NamesThatDoNotExist) {
  expect({"lab", "episode", "--family", "peasants"}, 2, "phase 1: unknown family \"peasants\"; there are batch, ...");
  expect({"lab", "families", "peasants"}, 2, "unknown family \"peasants\"; there are batch, ...");
  expect({"lab", "matrix", "--families", "peasants"}, 2, "unknown family \"peasants\"; there are batch, ...");
  expect({"lab", "matrix", "--families", "random:x"}, 2, "\"random:x\": a random family is written random:SEED, SEED from 1 to 1000000000");
  expect({"lab", "matrix", "--families", "random:9-1"}, 2, "--families: '9-1' is neither a number nor a range like 1-10");
  expect({"lab", "matrix", "--switch-at", "5"}, 2, "--switch-at 5 is not before the end of the arrivals, --seconds 3.013");
  expect({"lab", "matrix", "--arms", "leg"}, 2, "no arm 'leg' (there are: eevdf, hyb, ...");
  expect({"lab", "matrix", "--seeds", "9-1"}, 2, "--seeds: '9-1' is neither a number nor a range like 1-10");
  expect({"lab", "run", "--exec", "true", "--arm", "leg"}, 2, "no arm 'leg' (there are: eevdf, hyb, ...");
  expect({"lab", "episode", "--family", "pareto", "--arm", "leg"}, 2, "there is no controller 'leg' (there are: ...");
  expect({"lab", "episode", "--family", "pareto", "--disturb", "pigs@1s-2s"}, 2, "disturbance 'pigs@1s-2s': there is no kind 'pigs'; ...");
  expect({"run", "--shadow", "--controller", "leg"}, 2, "there is no controller 'leg' (there are: ...");
  expect({"pin", "leg", "--pin-file", "pin"}, 2, "no arm 'leg' (there are: eevdf, hyb, ...");
  EXPECT_THAT(folder_.names(), ElementsAre());
}

TEST_F(BadInput, Kernels) {
  expect({"lab", "trial", "--kernel", "/no/such/kernel"}, 1, "kernel /no/such/kernel: No such file or directory");
  write("text", "no kernel at all");
  expect({"lab", "trial", "--kernel", "text"}, 2, "text is not an x86 Linux image (bzImage)");
  // The right kernel without its modules.
  std::filesystem::copy_file(std::string(POINTSMAN_KERNEL) + "/vmlinuz", folder_.path() + "/vmlinuz");
  expect({"lab", "trial", "--kernel", "vmlinuz"}, 1, "kernel module (scripts/setup fetches them): open ./modules/...");
}

TEST_F(BadInput, ProgramsForTheGuest) {
  expect({"lab", "run", "--exec", "no-such-program 1"}, 1, "no-such-program: no such program on this host, in busybox or among the --file given");
  expect({"lab", "run", "--exec", "true", "--file", "/no/such/file"}, 1, "--file /no/such/file: no such file: /no/such/file");
}

TEST_F(BadInput, Scenarios) {
  const auto scenario = [&](const char* file) { return Words{"lab", "episode", "--scenario", file}; };
  expect(scenario("none.toml"), 1, "open none.toml: No such file or directory");
  write("family.toml", "[[phase]]\nfamily = \"peasants\"\nlength_s = 2\n");
  expect(scenario("family.toml"), 2, "family.toml:2: unknown family \"peasants\"; there are batch, ...");
  write("rate.toml", "[[phase]]\nfamily = \"pareto\"\nlength_s = 2\n[phase.parameters]\nrate_hz = -3\n");
  expect(scenario("rate.toml"), 2, "rate.toml:5: ...");
  write("syntax.toml", "[[phase\n");
  expect(scenario("syntax.toml"), 2, "syntax.toml:1: ...");
  write("empty.toml", "");
  expect(scenario("empty.toml"), 2, "empty.toml...");
}

TEST_F(BadInput, Models) {
  auto good = read_file(std::string(POINTSMAN_SOURCE_DIR) + "/models/default.pmm");
  ASSERT_TRUE(good) << good.error().message;
  write("short.pmm", good->substr(0, good->size() / 2));
  // The version stands in the four bytes behind the eight of the magic word; the checksum behind it covers what follows.
  std::string other = *good;
  other[8] = 9;
  write("other.pmm", other);
  write("text.pmm", "no model at all");
  for (const Words& verb : {Words{"demo"}, Words{"lab", "episode", "--family", "pareto", "--controller", "classifier"}, Words{"run", "--shadow"}}) {
    const auto with = [&](const char* file) {
      Words arguments = verb;
      arguments.insert(arguments.end(), {"--model", file});
      return arguments;
    };
    expect(with("none.pmm"), 1, "open none.pmm: No such file or directory");
    expect(with("short.pmm"), 1, "short.pmm: truncated or damaged: the content does not match its checksum");
    expect(with("other.pmm"), 77, "other.pmm: model version 9, this build reads versions 1 to 2");
    expect(with("text.pmm"), 2, "text.pmm: not a model file");
  }
  expect({"convert", "none.pmm", "out.onnx"}, 1, "open none.pmm: No such file or directory");
  expect({"convert", "text.pmm", "out.onnx"}, 2, "text.pmm: not a model file");
  expect({"convert", "short.pmm", "other.pmm"}, 2, "short.pmm and other.pmm are of one form: there is nothing to convert");
  expect({"convert", "short.pmm", "out.json"}, 2, "out.json: its name must end with .pmm (a model of pointsman's) or .onnx");
  expect({"convert", "short.pmm"}, 2, "to is required (--help tells what is allowed)");
  EXPECT_THAT(folder_.names(), ElementsAre("other.pmm", "short.pmm", "text.pmm"));
  write("text.onnx", "no graph at all");
  expect({"convert", "text.onnx", "out.pmm"}, 1, "text.onnx: damaged ONNX file: ...");
}

TEST_F(BadInput, Configurations) {
  const auto with = [](const char* file) { return Words{"run", "--shadow", "--config", file}; };
  expect(with("none.toml"), 1, "configuration: open none.toml: No such file or directory");
  write("key.toml", "[guard]\nmultiple = 3\n");
  expect(with("key.toml"), 2, "key.toml:2: unknown key \"multiple\" in [guard]; allowed are enabled, p99_multiple, ...");
  write("arms.toml", "arms = [\"hyb\", \"leg\"]\n");
  expect(with("arms.toml"), 2, "arms.toml:1: no arm 'leg' ...");
  write("objective.toml", "[objective]\ncost = \"mean_tat\"\n");
  expect({"run", "--shadow", "--config", "objective.toml", "--model", std::string(POINTSMAN_SOURCE_DIR) + "/models/default.pmm"}, 2,
         std::string(POINTSMAN_SOURCE_DIR) + "/models/default.pmm was trained for log_slowdown, objective.toml asks for mean_tat: pointsman train --config objective.toml --out FILE makes one for it");
  expect({"train", "--config", "key.toml"}, 2, "key.toml:2: ...");
}

TEST_F(BadInput, NoQemu) {
  expect({"lab", "trial", "--qemu", "/nonexistent"}, 1, "there is no QEMU '/nonexistent': scripts/setup installs it (package qemu-system-x86), --qemu names another");
  expect({"lab", "trial", "--qemu", "/bin/false"}, 1, "QEMU did not start: ...");
}

TEST_F(BadInput, AFullDisk) {
  for (const Words& arguments : {Words{"arms"}, Words{"arms", "--json"}}) expect(arguments, 1, "standard output: No space left on device", {.standard_output = "/dev/full"});
  for (const Words& arguments : {Words{"man"}, Words{"completion", "bash"}, Words{"--help"}, Words{"--version"}, Words{"pin", "--pin-file", "none"}})
    expect(arguments, 1, "standard output: not all of it could be written", {.standard_output = "/dev/full"});
  expect({"arms", "--json=/dev/full"}, 1, "write /dev/full: No space left on device");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full")) << "a device is written to, not replaced";
  expect({"arms", "--json=no/such/folder/file"}, 1, "create no/such/folder/file.tmp...");
}

TEST_F(BadInput, LedgersThatAreNone) {
  write("text.db", std::string(8192, 'x'));
  expect({"lab", "matrix", "--show", "--ledger", "text.db"}, 1, "ledger text.db: ...");
  EXPECT_THAT(folder_.names(), ElementsAre("text.db"));
}

}  // namespace
}  // namespace pointsman
