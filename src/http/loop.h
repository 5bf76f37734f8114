// Loop: the one thread on which the server lives: its sockets, its worker, its queue. Wraps Boost.Asio's context, so that only what speaks to sockets includes it.
// Threads: post() and stop() from any; all else from the thread that runs it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace pointsman {

class Loop {
 public:
  Loop();
  ~Loop();
  void run();  // until stop()
  void stop();
  void post(std::function<void()> call);
  void after(int64_t ns, std::function<void()> call);
  // Once, at the first SIGINT, SIGTERM or SIGHUP from now on.
  void on_end_signal(std::function<void(int)> call);
  [[nodiscard]] boost::asio::io_context& context();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pointsman
