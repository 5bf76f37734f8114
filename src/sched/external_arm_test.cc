#include "sched/external_arm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace pointsman {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Error error_of(std::string_view toml) {
  auto parsed = parse_external_arms(toml, "arms.toml");
  EXPECT_FALSE(parsed) << toml;
  return parsed ? Error{} : parsed.error();
}

TEST(ExternalArm, ThreeLinesMakeOne) {
  auto parsed = parse_external_arms("[scx_zeta]\ncommand = [\"scx_zeta\", \"-m\", \"performance\"]\nops = \"zeta\"\n\n[scx_alpha]\nobject = \"/o/alpha.bpf.o\"\nops = \"alpha\"\nset = { fifo = 1 }\n", "arms.toml");
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed->size(), 2u);
  const ExternalArm &cold = (*parsed)[0], &warm = (*parsed)[1];
  EXPECT_EQ(cold.name, "scx_zeta") << "in the order of the file";
  EXPECT_THAT(cold.command, ElementsAre("scx_zeta", "-m", "performance"));
  EXPECT_FALSE(cold.warm());
  EXPECT_EQ(cold.stop_signal, SIGINT);
  EXPECT_EQ(cold.start_limit_ns, 10 * kSecond);
  EXPECT_TRUE(warm.warm());
  EXPECT_EQ(warm.file(), "/o/alpha.bpf.o");
  EXPECT_EQ(warm.set.at("fifo"), 1);
}

TEST(ExternalArm, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(error_of("[a]\nops = \"a\"\n").message, "arms.toml:1: [a]: give it either a command (a program that attaches it) or an object (we attach it)");
  EXPECT_THAT(error_of("[a]\ncommand = [\"a\"]\nobject = \"b\"\nops = \"a\"\n").message, HasSubstr("either a command"));
  EXPECT_THAT(error_of("[a]\ncommand = [\"a\"]\n").message, HasSubstr("ops is missing"));
  EXPECT_EQ(error_of("[a]\ncommand = \"a\"\nops = \"a\"\n").message, "arms.toml:2: [a]: command must be a list of words such as [\"scx_simple\", \"-f\"]");
  EXPECT_EQ(error_of("[a]\ncommand = [\"a\"]\nops = \"a\"\nstop = \"HUP\"\n").message, "arms.toml:4: [a]: stop must be \"INT\", \"TERM\" or \"KILL\"");
  EXPECT_EQ(error_of("[a]\ncommand = [\"a\"]\nops = \"a\"\nstart_limit_s = 0\n").message, "arms.toml:4: [a]: start_limit_s must be a number from 0.1 to 600");
  EXPECT_THAT(error_of("[a]\ncommand = [\"a\"]\nops = \"a\"\ncolour = 1\n").message, HasSubstr("arms.toml:4: [a]: unknown key \"colour\"; allowed are command, object"));
  EXPECT_THAT(error_of("[\"A b\"]\ncommand = [\"a\"]\nops = \"a\"\n").message, HasSubstr("a name has 1 to 32 of a-z"));
  EXPECT_THAT(error_of("[a]\ncommand = [\"a\"]\nops = \"a\"\nset = { x = 1 }\n").message, HasSubstr("only an object has variables to set"));
  EXPECT_THAT(error_of("[a]\nobject = \"a\"\nops = \"a\"\nset = { x = \"y\" }\n").message, HasSubstr("set: x must be a whole number"));
  EXPECT_THAT(error_of("a = 1\n").message, HasSubstr("arms.toml:1: a must be a table"));
  for (const char* text : {"[a\n", "[\n\n[a", "[ #", "[[\n", "[\t\n]"}) EXPECT_THAT(error_of(text).message, HasSubstr("arms.toml:1: ")) << text;
  EXPECT_EQ(error_of("[a\n").code, ErrorCode::kInvalidArgument);
}

TEST(ExternalArm, WhatIsShippedIsWhole) {
  std::vector<std::string> names;
  for (const ExternalArm& arm : shipped_external_arms()) names.push_back(arm.name);
  EXPECT_THAT(names, ElementsAre("scx_simple", "scx_simple_fifo", "scx_simple_warm", "scx_simple_fifo_warm", "scx_bpfland", "scx_flash", "scx_rustland", "scx_lavd"));
}

TEST(ExternalArm, AnArmKnowsItsNameInTheKernel) {
  ExternalArm arm;
  arm.ops = "bpfland";
  EXPECT_TRUE(shows_as(arm, "bpfland"));
  EXPECT_TRUE(shows_as(arm, "bpfland_1.1.4_x86_64_unknown_linux_gnu"));
  for (const char* other : {"", "bpf", "bpflander", "bpfland_", "bpfland_next", "simple", "pointsman"}) EXPECT_FALSE(shows_as(arm, other)) << other;
}

TEST(ExternalArm, TravelsAsJson) {
  for (const ExternalArm& arm : shipped_external_arms()) {
    auto back = external_arm_from(to_json(arm));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(to_json(*back), to_json(arm));
  }
  EXPECT_FALSE(external_arm_from({{"name", "x"}}));
}

TEST(ExternalArm, RegisteredOnesAreArmsNobodyMayChoose) {
  auto parsed = parse_external_arms("[scx_one]\ncommand = [\"one\"]\nops = \"one\"\n[scx_two]\ncommand = [\"two\"]\nops = \"two\"\n", "t");
  ASSERT_TRUE(parsed);
  const size_t before = arms().size();
  ASSERT_TRUE(register_external_arms(*parsed));
  const auto two = find_arm("scx_two");
  ASSERT_TRUE(two);
  const Arm& arm = arms()[static_cast<size_t>(*two)];
  EXPECT_EQ(arm.kind, ArmKind::kExternal);
  EXPECT_FALSE(arm.choosable);
  EXPECT_EQ(*arm_of_policy(arm.policy), *two);
  EXPECT_EQ(external_arm(*two)->ops, "two");
  EXPECT_EQ(external_arm(kDefaultArm), nullptr);
  EXPECT_EQ(external_arm(-1), nullptr);
  // Again: none is added.
  auto again = register_external_arms(*parsed);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message, "there is an arm 'scx_one' already");
  EXPECT_EQ(arms().size(), before + 2);
  auto own = parse_external_arms("[hyb]\ncommand = [\"x\"]\nops = \"x\"\n", "t");
  ASSERT_TRUE(own);
  EXPECT_FALSE(register_external_arms(*own)) << "hyb is ours";
}

TEST(ExternalArm, FindsItsFile) {
  const std::string folder = testing::TempDir() + "/external_arm_test";
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/scx_there") << "#!/bin/sh\n";
  ::chmod((folder + "/scx_there").c_str(), 0755);
  ExternalArm arm;
  arm.name = "a";
  arm.command = {"scx_there"};
  const std::vector<std::string> folders{"/nowhere", folder};
  EXPECT_EQ(*find_file(arm, folders), folder + "/scx_there");
  arm.command = {"sh"};
  EXPECT_THAT(*find_file(arm, folders), HasSubstr("/sh")) << "in PATH";
  arm.command = {"scx_nowhere"};
  auto missing = find_file(arm, folders);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("a: no program scx_nowhere here"));
  arm.command.clear();
  arm.object = "sh";
  EXPECT_FALSE(find_file(arm, folders)) << "an object is not looked for in PATH";
}

}  // namespace
}  // namespace pointsman
