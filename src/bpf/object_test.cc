#include "bpf/object.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace pointsman {
namespace {

extern "C" const unsigned char portfolio_bpf_start[], portfolio_bpf_end[];

std::span<const unsigned char> portfolio_bytes() { return {portfolio_bpf_start, portfolio_bpf_end}; }

TEST(BpfObject, OpensTheEmbeddedPortfolio) {
  auto object = BpfObject::open("portfolio", portfolio_bytes());
  ASSERT_TRUE(object) << object.error().message;
  EXPECT_TRUE(object->program_fd("flip"));
  EXPECT_TRUE(object->map_fd("portfolio"));
}

TEST(BpfObject, ListsItsPrograms) {
  auto object = BpfObject::open("portfolio", portfolio_bytes());
  ASSERT_TRUE(object);
  const auto programs = object->programs();
  for (const char* name : {"flip", "watch", "pm_dispatch", "pm_enqueue"})
    EXPECT_NE(std::find(programs.begin(), programs.end(), name), programs.end()) << name;
}

TEST(BpfObject, GarbageIsAnErrorWithLibbpfsWords) {
  const unsigned char garbage[64] = {1, 2, 3};
  auto object = BpfObject::open("garbage", garbage);
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().message.find('\n'), std::string::npos);
  EXPECT_NE(object.error().message.find("garbage"), std::string::npos) << object.error().message;
}

TEST(BpfObject, VariablesAreSetByNameAndSize) {
  auto object = BpfObject::open("portfolio", portfolio_bytes());
  ASSERT_TRUE(object);
  EXPECT_TRUE(object->set_rodata("pm_nr_cpu", uint32_t{8}));
  auto wrong_size = object->set_rodata("pm_nr_cpu", uint64_t{8});
  ASSERT_FALSE(wrong_size);
  EXPECT_EQ(wrong_size.error().code, ErrorCode::kInvalidArgument);
  auto unknown = object->set_rodata("pm_nr_cpus", uint32_t{8});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
}

TEST(BpfObject, UnknownNamesAreNotFound) {
  auto object = BpfObject::open("portfolio", portfolio_bytes());
  ASSERT_TRUE(object);
  EXPECT_EQ(object->program_fd("flop").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(object->map_fd("flop").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(object->attach("flop").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(object->map_section(".data.flop").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace pointsman
