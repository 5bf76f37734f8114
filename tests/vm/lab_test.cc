#include <thread>

#include "guest_under_test.h"

namespace pointsman {
namespace {

class LabTest : public GuestTest {};

TEST_F(LabTest, TheSelfTestIsGood) {
  ASSERT_TRUE(snapshot_->hello().contains("selftest"));
  EXPECT_TRUE(snapshot_->hello().at("selftest").at("good").get<bool>()) << snapshot_->hello().dump();
}

TEST_F(LabTest, ForksOfOneSaveAgreeToTheBitAlsoSideBySide) {
  auto first = episode("pareto", "las");
  ASSERT_TRUE(first) << first.error().message;
  Result<EpisodeResult> again = fail(ErrorCode::kIo, "not run"), other = fail(ErrorCode::kIo, "not run");
  {
    std::jthread beside([&] { other = episode("pareto", "las", 2); });
    again = episode("pareto", "las");
  }
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(first->results_hash, again->results_hash);
  EXPECT_NE(first->results_hash, other->results_hash) << "another seed is another workload";
}

TEST_F(LabTest, SwapAndBlockIoAreExactToo) {
  RunLimits limits;
  auto one = snapshot_->run({{"kind", "burn"}}, {}, limits), two = snapshot_->run({{"kind", "burn"}}, {}, limits);
  ASSERT_TRUE(one) << one.error().message;
  ASSERT_TRUE(two) << two.error().message;
  EXPECT_EQ(one->results_hash, two->results_hash);
}

TEST_F(LabTest, AJobThatDoesNotExistIsSaidSo) {
  auto result = snapshot_->run({{"kind", "no such job"}}, {}, {});
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("no such job"), std::string::npos) << result.error().message;
}

TEST_F(LabTest, AHungGuestIsEndedAtItsVirtualLimit) {
  RunLimits limits;
  limits.virtual_ns = 2 * kSecond;
  limits.host_seconds = 300;
  auto result = snapshot_->run({{"kind", "exec"}, {"command", "sleep 1000"}}, {}, limits);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kBusy) << result.error().message;
}

TEST_F(LabTest, APanickedGuestIsReportedWithItsLastWords) {
  RunLimits limits;
  limits.host_seconds = 300;
  auto result = snapshot_->run({{"kind", "exec"}, {"command", "echo c > /proc/sysrq-trigger; sleep 5"}}, {}, limits);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("anic"), std::string::npos) << result.error().message;
}

TEST_F(LabTest, AnImageThatIsNoKernelIsRefused) {
  auto kernel = Kernel::open("/bin/true");
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error().code, ErrorCode::kInvalidArgument);
  auto missing = Kernel::open("/no/such/kernel");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace pointsman
