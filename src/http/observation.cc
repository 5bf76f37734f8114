#include "http/observation.h"

#include <algorithm>

#include "report/traced_rows.h"

namespace pointsman {

Observation::Observation(const Eyes& eyes, Clock& clock, Options options)
    : sampler_(eyes.sampler), tracer_(eyes.tracer), probe_(eyes.probe), clock_(clock), options_(options), interval_ns_(options.tick_ns) {}

Result<Unit> Observation::trace_to(const std::string& file, pid_t root) {
  auto opened = report::PerfettoFile::open(file, report::boot_offset_ns());
  if (!opened) return fail(opened.error());
  auto tracer = Tracer::open({.scope = TracerOptions::Scope::kTree, .root = root, .events = true});
  if (!tracer) return fail(tracer.error().at("trace"));
  file_.emplace(std::move(*opened));
  event_tracer_.emplace(std::move(*tracer));
  return Unit{};
}

Result<Unit> Observation::begin() {
  if (tracer_ != nullptr) {
    if (auto drained = tracer_->drain(fresh_, {.all = true}); !drained) return drained;
    fresh_.clear();
  }
  snapshots_.clear();
  if (auto taken = take_snapshot(); !taken) return taken;
  begun_ns_ = clock_.now_ns();
  next_ns_ = begun_ns_ + interval_ns_;
  if (probe_ == nullptr) return Unit{};
  auto reading = probe_->read();
  if (!reading) return fail(reading.error());
  window_start_ = *reading;
  next_window_ns_ = begun_ns_ + options_.window_ns;
  return Unit{};
}

Result<Unit> Observation::close_window() {
  auto reading = probe_->read();
  if (!reading) return fail(reading.error());
  const WindowInput input{.before = window_start_.sums, .after = reading->sums, .before_ns = window_start_.moment_ns, .after_ns = reading->moment_ns, .cpus = probe_->cpus()};
  if (windows_.size() < options_.windows)
    windows_.push_back({.end_ns = reading->moment_ns - begun_ns_, .idle = nearly_idle(input), .features = features_of(input)});
  else
    ++dropped_windows_;
  window_start_ = *reading;
  next_window_ns_ = std::max(next_window_ns_ + options_.window_ns, clock_.now_ns());
  return Unit{};
}

Result<Unit> Observation::take_snapshot() {
  snapshots_.push_back(sampler_.tick());
  return Unit{};
}

Result<Unit> Observation::drain(const DrainOptions& options) {
  if (event_tracer_) {
    auto read = event_tracer_->read_events([&](const pm_event& event) {
      if (++events_ <= options_.events)
        report::add(*file_, event);
      else
        ++events_dropped_;
    });
    if (!read) return read;
  }
  if (tracer_ == nullptr) return Unit{};
  if (auto drained = tracer_->drain(fresh_, {.all = options.all}); !drained) return drained;
  for (TracedProcess& process : fresh_) {
    if (processes_.size() < options_.processes)
      processes_.push_back(std::move(process));
    else
      ++dropped_;
  }
  fresh_.clear();
  return Unit{};
}

Result<Unit> Observation::tick() {
  if (clock_.now_ns() >= next_window_ns_) {
    if (auto closed = close_window(); !closed) return closed;
  }
  if (clock_.now_ns() < next_ns_) return Unit{};
  if (auto taken = take_snapshot(); !taken) return taken;
  if (snapshots_.size() >= options_.snapshots) {
    // The first stays, so that the span stays.
    for (size_t i = 1; 2 * i < snapshots_.size(); ++i) snapshots_[i] = std::move(snapshots_[2 * i]);
    snapshots_.resize((snapshots_.size() + 1) / 2);
    interval_ns_ *= 2;
  }
  next_ns_ = std::max(next_ns_ + interval_ns_, clock_.now_ns());
  return drain({});
}

Result<Unit> Observation::end() {
  if (auto taken = take_snapshot(); !taken) return taken;
  if (auto drained = drain({.all = true}); !drained) return drained;
  if (tracer_ != nullptr) {
    if (const pm_trace_losses losses = tracer_->losses(); losses.processes > 0)
      notes_.push_back(fmt::format("{} processes or threads since the server's start had no room in the kernel's map", losses.processes));
  }
  if (dropped_windows_ > 0) notes_.push_back(fmt::format("the first {} of {} windows", windows_.size(), windows_.size() + dropped_windows_));
  if (dropped_ > 0) notes_.push_back(fmt::format("{} processes more than are kept", dropped_));
  if (!file_) return Unit{};
  for (const TracedProcess& process : processes_) file_->add_process(process.pid, static_cast<int32_t>(process.sums.parent), process.command);
  if (events_dropped_ > 0) notes_.push_back(fmt::format("the trace holds {} events; {} more came after its end", options_.events, events_dropped_));
  if (const pm_trace_losses losses = event_tracer_->losses(); losses.events > 0) notes_.push_back(fmt::format("the trace lacks {} events that had no room in the ring", losses.events));
  event_tracer_.reset();
  return file_->finish();
}

}  // namespace pointsman
