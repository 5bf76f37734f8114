#include "lab/qmp.h"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include "base/clock.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

constexpr const char* kGreeting =
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"Debian 1:7.2\"}, \"capabilities\": [\"oob\"]}}\r\n";

// QEMU's side of a conversation, written in advance: a socket holds it until it is read.
struct Script {
  UniqueFd ours, theirs;
  explicit Script(const std::string& text) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ours.reset(ends[0]);
    theirs.reset(ends[1]);
    EXPECT_EQ(::send(theirs.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  std::string heard() {
    char buffer[4096];
    const ssize_t n = ::recv(theirs.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : std::string();
  }
};
int64_t soon() { return SystemClock().now_ns() + 5 * kSecond; }

TEST(QmpLines, CutsAndRefuses) {
  QmpLines lines;
  lines.feed("{\"a\": 1}\r\n\n{\"b\"");
  EXPECT_EQ((**lines.take())["a"], 1);
  EXPECT_FALSE(lines.take()->has_value());
  lines.feed(": {\"c\": [2]}}\n[1]\n");
  EXPECT_EQ((**lines.take())["b"]["c"][0], 2);
  EXPECT_EQ(lines.take().error().code, ErrorCode::kCorrupt);
  lines.feed("HTTP/1.1 200 OK\n");
  EXPECT_THAT(lines.take().error().message, HasSubstr("HTTP/1.1"));
}

TEST(Qmp, GreetsAndReadsTheVersion) {
  Script script(std::string(kGreeting) + "{\"return\": {}}\n");
  auto qmp = Qmp::open(std::move(script.ours), soon());
  ASSERT_TRUE(qmp) << qmp.error().message;
  EXPECT_EQ(qmp->version(), "7.2.22 Debian 1:7.2");
  EXPECT_EQ(script.heard(), "{\"execute\":\"qmp_capabilities\"}\n");
}

TEST(Qmp, EveryWaitEndsWhenItIsCancelled) {
  Script script(std::string(kGreeting) + "{\"return\": {}}\n");
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd cancel(ends[0]), cause(ends[1]);
  auto qmp = Qmp::open(std::move(script.ours), soon(), cancel.get());
  ASSERT_TRUE(qmp) << qmp.error().message;
  ASSERT_EQ(::write(cause.get(), "x", 1), 1);
  EXPECT_EQ(qmp->execute("query-status", {}, soon()).error().code, ErrorCode::kInterrupted);
  EXPECT_EQ(qmp->wait_event({"SHUTDOWN"}, soon()).error().code, ErrorCode::kInterrupted);
}

TEST(Qmp, EventsBetweenAnswersAreKeptInOrder) {
  Script script(std::string(kGreeting) + "{\"return\": {}}\n" +
                "{\"event\": \"STOP\"}\n{\"event\": \"MIGRATION\", \"data\": {\"status\": \"active\"}}\n{\"return\": {\"status\": \"paused\"}}\n" +
                "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"completed\"}}\n");
  auto qmp = Qmp::open(std::move(script.ours), soon());
  ASSERT_TRUE(qmp);
  auto status = qmp->execute("query-status", {}, soon());
  ASSERT_TRUE(status);
  EXPECT_EQ((*status)["status"], "paused");
  EXPECT_EQ((*qmp->wait_event({"MIGRATION"}, soon()))["data"]["status"], "active");
  EXPECT_EQ((*qmp->wait_event({"SHUTDOWN", "MIGRATION"}, soon()))["data"]["status"], "completed");
  EXPECT_EQ((*qmp->wait_event({"STOP"}, soon()))["event"], "STOP");
}

TEST(Qmp, ErrorsAreToldApart) {
  Script script(std::string(kGreeting) + "{\"return\": {}}\n{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such thing\"}}\n");
  auto qmp = Qmp::open(std::move(script.ours), soon());
  ASSERT_TRUE(qmp);
  auto refused = qmp->execute("frob", {{"x", 1}}, soon());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().message, "QEMU refuses frob: no such thing");
  EXPECT_EQ(qmp->wait_event({"STOP"}, SystemClock().now_ns() - 1).error().code, ErrorCode::kBusy);
  script.theirs.reset();
  EXPECT_EQ(qmp->wait_event({"STOP"}, soon()).error().code, ErrorCode::kIo);
  EXPECT_EQ(qmp->execute("cont", {}, soon()).error().code, ErrorCode::kIo);
}

TEST(Qmp, NoGreetingIsCorrupt) {
  Script script("{\"hello\": 1}\n");
  EXPECT_EQ(Qmp::open(std::move(script.ours), soon()).error().code, ErrorCode::kCorrupt);
}

TEST(Qmp, HandsADescriptorOver) {
  Script script(std::string(kGreeting) + "{\"return\": {}}\n{\"return\": {}}\n");
  auto qmp = Qmp::open(std::move(script.ours), soon());
  ASSERT_TRUE(qmp);
  script.heard();
  ASSERT_TRUE(qmp->execute_with_fd("getfd", {{"fdname", "state"}}, script.theirs.get(), soon()));
  char byte[256];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  iovec part{byte, sizeof byte};
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1, message.msg_control = control, message.msg_controllen = sizeof control;
  ASSERT_GT(::recvmsg(script.theirs.get(), &message, 0), 0);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  ASSERT_NE(header, nullptr);
  EXPECT_EQ(header->cmsg_type, SCM_RIGHTS);
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  EXPECT_GE(fd, 0);
  ::close(fd);
}

}  // namespace
}  // namespace pointsman
