// Events: what happens to experiments, as it happens, for whoever listens; the last ones are kept, so that a listener that lost its connection misses nothing.
// Threads: the loop's.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace pointsman {

struct Event {
  uint64_t number = 0;     // from 1, of this server's life
  int64_t experiment = 0;
  std::string name{};      // experiment, repeat
  std::string data{};      // JSON, one line
  bool last = false;       // nothing more will come of this experiment
};

class Events {
 public:
  using Listener = std::function<void(const Event&)>;
  explicit Events(size_t kept = 256) : kept_(kept) {}

  void publish(Event event);  // its number is given here
  // The kept ones after `number`; nullopt: some of them are no longer kept, or it is a number of another life.
  [[nodiscard]] std::optional<std::deque<Event>> since(uint64_t number) const;
  [[nodiscard]] uint64_t last_number() const { return next_ - 1; }
  uint64_t listen(Listener listener);
  void forget(uint64_t listener) { listeners_.erase(listener); }
  [[nodiscard]] size_t listeners() const { return listeners_.size(); }

 private:
  size_t kept_;
  uint64_t next_ = 1, next_listener_ = 1;
  std::deque<Event> past_;
  std::map<uint64_t, Listener> listeners_;
};

}  // namespace pointsman
