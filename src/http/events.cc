#include "http/events.h"

#include <utility>

namespace pointsman {

void Events::publish(Event event) {
  event.number = next_++;
  past_.push_back(std::move(event));
  if (past_.size() > kept_) past_.pop_front();
  // A listener may leave while it is told.
  const auto listeners = listeners_;
  for (const auto& [id, listener] : listeners)
    if (listeners_.contains(id)) listener(past_.back());
}

std::optional<std::deque<Event>> Events::since(uint64_t number) const {
  if (number >= next_) return std::nullopt;
  if (!past_.empty() && number + 1 < past_.front().number) return std::nullopt;
  std::deque<Event> out;
  for (const Event& event : past_)
    if (event.number > number) out.push_back(event);
  return out;
}

uint64_t Events::listen(Listener listener) {
  listeners_.emplace(next_listener_, std::move(listener));
  return next_listener_++;
}

}  // namespace pointsman
