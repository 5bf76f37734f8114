// Numbers as people read them: sensible digits, units, one sign for what is not known. Independent of the locale.
#pragma once

#include <string>

#include "report/interval.h"

namespace pointsman::report {

inline constexpr const char* kNotKnown = "-";

std::string format_fixed(double value, int decimals);  // never "-0.00"
std::string format_ratio(double value);                // 0.82, 12.3, 140
std::string format_percent(double ratio);              // 0.183 -> "18 %", 0.0042 -> "0.4 %"
std::string format_seconds(double seconds);            // 38 µs, 412 ms, 1.24 s, 2 min 22 s, 1 h 05 min; three digits
std::string format_bytes(double bytes);                // 9.4 MB, decimal
std::string format_count(double value);                // 12 345

// "0.82 [0.79, 0.85]"; the mean alone where the ends are not known or do not differ from it.
std::string format_interval(const Interval& interval, std::string (*one)(double) = format_ratio);

}  // namespace pointsman::report
