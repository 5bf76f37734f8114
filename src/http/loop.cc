#include "http/loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <utility>

namespace pointsman {

namespace asio = boost::asio;

struct Loop::State {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard{context.get_executor()};
};

Loop::Loop() : state_(std::make_unique<State>()) {}
Loop::~Loop() = default;
void Loop::run() { state_->context.run(); }
void Loop::stop() { state_->context.stop(); }
void Loop::post(std::function<void()> call) { asio::post(state_->context, std::move(call)); }

void Loop::after(int64_t ns, std::function<void()> call) {
  auto timer = std::make_shared<asio::steady_timer>(state_->context, std::chrono::nanoseconds(ns));
  timer->async_wait([timer, call = std::move(call)](const boost::system::error_code& error) {
    if (!error) call();
  });
}

void Loop::on_end_signal(std::function<void(int)> call) {
  auto signals = std::make_shared<asio::signal_set>(state_->context, SIGINT, SIGTERM, SIGHUP);
  signals->async_wait([signals, call = std::move(call)](const boost::system::error_code& error, int signal) {
    if (!error) call(signal);
  });
}

asio::io_context& Loop::context() { return state_->context; }

}  // namespace pointsman
