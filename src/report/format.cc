#include "report/format.h"

#include <fmt/core.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <string_view>

namespace pointsman::report {

namespace {

// Three significant digits, but never more than two decimals.
int decimals_of(double value) {
  const double size = std::fabs(value);
  return size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
}

std::string with_unit(double value, std::string_view unit) { return format_fixed(value, decimals_of(value)) + " " + std::string(unit); }

}  // namespace

std::string format_fixed(double value, int decimals) {
  if (!std::isfinite(value)) return kNotKnown;
  std::string out = fmt::format("{:.{}f}", value, decimals);
  if (out[0] == '-' && out.find_first_of("123456789") == std::string::npos) out.erase(0, 1);
  return out;
}

std::string format_ratio(double value) { return format_fixed(value, decimals_of(value)); }

std::string format_percent(double ratio) {
  if (!std::isfinite(ratio)) return kNotKnown;
  const double percent = ratio * 100;
  return format_fixed(percent, std::fabs(percent) < .95 ? 1 : 0) + " %";
}

std::string format_seconds(double seconds) {
  if (!std::isfinite(seconds)) return kNotKnown;
  const double size = std::fabs(seconds);
  if (size == 0) return "0 s";
  if (size < .9995e-6) return with_unit(seconds * 1e9, "ns");
  if (size < .9995e-3) return with_unit(seconds * 1e6, "µs");
  if (size < .9995) return with_unit(seconds * 1e3, "ms");
  if (size < 99.95) return with_unit(seconds, "s");
  const auto whole = static_cast<long long>(std::llround(size));
  const char* sign = seconds < 0 ? "-" : "";
  if (whole < 3600) return fmt::format("{}{} min {:02} s", sign, whole / 60, whole % 60);
  return fmt::format("{}{} h {:02} min", sign, whole / 3600, whole / 60 % 60);
}

std::string format_bytes(double bytes) {
  if (!std::isfinite(bytes)) return kNotKnown;
  constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (std::fabs(bytes) >= 999.5 && unit + 1 < kUnits.size()) {
    bytes /= 1000;
    ++unit;
  }
  return unit == 0 ? format_fixed(bytes, 0) + " B" : with_unit(bytes, kUnits[unit]);
}

std::string format_count(double value) {
  std::string out = format_fixed(value, 0);
  if (!std::isfinite(value)) return out;
  const size_t first = out[0] == '-' ? 1 : 0;
  for (size_t at = out.size(); at > first + 3;) {
    at -= 3;
    out.insert(at, " ");
  }
  return out;
}

std::string format_interval(const Interval& interval, std::string (*one)(double)) {
  if (!interval.known() || !interval.bounded() || (interval.low == interval.mean && interval.high == interval.mean))
    return one(interval.mean);
  return fmt::format("{} [{}, {}]", one(interval.mean), one(interval.low), one(interval.high));
}

}  // namespace pointsman::report
