// The checks behind variability.h, one function a kind of table; each adds what it finds.
#pragma once

#include "report/variability.h"

namespace pointsman::report {

void check_summary(const Frame& frame, Variability& out);
void check_processes(const Frame& frame, Variability& out);
void check_runs(const Frame& frame, Variability& out);
// Summaries that belong together (vm_cpu.csv and vm_other.csv: the same name up to the first '_') as one: is a sum of their terms a measure?
void check_sums(std::span<const Frame> frames, Variability& out);
// Two descriptions of the same column in different files are two arms; the baseline is the one whose name says so (eevdf, cfs, baseline), else the first.
void check_descriptions(std::span<const Frame> frames, Variability& out);

std::string at(const Frame& frame, size_t row, const std::string& metric = "");
inline bool near(double a, double b, double relative) { return std::abs(a - b) <= relative * std::max(std::abs(a), std::abs(b)); }

}  // namespace pointsman::report
