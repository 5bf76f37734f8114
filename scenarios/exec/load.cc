// Open-loop load on files and on an HTTP server: every operation has a planned moment, drawn by seed, and its latency counts from that moment, however late it began.
//
//   load files PERSONALITY PROCESSES RATE SECONDS SEED      file_server, web_server or mail, in the current folder
//   load http SOCKET CONNECTIONS RATE SECONDS SEED          GET /small (nine in ten) and /large, over a Unix socket
//
// RATE is operations a second in all. One line says what came out.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace {

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "load: %s: %s\n", why.c_str(), std::strerror(errno));
  std::exit(1);
}

int64_t now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}

// splitmix64.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t n) { return next() % n; }
  double exponential(double mean) { return -mean * std::log1p(-static_cast<double>(next() >> 11) * 0x1p-53); }

 private:
  uint64_t state_;
};

std::vector<int64_t> planned_ns(Random& random, double rate, double seconds) {
  std::vector<int64_t> out;
  for (double at = random.exponential(1 / rate); at < seconds; at += random.exponential(1 / rate)) out.push_back(static_cast<int64_t>(at * 1e9));
  return out;
}

void tell(const char* what, std::vector<int64_t> latencies) {
  if (latencies.empty()) {
    std::printf("%s: nothing was planned\n", what);
    return;
  }
  std::sort(latencies.begin(), latencies.end());
  double sum = 0;
  for (const int64_t ns : latencies) sum += static_cast<double>(ns);
  const auto at = [&](size_t percent) { return static_cast<double>(latencies[std::min(latencies.size() - 1, latencies.size() * percent / 100)]) / 1e6; };
  std::printf("%s: %zu operations, latency from the planned moment: mean %.2f ms, p50 %.2f, p99 %.2f, worst %.2f\n", what, latencies.size(), sum / static_cast<double>(latencies.size()) / 1e6, at(50), at(99),
              static_cast<double>(latencies.back()) / 1e6);
}

// The flows of Filebench's personalities of these names: c creates and writes a file, r reads one, a appends 16 KiB to one, f does so and syncs it, d deletes one, s asks for its status, l appends to the log.
struct Personality {
  const char* name;
  const char* flow;
  int files, mean_bytes;
};
constexpr Personality kPersonalities[] = {{"file_server", "cards", 200, 131072}, {"web_server", "rrrrrrrrrrl", 1000, 16384}, {"mail", "dcfrfr", 1000, 16384}};

class Files {
 public:
  Files(const Personality& p, uint64_t seed) : p_(p), random_(seed), bytes_(1 << 20, 'x') {}
  void write_whole(int file) {
    const int fd = ::open(name(file).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0) give_up(name(file));
    append(fd, std::clamp<size_t>(static_cast<size_t>(random_.exponential(p_.mean_bytes)), 512, 8 * static_cast<size_t>(p_.mean_bytes)));
    ::close(fd);
  }
  void flow() {
    for (const char op : std::string_view(p_.flow)) {
      const int file = static_cast<int>(random_.below(static_cast<uint64_t>(p_.files)));
      switch (op) {
        case 'c': write_whole(file); break;
        case 'd': ::unlink(name(file).c_str()); break;
        case 'r': read_whole(file); break;
        case 's': {
          struct stat status{};
          static_cast<void>(::stat(name(file).c_str(), &status));
          break;
        }
        default: {
          const int fd = ::open(op == 'l' ? "log" : name(file).c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
          if (fd < 0) give_up("append");
          append(fd, 16384);
          if (op == 'f') ::fsync(fd);
          ::close(fd);
        }
      }
    }
  }

 private:
  static std::string name(int file) { return "f" + std::to_string(file); }
  void append(int fd, size_t left) {
    for (; left > 0; left -= std::min(left, bytes_.size()))
      if (::write(fd, bytes_.data(), std::min(left, bytes_.size())) < 0) give_up("write");
  }
  void read_whole(int file) {
    const int fd = ::open(name(file).c_str(), O_RDONLY);
    if (fd < 0) return;  // deleted: the answer is that there is none
    while (::read(fd, bytes_.data(), 65536) > 0) {
    }
    ::close(fd);
  }
  const Personality& p_;
  Random random_;
  std::string bytes_;
};

void load_files(const std::string& personality, int processes, double rate, double seconds, uint64_t seed) {
  const auto* p = std::find_if(std::begin(kPersonalities), std::end(kPersonalities), [&](const Personality& one) { return personality == one.name; });
  if (p == std::end(kPersonalities)) {
    std::fprintf(stderr, "load: there is no personality '%s' (there are: file_server, web_server, mail)\n", personality.c_str());
    std::exit(2);
  }
  Files all(*p, seed);
  for (int i = 0; i < p->files; ++i) all.write_whole(i);
  std::vector<std::vector<int64_t>> plans;
  size_t total = 0;
  for (int i = 0; i < processes; ++i) {
    Random random(seed * 1000 + static_cast<uint64_t>(i));
    plans.push_back(planned_ns(random, rate / processes, seconds));
    total += plans.back().size();
  }
  auto* latencies = static_cast<int64_t*>(::mmap(nullptr, std::max<size_t>(1, total) * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (latencies == MAP_FAILED) give_up("memory");
  const int64_t start_ns = now_ns() + 50'000'000;
  size_t at = 0;
  for (int i = 0; i < processes; at += plans[static_cast<size_t>(i++)].size()) {
    if (::fork() != 0) continue;
    Files mine(*p, seed * 1000 + 500 + static_cast<uint64_t>(i));
    for (const int64_t planned : plans[static_cast<size_t>(i)]) {
      const int64_t due = start_ns + planned;
      const timespec when{due / 1'000'000'000, due % 1'000'000'000};
      while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr) == EINTR) {
      }
      mine.flow();
      latencies[at++] = now_ns() - due;
    }
    ::_exit(0);
  }
  int status = 0;
  while (::wait(&status) > 0)
    if (status != 0) give_up("a process failed");
  tell(personality.c_str(), std::vector<int64_t>(latencies, latencies + total));
}

void load_http(const std::string& path, int connections, double rate, double seconds, uint64_t seed) {
  struct Connection {
    int fd = -1;
    size_t request = SIZE_MAX;
    std::string got;
  };
  std::vector<Connection> all(static_cast<size_t>(connections));
  for (Connection& c : all) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    c.fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    if (::connect(c.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) give_up(path);
  }
  Random random(seed);
  const std::vector<int64_t> plan = planned_ns(random, rate, seconds);
  std::vector<uint8_t> large(plan.size());
  for (uint8_t& one : large) one = random.below(10) == 0;
  std::vector<int64_t> latencies[2];
  std::deque<size_t> waiting;
  size_t next = 0, done = 0;
  const int64_t start_ns = now_ns() + 50'000'000;
  std::vector<pollfd> polls(all.size());
  while (done < plan.size()) {
    for (; next < plan.size() && start_ns + plan[next] <= now_ns(); ++next) waiting.push_back(next);
    for (Connection& c : all) {
      if (waiting.empty()) break;
      if (c.request != SIZE_MAX) continue;
      c.request = waiting.front();
      waiting.pop_front();
      const std::string text = std::string("GET /") + (large[c.request] ? "large" : "small") + " HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n";
      if (::send(c.fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) give_up("send");
    }
    for (size_t i = 0; i < all.size(); ++i) polls[i] = {all[i].fd, POLLIN, 0};
    const int64_t until = next < plan.size() ? std::max<int64_t>(0, start_ns + plan[next] - now_ns()) : 1'000'000'000;
    const timespec wait{until / 1'000'000'000, until % 1'000'000'000};
    if (::ppoll(polls.data(), polls.size(), &wait, nullptr) <= 0) continue;
    for (size_t i = 0; i < all.size(); ++i) {
      if (polls[i].revents == 0) continue;
      Connection& c = all[i];
      char bytes[65536];
      const ssize_t n = ::recv(c.fd, bytes, sizeof bytes, 0);
      if (n <= 0) give_up("the server closed a connection");
      c.got.append(bytes, static_cast<size_t>(n));
      const size_t end = c.got.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      if (c.got.compare(0, 15, "HTTP/1.1 200 OK") != 0) give_up(c.got.substr(0, 15));
      const size_t length = c.got.find("Content-Length: ");
      // What is compressed on the way comes in chunks.
      const bool whole = length < end ? c.got.size() >= end + 4 + std::strtoull(c.got.c_str() + length + 16, nullptr, 10) : c.got.ends_with("\r\n0\r\n\r\n");
      if (!whole) continue;
      latencies[large[c.request]].push_back(now_ns() - start_ns - plan[c.request]);
      c.request = SIZE_MAX;
      c.got.clear();
      ++done;
    }
  }
  tell("small", latencies[0]);
  tell("large", latencies[1]);
}

}  // namespace

int main(int argc, char** argv) {
  const int size = argc == 7 ? std::atoi(argv[3]) : 0;
  const double rate = argc == 7 ? std::atof(argv[4]) : 0, seconds = argc == 7 ? std::atof(argv[5]) : 0;
  const bool http = argc == 7 && std::string_view(argv[1]) == "http";
  if (argc != 7 || (!http && std::string_view(argv[1]) != "files") || size < 1 || size > 1000 || !(rate > 0) || !(seconds > 0)) {
    std::fprintf(stderr, "usage: load files PERSONALITY PROCESSES RATE SECONDS SEED | load http SOCKET CONNECTIONS RATE SECONDS SEED\n");
    return 2;
  }
  (http ? load_http : load_files)(argv[2], size, rate, seconds, std::strtoull(argv[6], nullptr, 10));
  return 0;
}
