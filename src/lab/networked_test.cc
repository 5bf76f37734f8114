#include "lab/networked.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

namespace pointsman {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Networked, AMachineIsExactOrHasANetworkNeverBoth) {
  MachineOptions options;
  const std::string exact = describe(options);
  EXPECT_THAT(exact, HasSubstr("-icount shift=1,sleep=off"));
  EXPECT_THAT(exact, HasSubstr("-nic none"));
  options.networked = Networked{.port = 4711};
  const std::string networked = describe(options);
  EXPECT_THAT(networked, Not(HasSubstr("icount")));
  EXPECT_THAT(networked, HasSubstr("hostfwd=tcp:127.0.0.1:4711-10.0.2.15:8765")) << "of the host's loopback only";
  EXPECT_THAT(networked, HasSubstr("restrict=on")) << "and nothing of the host or beyond can be reached from inside";
  EXPECT_THAT(networked, HasSubstr("-accel tcg,thread=multi"));
  options.networked->kvm = true;
  EXPECT_THAT(describe(options), HasSubstr("-accel kvm"));
}

TEST(Networked, APortThatIsTakenIsToldBeforeAnythingBoots) {
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  socklen_t size = sizeof address;
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  const auto taken = free_port(ntohs(address.sin_port));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().message, fmt::format("port {}: something listens there already", ntohs(address.sin_port)));
  const auto any = free_port(0);
  ASSERT_TRUE(any);
  EXPECT_GT(*any, 1023);
}

}  // namespace
}  // namespace pointsman
