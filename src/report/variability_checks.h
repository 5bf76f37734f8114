// The checks behind variability.h, one function a kind of table; each adds what it finds.
#pragma once

#include <optional>
#include <utility>

#include "report/variability.h"

namespace pointsman::report {

void check_summary(const Frame& frame, Variability& out);
void check_processes(const Frame& frame, Variability& out);
void check_runs(const Frame& frame, Variability& out);
// Summaries that belong together (vm_cpu.csv and vm_other.csv: the same name up to the first '_') as one: is a sum of their terms a measure?
void check_sums(std::span<const Frame> frames, Variability& out);
// Sets of summaries of which only some divide by cores: whoever compares the columns as they stand compares unlike things, and may find the opposite of what is so.
void check_conventions_across(std::span<const Frame> frames, Variability& out);
// A table of processes and a summary of the same set that has their mean turnaround: how many processes must there have been for both to be true?
void check_room(std::span<const Frame> frames, Variability& out);
// Two descriptions of the same column in different files are two arms; the baseline is the one whose name says so (eevdf, cfs, baseline), else the first.
void check_descriptions(std::span<const Frame> frames, Variability& out);

struct SumTerm {
  std::string metric;
  double mean = kMissing, std = kMissing;
};
// Whether adding these up is a measure, or one of them speaks for all; nothing when one is not known. Returns the sum's mean and deviation, as if they were independent.
std::optional<std::pair<double, double>> judge_sum(const std::string& where, std::span<const SumTerm> terms, Variability& out);

// What a file belongs to: its name up to the first '_', without the ending.
std::string set_of(const Frame& frame);
std::string at(const Frame& frame, size_t row, const std::string& metric = "");
inline bool near(double a, double b, double relative) { return std::abs(a - b) <= relative * std::max(std::abs(a), std::abs(b)); }

}  // namespace pointsman::report
