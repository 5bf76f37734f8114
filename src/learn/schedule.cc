#include "learn/schedule.h"

#include "learn/controllers.h"

namespace pointsman {

Result<std::unique_ptr<Schedule>> Schedule::create(std::vector<ScheduleEntry> entries, std::string name) {
  if (entries.empty() || entries.front().at_ns != 0) return fail(ErrorCode::kInvalidArgument, "a schedule begins with an arm at 0");
  for (size_t i = 1; i < entries.size(); ++i)
    if (entries[i].at_ns <= entries[i - 1].at_ns)
      return fail(ErrorCode::kInvalidArgument, "a schedule's moments rise: {} ns after {} ns", entries[i].at_ns, entries[i - 1].at_ns);
  return std::unique_ptr<Schedule>(new Schedule(std::move(entries), std::move(name)));
}

Decision Schedule::decide(const Context& context) {
  size_t i = entries_.size() - 1;
  while (i > 0 && entries_[i].at_ns > context.since_start_ns) --i;
  return {
      .arm = entries_[i].arm, .propensity = 1, .why = fmt::format("scheduled from {:.3f} s", static_cast<double>(entries_[i].at_ns) / 1e9)};
}

std::optional<int64_t> Schedule::next_moment_ns(int64_t since_start_ns) const {
  for (const ScheduleEntry& entry : entries_)
    if (entry.at_ns > since_start_ns) return entry.at_ns;
  return std::nullopt;
}

std::string schedule_spec(const std::vector<ScheduleEntry>& entries) {
  std::string out = "schedule";
  for (const ScheduleEntry& entry : entries)
    out += fmt::format("{}{}{}={}", out == "schedule" ? ':' : ',', entry.at_ns, entry.at_ns == 0 ? "" : "ns",
                       arm_name(entry.arm));
  return out;
}

Result<std::unique_ptr<Controller>> make_schedule(const ControllerSpec& spec) {
  std::vector<ScheduleEntry> entries;
  for (const auto& [time, name] : spec.options()) {
    const auto at = parse_duration(time);
    if (!at) return fail(at.error().at("controller 'schedule'"));
    const auto arm = find_arm(name);
    if (!arm) return fail(arm.error().at("controller 'schedule'"));
    entries.push_back({*at, *arm});
  }
  auto schedule = Schedule::create(std::move(entries));
  if (!schedule) return fail(schedule.error().at("controller 'schedule'"));
  return std::unique_ptr<Controller>(std::move(*schedule));
}

}  // namespace pointsman
