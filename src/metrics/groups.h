// Groups: turnaround, response, run delay, slowdown and fairness of each cgroup, command name or job, live (bpf/groups), as differences between two looks.
// Threads: one. Owns: the programs; destroying it detaches them.
// Errors: open: kPermissionDenied (needs root, or CAP_BPF and CAP_PERFMON), kUnsupported, kIo. tag: kNotFound (no such process).
// Definitions: slowdown = TAT / CPU time and fairness = 1 / slowdown, of threads that were born and ended in the span; share = CPU time / (weight x time wanted), of those
// that wanted a CPU for at least half of it. Jain's index J = (sum x)^2 / (n sum x^2); CV = std (ddof 1) / mean.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bpf/groups/groups.intf.h"
#include "bpf/object.h"

namespace pointsman {

enum class GroupBy { kAll, kCgroup, kCommand, kJob };
// Errors: kInvalidArgument, with the names there are.
Result<GroupBy> find_group_by(std::string_view name);

// Of one group, between two looks.
struct GroupSpan {
  std::string name;
  pm_group sums{};  // differences; `alive` is a level
  [[nodiscard]] double mean_tat_s() const;  // NaN where there is nothing to average, here and below
  [[nodiscard]] double mean_rt_s() const;
  [[nodiscard]] double mean_wait_s() const;
  [[nodiscard]] double mean_slowdown() const;
  [[nodiscard]] double jain_of_fairness() const;
  [[nodiscard]] double cv_of_fairness() const;
  [[nodiscard]] double jain_of_share() const;
  [[nodiscard]] double cv_of_share() const;
  enum class Hist { kWait, kTat, kRt };
  [[nodiscard]] double quantile_s(Hist hist, double q) const;
};

class Groups {
 public:
  static Result<Groups> open(GroupBy by);
  // The process and its descendants, and what they fork from now on, are the job NAME.
  Result<Unit> tag(pid_t pid, const std::string& name);
  // What happened since the look before, or since it was opened: groups in which anything happened or anyone is alive, the most CPU time first.
  Result<std::vector<GroupSpan>> look();
  [[nodiscard]] pm_group_losses losses() const;
  [[nodiscard]] const BpfObject& object() const { return object_; }

 private:
  struct Less {
    bool operator()(const pm_group_key& a, const pm_group_key& b) const;
  };
  Groups(BpfObject object, GroupBy by) : object_(std::move(object)), by_(by) {}
  [[nodiscard]] std::string name_of(const pm_group_key& key);
  BpfObject object_;
  GroupBy by_;
  MappedSection losses_;
  std::vector<BpfLink> links_;
  std::map<pm_group_key, pm_group, Less> before_;
  std::map<pm_u64, std::string> cgroups_, jobs_;
  int map_ = -1, walk_ = -1, tag_ = -1;
  int64_t looked_ns_ = 0;
};

}  // namespace pointsman
