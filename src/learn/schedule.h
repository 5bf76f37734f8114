// Schedule: arms at moments fixed beforehand. The oracle is one of these, made from phase boundaries and the matrix.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "learn/controller.h"

namespace pointsman {

struct ScheduleEntry {
  int64_t at_ns = 0;  // since the start
  ArmId arm = kDefaultArm;
};

class Schedule : public Controller {
 public:
  // Errors: kInvalidArgument (empty, the first not at 0, moments not rising).
  static Result<std::unique_ptr<Schedule>> create(std::vector<ScheduleEntry> entries, std::string name = "schedule");

  [[nodiscard]] std::string name() const override { return name_; }
  Decision decide(const Context& context) override;
  [[nodiscard]] ArmId first_arm() const override { return entries_.front().arm; }
  [[nodiscard]] bool literal() const override { return true; }
  [[nodiscard]] std::optional<int64_t> next_moment_ns(int64_t since_start_ns) const override;

 private:
  Schedule(std::vector<ScheduleEntry> entries, std::string name) : entries_(std::move(entries)), name_(std::move(name)) {}
  std::vector<ScheduleEntry> entries_;
  std::string name_;
};

// The same as the text that make_controller reads.
std::string schedule_spec(const std::vector<ScheduleEntry>& entries);

}  // namespace pointsman
