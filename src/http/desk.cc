#include "http/desk.h"

#include "base/log.h"

namespace pointsman {

using nlohmann::json;

namespace {

std::string text_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

// ISO 8601, in UTC.
std::string moment(int64_t ms) {
  const time_t seconds = ms / 1000;
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     ms % 1000);
}

}  // namespace

Desk::Desk(ExperimentStore& store, Worker& worker, Events& events, DeskOptions options)
    : store_(store), worker_(worker), events_(events), options_(std::move(options)) {
  worker_.on_idle = [this] { go_on(); };
}

Result<Unit> Desk::recover() {
  auto aborted = store_.abort_running("the server ended in the middle of it", options_.now_ms());
  if (!aborted) return fail(aborted.error());
  if (*aborted > 0) log_info("{} experiment{} aborted: the last server ended in the middle of it", *aborted, *aborted > 1 ? "s" : "");
  counts_.ended["aborted"] += *aborted;
  go_on();
  return Unit{};
}

int Desk::waiting() {
  auto queued = store_.queued();
  return queued ? static_cast<int>(queued->size()) : 0;
}

Result<Desk::Submitted> Desk::submit(const ExperimentSpec& spec, const std::string& idempotency_key) {
  const std::string text = to_json(spec).dump();
  if (!idempotency_key.empty()) {
    auto known = store_.find_by_key(idempotency_key);
    if (!known) return fail(known.error());
    if (*known) {
      if ((*known)->spec != text)
        return fail(ErrorCode::kInvalidArgument, "this Idempotency-Key came with another experiment before: {}", (*known)->id);
      ++counts_.replayed;
      return Submitted{.experiment = std::move(**known), .replayed = true};
    }
  }
  const RigInfo* rig = worker_.info();
  if (rig == nullptr) return fail(ErrorCode::kPermissionDenied, "experiments cannot be run yet: {}", worker_.trouble().empty() ? "the rig is being opened" : worker_.trouble());
  const RigArm* arm = rig->find(spec.arm);
  if (arm == nullptr) {
    std::string names;
    for (const RigArm& one : rig->arms) names += (names.empty() ? "" : ", ") + one.name;
    return fail(ErrorCode::kNotFound, "arm: there is no '{}' (there are: {})", spec.arm, names);
  }
  if (!arm->unavailable.empty()) return fail(ErrorCode::kUnsupported, "arm {} cannot be had here: {}", spec.arm, arm->unavailable);
  if (spec.trace && rig->backend == "lab") return fail(ErrorCode::kUnsupported, "trace: the lab records none (its guests have no disk to put it on)");
  if (spec.trace && options_.trace_folder.empty()) return fail(ErrorCode::kUnsupported, "trace: this server keeps none");
  if (rig->backend == "lab" && !spec.workload.exec.empty()) return fail(ErrorCode::kUnsupported, "workload.exec: the lab runs named workloads (pointsman lab run runs programs in it)");
  auto queued = store_.queued();
  if (!queued) return fail(queued.error());
  // The first in the queue starts at once when nothing runs.
  const bool starts_now = queued->empty() && !running_ && worker_.idle();
  if (!starts_now && static_cast<int>(queued->size()) >= options_.queue) {
    ++counts_.refused;
    return fail(ErrorCode::kBusy, "{} experiments wait already; this server lets {} wait", queued->size(), options_.queue);
  }
  auto count = store_.count();
  if (!count) return fail(count.error());
  if (*count >= options_.most) return fail(ErrorCode::kIo, "this server keeps {} experiments and has them; start it with a new ledger", options_.most);
  auto added = store_.add({.spec = text, .idempotency_key = idempotency_key, .starts = starts_now}, options_.now_ms());
  if (!added) return fail(added.error());
  ++counts_.submitted;
  if (starts_now)
    begin(*added);
  else
    tell(*added);
  auto now = store_.find(added->id);
  if (!now) return fail(now.error());
  return Submitted{.experiment = std::move(*now)};
}

Result<StoredExperiment> Desk::cancel(int64_t id) {
  auto found = store_.find(id);
  if (!found) return found;
  if (found->ended()) return fail(ErrorCode::kInvalidArgument, "experiment {} has ended: {}", id, found->state);
  if (running_ && running_->experiment.id == id) {
    if (!running_->cancelled) {
      running_->cancelled = true;
      tell(*found);
      worker_.cancel();
    }
    return store_.find(id);
  }
  if (auto ended = store_.end(id, {.state = "cancelled"}, options_.now_ms()); !ended) return fail(ended.error());
  ++counts_.ended["cancelled"];
  found = store_.find(id);
  if (found) tell(*found);
  return found;
}

void Desk::close() {
  closed_ = true;
  if (!running_) return;
  end({.state = "aborted", .error_code = "interrupted", .error = "the server was asked to end"});
}

void Desk::go_on() {
  if (closed_ || running_ || !worker_.idle()) return;
  auto queued = store_.queued();
  if (!queued) return log_warning("{}", queued.error().message);
  if (queued->empty()) return;
  const int64_t id = queued->front();
  if (auto started = store_.start(id, options_.now_ms()); !started) return log_warning("{}", started.error().message);
  auto experiment = store_.find(id);
  if (!experiment) return log_warning("{}", experiment.error().message);
  begin(std::move(*experiment));
}

void Desk::begin(StoredExperiment experiment) {
  // Stored by an earlier server, maybe with more arms or another backend.
  auto spec = experiment_from_json(json::parse(experiment.spec, nullptr, false));
  running_ = Running{.experiment = std::move(experiment)};
  if (!spec) return end({.state = "failed", .error_code = name_of(spec.error().code), .error = spec.error().message});
  running_->spec = std::move(*spec);
  const RigArm* arm = worker_.info()->find(running_->spec.arm);
  if (arm == nullptr || !arm->unavailable.empty())
    return end({.state = "failed", .error_code = name_of(ErrorCode::kUnsupported),
                .error = fmt::format("arm {} cannot be had here: {}", running_->spec.arm, arm == nullptr ? "there is none of that name" : arm->unavailable)});
  tell(running_->experiment);
  run_repeat();
}

void Desk::run_repeat() {
  const Running& r = *running_;
  RepeatRequest request{.experiment = r.experiment.id, .repeat = r.experiment.repeats_done, .spec = r.spec};
  if (r.spec.trace && request.repeat == 0) request.trace_file = trace_file(r.experiment.id);
  worker_.run(request, [this, id = r.experiment.id](Result<RepeatResult> result) {
    if (running_ && running_->experiment.id == id) take(std::move(result));
  });
}

void Desk::take(Result<RepeatResult> result) {
  Running& r = *running_;
  if (!result) {
    if (r.cancelled) return end({.state = "cancelled"});
    return end({.state = "failed", .error_code = name_of(result.error().code), .error = result.error().message});
  }
  const bool is_last = r.experiment.repeats_done + 1 >= r.spec.repeats;
  std::optional<ExperimentStore::End> how;
  if (is_last) how = ExperimentStore::End{.state = "done"};
  const std::string costs = std::move(result->costs);
  if (auto kept = store_.add_repeat(r.experiment.id, {.costs = costs, .result = std::move(result->result)}, how, options_.now_ms()); !kept)
    return end({.state = "failed", .error_code = name_of(kept.error().code), .error = kept.error().message});
  ++counts_.repeats;
  const int repeat = r.experiment.repeats_done++;
  events_.publish({.experiment = r.experiment.id, .name = "repeat",
                   .data = fmt::format("{{\"id\":{},\"repeat\":{},\"repeats\":{},\"costs\":{}}}", r.experiment.id, repeat, r.spec.repeats, costs)});
  if (is_last) return ended(*how);
  if (r.cancelled) return end({.state = "cancelled"});
  run_repeat();
}

void Desk::end(const ExperimentStore::End& how) {
  if (auto kept = store_.end(running_->experiment.id, how, options_.now_ms()); !kept) log_warning("{}", kept.error().message);
  ended(how);
}

void Desk::ended(const ExperimentStore::End& how) {
  const int64_t id = running_->experiment.id;
  running_.reset();
  ++counts_.ended[how.state];
  if (auto experiment = store_.find(id)) tell(*experiment);
  go_on();
}

void Desk::tell(const StoredExperiment& experiment) {
  events_.publish({.experiment = experiment.id, .name = "experiment", .data = describe(experiment), .last = experiment.ended()});
}

std::string Desk::trace_file(int64_t id) const { return options_.trace_folder.empty() ? "" : fmt::format("{}/{}.pftrace", options_.trace_folder, id); }

std::string Desk::describe(const StoredExperiment& e) {
  json out = json::parse(e.spec, nullptr, false);
  if (!out.is_object()) out = json::object();
  out["id"] = e.id;
  out["state"] = e.state;
  out["repeats_done"] = e.repeats_done;
  out["created"] = moment(e.created_ms);
  if (e.started_ms != 0) out["started"] = moment(e.started_ms);
  if (e.ended_ms != 0) out["ended"] = moment(e.ended_ms);
  if (cancelling(e.id)) out["cancelling"] = true;
  if (!e.error.empty()) out["error"] = {{"code", e.error_code}, {"message", e.error}};
  return text_of(out);
}

}  // namespace pointsman
