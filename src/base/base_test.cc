#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <filesystem>

#include "base/exact_math.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/pipe.h"
#include "base/result.h"
#include "base/rng.h"
#include "base/temporary_folder.h"

namespace pointsman {
namespace {

TEST(Result, CarriesValueOrError) {
  Result<int> good = 7;
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 7);
  Result<int> bad = fail(ErrorCode::kBusy, "arm {} is held", "las");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::kBusy);
  EXPECT_EQ(bad.error().at("swap").message, "swap: arm las is held");
}

TEST(File, MissingFileIsNotFound) {
  auto r = read_file("/no/such/file");
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, ErrorCode::kNotFound);
  EXPECT_NE(r.error().message.find("/no/such/file"), std::string::npos);
}

TEST(File, FailedWriteLeavesTheOldFileAndNoRemains) {
  const std::string path = testing::TempDir() + "pointsman_file_test";
  ASSERT_TRUE(write_file(path, "one"));
  EXPECT_FALSE(write_file("/dev/full/x", "two"));
  EXPECT_EQ(*read_file(path), "one");
  ASSERT_TRUE(write_file(path, "two"));
  EXPECT_EQ(*read_file(path), "two");
}

TEST(File, ALinkIsWrittenThroughAndADeviceIsNotReplaced) {
  auto folder = TemporaryFolder::make("base-test");
  ASSERT_TRUE(folder) << folder.error().message;
  const std::string target = folder->path() + "/target", link = folder->path() + "/link", device = folder->path() + "/device";
  ASSERT_TRUE(write_file(target, "old"));
  ASSERT_EQ(::symlink("target", link.c_str()), 0);
  ASSERT_TRUE(write_file(link, "new"));
  EXPECT_EQ(*read_file(target), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  ASSERT_EQ(::symlink("/dev/null", device.c_str()), 0);
  ASSERT_TRUE(write_file(device, "x"));
  EXPECT_TRUE(std::filesystem::is_symlink(device));
}

TEST(TemporaryFolder, IsGoneWithWhatIsInIt) {
  std::string path;
  {
    auto folder = TemporaryFolder::make("base-test");
    ASSERT_TRUE(folder) << folder.error().message;
    TemporaryFolder moved = std::move(*folder);
    path = moved.path();
    EXPECT_NE(path.find("pointsman-base-test-"), std::string::npos);
    ASSERT_TRUE(write_file(path + "/file", "x"));
  }
  EXPECT_EQ(read_file(path + "/file").error().code, ErrorCode::kNotFound);
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST(Pipe, TellsWhyAChildBecameNoProgram) {
  for (const int error : {0, ENOENT}) {
    auto pipe = Pipe::open();
    ASSERT_TRUE(pipe) << pipe.error().message;
    const pid_t child = ::fork();
    if (child == 0) {
      errno = error;
      if (error != 0) tell_start_failure(pipe->out.get());
      ::_exit(0);
    }
    pipe->out.reset();
    EXPECT_EQ(told_start_failure(pipe->in.get()), error);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), error == 0 ? 0 : 127);
  }
}

// Known-answer vectors that come with the Random123 library (kat_vectors, philox4x32 10).
TEST(Philox, MatchesPublishedVectors) {
  using A4 = std::array<uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (A4{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (A4{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (A4{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, SameKeySameDrawsOtherKeyOthers) {
  Rng a(1, "web", 3), b(1, "web", 3), c(1, "web", 4), d(2, "web", 3), e(1, "wec", 3);
  const uint64_t first = a.next();
  EXPECT_EQ(first, b.next());
  EXPECT_NE(first, c.next());
  EXPECT_NE(first, d.next());
  EXPECT_NE(first, e.next());
}

TEST(Rng, MomentsOfTheDistributions) {
  Rng r(42, "moments");
  const int n = 200000;
  double exponential = 0, normal = 0, square = 0, lognormal = 0;
  for (int i = 0; i < n; ++i) {
    exponential += r.exponential(3);
    const double z = r.normal();
    normal += z;
    square += z * z;
    lognormal += r.lognormal(2, .5);
    const double p = r.pareto(1.1, 4, 1000);
    ASSERT_GE(p, 4 * (1 - 1e-12));
    ASSERT_LE(p, 1000 * (1 + 1e-12));
    ASSERT_LT(r.below(7), 7u);
  }
  // Bounds are five standard errors.
  EXPECT_NEAR(exponential / n, 3, 5 * 3 / std::sqrt(n));
  EXPECT_NEAR(normal / n, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(square / n, 1, 5 * std::sqrt(2.0 / n));
  EXPECT_NEAR(lognormal / n, 2, 5 * 2 * std::sqrt(std::exp(.25) - 1) / std::sqrt(n));
}

TEST(ExactMath, AgreesWithTheLibrary) {
  Rng r(1, "exact");
  for (int i = 0; i < 20000; ++i) {
    const double x = r.uniform(-30, 30), y = std::exp(x), t = r.uniform();
    EXPECT_NEAR(exact_exp(x) / y, 1, 1e-14);
    EXPECT_NEAR(exact_log(y), x, 1e-14 * (1 + std::abs(x)));
    EXPECT_NEAR(exact_cos2pi(t), std::cos(2 * M_PI * t), 2e-15);
    EXPECT_NEAR(exact_tanh(x), std::tanh(x), 1e-14);
  }
}

TEST(Hash, KnownAnswers) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_NE(Hash64{}.add("ab").add("c").value(), Hash64{}.add("a").add("bc").value());
}

}  // namespace
}  // namespace pointsman
