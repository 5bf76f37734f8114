// From what the tracer saw to rows of the process table and to lanes of a Perfetto file.
#pragma once

#include <span>

#include "metrics/tracer.h"
#include "report/perfetto.h"
#include "report/process_table.h"

namespace pointsman::report {

ProcessRow row_of(const TracedProcess& process);
void add(PerfettoFile& file, const pm_event& event);
// What CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC, as PerfettoFile::open wants it.
int64_t boot_offset_ns();

}  // namespace pointsman::report
