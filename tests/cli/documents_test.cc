// What is made of something else is what that says: the manual page and the completion scripts of the verbs, the shipped model of the shipped data.
#include <gmock/gmock.h>

#include "base/file.h"
#include "tests/run_binary.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

bool on_this_machine(const std::string& program) { return std::system(fmt::format("command -v {} >/dev/null 2>&1", program).c_str()) == 0; }

// What a shell command prints on both streams, and its exit code.
std::pair<std::string, int> shell(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return {"popen failed", -1};
  char buffer[4096];
  for (size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) out.append(buffer, n);
  return {out, ::pclose(pipe)};
}

TEST(ManPage, TheBuiltOneIsTheBinarysOwn) {
  const Ran ran = run_binary({"man"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  auto built = read_file(POINTSMAN_MAN_PAGE);
  ASSERT_TRUE(built) << built.error().message;
  EXPECT_EQ(*built, ran.out);
  for (const char* part : {".TH POINTSMAN 1", ".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS", ".SS demo", ".SS lab matrix", ".SS pin", "\\-\\-cpus INT, 1 to 8", "Default: 4.", ".SH EXIT STATUS"}) EXPECT_THAT(ran.out, HasSubstr(part));
}

TEST(Figures, AreWhatTheirScriptDraws) {
  if (!on_this_machine("python3")) GTEST_SKIP() << "python3 is not installed";
  const auto [out, status] = shell("python3 " POINTSMAN_SOURCE_DIR "/docs/figures/draw.py --check");
  EXPECT_EQ(status, 0) << out;
}

TEST(ShippedModel, IsToTheBitWhatTrainMakesOfTheShippedData) {
  const auto folder = TemporaryFolder::make("train");
  ASSERT_TRUE(folder);
  const std::string made = folder->path() + "/made.pmm";
  const Ran ran = run_binary({"train", "--out", made}, {.folder = POINTSMAN_SOURCE_DIR});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const auto bytes = read_file(made), shipped = read_file(POINTSMAN_SOURCE_DIR "/models/default.pmm");
  ASSERT_TRUE(bytes && shipped);
  EXPECT_TRUE(*bytes == *shipped) << "make it anew: pointsman train";
}

TEST(ManPage, ReadersFindNothingToComplainOf) {
  bool read = false;
  if (on_this_machine("man") && on_this_machine("groff")) {
    read = true;
    const auto [complaints, status] = shell("MANPAGER=cat man --warnings -l " POINTSMAN_MAN_PAGE " >/dev/null");
    EXPECT_EQ(status, 0);
    EXPECT_EQ(complaints, "");
    const auto [text, shown] = shell("MANWIDTH=100 MANPAGER=cat man -l " POINTSMAN_MAN_PAGE);
    EXPECT_EQ(shown, 0);
    EXPECT_THAT(text, HasSubstr("lab episode"));
  }
  if (on_this_machine("mandoc")) {
    read = true;
    const auto [complaints, status] = shell("mandoc -T lint -W warning " POINTSMAN_MAN_PAGE);
    EXPECT_EQ(status, 0) << complaints;
  }
  if (!read) GTEST_SKIP() << "neither man with groff nor mandoc is installed";
}

class Completion : public testing::Test {
 protected:
  void SetUp() override {
    if (!on_this_machine("bash")) GTEST_SKIP() << "bash is not installed";
    const Ran ran = run_binary({"completion", "bash"});
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
    ASSERT_TRUE(write_file(folder_.path() + "/script", ran.out));
    ASSERT_TRUE(write_file(folder_.path() + "/try", "set -u\nsource \"$1\"; shift\nCOMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=()\n_pointsman\necho \"${COMPREPLY[*]}\"\n"));
  }
  // What bash offers for the last word of a line.
  std::string offered(const std::string& line) {
    auto [out, status] = shell(fmt::format("bash {0}/try {0}/script {1}", folder_.path(), line));
    EXPECT_EQ(status, 0) << out;
    if (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
  }
  TempFolder folder_;
};

TEST_F(Completion, OffersVerbsOptionsAndNames) {
  EXPECT_EQ(offered("pointsman dem"), "demo");
  EXPECT_EQ(offered("pointsman lab ma"), "matrix");
  EXPECT_EQ(offered("pointsman -v la"), "lab");
  EXPECT_EQ(offered("pointsman lab matrix --led"), "--ledger");
  EXPECT_EQ(offered("pointsman lab matrix --ledger x.db --noi"), "--noisy-factor");
  EXPECT_EQ(offered("pointsman run --shad"), "--shadow");
  EXPECT_EQ(offered("pointsman pin la"), "las");
  EXPECT_EQ(offered("pointsman lab episode --family ban"), "");
  EXPECT_EQ(offered("pointsman lab episode --family par"), "pareto");
  EXPECT_EQ(offered("pointsman lab episode --controller round"), "round_robin");
  EXPECT_EQ(offered("pointsman completion f"), "fish");
}

TEST(CompletionScripts, OtherShellsTakeThem) {
  TempFolder folder;
  bool any = false;
  for (const char* name : {"zsh", "fish"}) {
    const Ran ran = run_binary({"completion", name});
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_THAT(ran.out, HasSubstr("pointsman"));
    const std::string file = folder.path() + "/" + name;
    ASSERT_TRUE(write_file(file, ran.out));
    if (!on_this_machine(name)) continue;
    any = true;
    const auto [out, status] = shell(fmt::format("{} -n {}", name, file));
    EXPECT_EQ(status, 0) << out;
  }
  if (!any) GTEST_SKIP() << "neither zsh nor fish is installed";
}

}  // namespace
}  // namespace pointsman
