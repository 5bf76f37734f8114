#include "lab/brought_arms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace pointsman {
namespace {

ExternalArm cold(const std::string& name, std::vector<std::string> command) {
  ExternalArm arm;
  arm.name = name;
  arm.command = std::move(command);
  arm.ops = name;
  return arm;
}

TEST(BroughtArms, TheirProgramsComeAlongOnceAndTheirDescriptionsPointThere) {
  const std::string folder = testing::TempDir() + "/brought_arms_test";
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/prog") << "#!/bin/sh\n";
  ::chmod((folder + "/prog").c_str(), 0755);
  const std::vector<ExternalArm> arms{cold("one", {"prog"}), cold("two", {"prog", "-f"})};
  const std::vector<std::string> folders{folder};
  auto brought = bring_arms(arms, folders);
  ASSERT_TRUE(brought) << brought.error().message;
  ASSERT_EQ(brought->files.size(), 1u);
  EXPECT_EQ(brought->files[0].host, folder + "/prog");
  EXPECT_EQ(brought->files[0].guest, "/schedulers/prog");
  ASSERT_EQ(brought->descriptions.size(), 2u);
  EXPECT_EQ(brought->descriptions[1].at("command"), nlohmann::json({"/schedulers/prog", "-f"}));
  // And at the other end.
  ASSERT_TRUE(take_brought_arms({{"stage", true}, {"arms", brought->descriptions}}));
  EXPECT_EQ(external_arm(*find_arm("two"))->command[1], "-f");
  EXPECT_TRUE(take_brought_arms({{"stage", true}})) << "none is none";
}

TEST(BroughtArms, AMissingProgramIsNamed) {
  const std::vector<ExternalArm> arms{cold("one", {"no_such_program"})};
  auto brought = bring_arms(arms, {});
  ASSERT_FALSE(brought);
  EXPECT_THAT(brought.error().message, testing::HasSubstr("one: no program no_such_program here"));
}

TEST(BroughtArms, AreFoundInWhateverNamesThem) {
  const std::vector<ExternalArm> arms{cold("ext_a", {"a"}), cold("ext_a_b", {"a"})};
  if (!find_arm("ext_a")) {
    ASSERT_TRUE(register_external_arms(arms));
  }
  const auto names = [](const std::vector<std::string>& texts) {
    std::vector<std::string> out;
    for (const ExternalArm& arm : external_arms_among(texts)) out.push_back(arm.name);
    return out;
  };
  EXPECT_THAT(names({"hyb", "ext_a", "ext_a"}), testing::ElementsAre("ext_a"));
  EXPECT_THAT(names({"schedule:0=hyb,1s=ext_a_b,2s=ext_a"}), testing::ElementsAre("ext_a_b", "ext_a"));
  EXPECT_THAT(names({"static:arm=ext_a_c", ""}), testing::IsEmpty());
}

}  // namespace
}  // namespace pointsman
