// Result<T>: a value or an Error. Spelled like std::expected (C++23), so that the type can give way to it when the project moves past C++20.
#pragma once

#include <fmt/core.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <variant>

namespace pointsman {

// What to do next, for the caller; the message is for people.
enum class ErrorCode {
  kNotFound,          // name something that exists
  kUnsupported,       // this machine, kernel or build cannot; another could
  kInvalidArgument,   // say it differently
  kPermissionDenied,  // ask for rights
  kBusy,              // try again when the holder is gone
  kCorrupt,           // the data is damaged: make it anew
  kIo,                // the system failed underneath
  kInterrupted,       // a person asked to stop: nothing is wrong
};
const char* name_of(ErrorCode code);

struct Error {
  ErrorCode code{};
  std::string message;  // one line: what was tried, on what, why it failed

  // The same error, told from one level further up: "WHERE: message".
  [[nodiscard]] Error at(const std::string& where) const { return {code, where + ": " + message}; }
};

struct Unexpected {
  Error error;
};

template <typename... Args>
[[nodiscard]] Unexpected fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return {{code, fmt::format(format, std::forward<Args>(args)...)}};
}
[[nodiscard]] inline Unexpected fail(Error error) { return {std::move(error)}; }
// fail_errno(what): kNotFound, kPermissionDenied, kBusy or kIo after errno, with its text.
[[nodiscard]] Unexpected fail_errno(const std::string& what);

struct Unit {};

template <typename T = Unit>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Unexpected u) : state_(std::in_place_index<1>, std::move(u.error)) {}

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  [[nodiscard]] T& value() & { return std::get<0>(state_); }
  [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
  [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
  [[nodiscard]] T& operator*() & { return value(); }
  [[nodiscard]] const T& operator*() const& { return value(); }
  [[nodiscard]] T&& operator*() && { return std::move(*this).value(); }
  [[nodiscard]] T* operator->() { return &value(); }
  [[nodiscard]] const T* operator->() const { return &value(); }
  [[nodiscard]] const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

}  // namespace pointsman
