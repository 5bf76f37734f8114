#include "metrics/groups.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <limits>
#include <tuple>

#include "base/clock.h"
#include "bpf/probe/hist.h"

extern "C" const unsigned char groups_bpf_start[], groups_bpf_end[];

namespace pointsman {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kAttached[] = {"groups_switch", "groups_wakeup", "groups_fork"};
constexpr std::pair<const char*, GroupBy> kNames[] = {{"all", GroupBy::kAll}, {"cgroup", GroupBy::kCgroup}, {"command", GroupBy::kCommand}, {"job", GroupBy::kJob}};

using Words = std::array<uint64_t, sizeof(pm_group) / sizeof(uint64_t)>;
static_assert(sizeof(Words) == sizeof(pm_group));

double mean(pm_u64 sum, pm_u64 n, double scale) { return n == 0 ? kNothing : static_cast<double>(sum) / static_cast<double>(n) / scale; }

double jain(pm_u64 n, pm_u64 sum, pm_u64 squares) {
  const double s = static_cast<double>(sum) / PM_UNIT, q = static_cast<double>(squares) / PM_UNIT;
  return n == 0 || !(q > 0) ? kNothing : std::min(1.0, s * s / (static_cast<double>(n) * q));
}

// J = 1 / (1 + CV^2) with the deviation of the whole; ddof 1 is n / (n - 1) more of its square.
double cv(pm_u64 n, pm_u64 sum, pm_u64 squares) {
  const double j = jain(n, sum, squares), count = static_cast<double>(n);
  return n < 2 || std::isnan(j) ? kNothing : std::sqrt(std::max(0.0, 1 / j - 1) * count / (count - 1));
}

}  // namespace

Result<GroupBy> find_group_by(std::string_view name) {
  for (const auto& [known, by] : kNames) {
    if (name == known) return by;
  }
  return fail(ErrorCode::kInvalidArgument, "no groups by '{}' (there are all, cgroup, command, job)", name);
}

double GroupSpan::mean_tat_s() const { return mean(sums.tat_ns, sums.exits, 1e9); }
double GroupSpan::mean_rt_s() const { return mean(sums.rt_ns, sums.first_runs, 1e9); }
double GroupSpan::mean_wait_s() const { return mean(sums.wait_ns, sums.waits, 1e9); }
double GroupSpan::mean_slowdown() const { return mean(sums.slowdown, sums.ended, PM_UNIT); }
double GroupSpan::jain_of_fairness() const { return jain(sums.ended, sums.fairness, sums.fairness2); }
double GroupSpan::cv_of_fairness() const { return cv(sums.ended, sums.fairness, sums.fairness2); }
double GroupSpan::jain_of_share() const { return jain(sums.sharers, sums.share, sums.share2); }
double GroupSpan::cv_of_share() const { return cv(sums.sharers, sums.share, sums.share2); }
double GroupSpan::quantile_s(Hist hist, double q) const {
  const auto& counts = hist == Hist::kWait ? sums.wait_hist : hist == Hist::kTat ? sums.tat_hist : sums.rt_hist;
  std::array<uint64_t, PM_HIST_BUCKETS> copy;
  std::copy(std::begin(counts), std::end(counts), copy.begin());
  return std::all_of(copy.begin(), copy.end(), [](uint64_t n) { return n == 0; }) ? kNothing : hist_quantile_ns(copy, q) / 1e9;
}

bool Groups::Less::operator()(const pm_group_key& a, const pm_group_key& b) const {
  return a.id != b.id ? a.id < b.id : std::memcmp(a.name, b.name, sizeof(a.name)) < 0;
}

Result<Groups> Groups::open(GroupBy by) {
  auto object = BpfObject::open("groups", {groups_bpf_start, groups_bpf_end});
  if (!object) return fail(object.error());
  if (auto done = object->set_rodata("by", static_cast<uint32_t>(by)); !done) return fail(done.error());
  if (auto done = object->load(); !done) {
    const Error& error = done.error();
    if (error.code != ErrorCode::kPermissionDenied) return fail(error);
    return fail(error.code, "{}; groups need root, or CAP_BPF and CAP_PERFMON", error.message);
  }
  Groups groups(std::move(*object), by);
  auto losses = groups.object_.map_section(".data.losses");
  if (!losses) return fail(losses.error());
  groups.losses_ = std::move(*losses);
  auto map = groups.object_.map_fd("groups");
  auto walk = groups.object_.program_fd("walk"), tag = groups.object_.program_fd("tag");
  if (!map) return fail(map.error());
  if (!walk) return fail(walk.error());
  if (!tag) return fail(tag.error());
  groups.map_ = *map;
  groups.walk_ = *walk;
  groups.tag_ = *tag;
  for (const char* name : kAttached) {
    auto link = groups.object_.attach(name);
    if (!link) return fail(link.error());
    groups.links_.push_back(std::move(*link));
  }
  if (auto first = groups.look(); !first) return fail(first.error());
  return groups;
}

Result<Unit> Groups::tag(pid_t pid, const std::string& name) {
  if (::kill(pid, 0) != 0 && errno == ESRCH) return fail(ErrorCode::kNotFound, "there is no process {}", pid);
  pm_u64 id = 0;
  for (const auto& [known, job] : jobs_) {
    if (job == name) id = known;
  }
  if (id == 0) {
    id = jobs_.size() + 1;
    jobs_[id] = name;
  }
  pm_group_tag argument{.tag = id, .tgid = static_cast<pm_u32>(pid), .threads = 0};
  if (auto ran = object_.run(tag_, std::as_writable_bytes(std::span(&argument, 1))); !ran) return fail(ran.error());
  return Unit{};
}

std::string Groups::name_of(const pm_group_key& key) {
  if (by_ == GroupBy::kAll) return "all";
  if (by_ == GroupBy::kCommand) return std::string(key.name, ::strnlen(key.name, sizeof(key.name)));
  if (by_ == GroupBy::kJob) {
    const auto job = jobs_.find(key.id);
    return job == jobs_.end() ? "-" : job->second;
  }
  if (const auto known = cgroups_.find(key.id); known != cgroups_.end()) return known->second;
  // A cgroup's number is its folder's inode. Looked for anew when one is met that was not there before.
  cgroups_.clear();
  const std::string root = "/sys/fs/cgroup";
  std::error_code error;
  struct stat status {};
  if (::stat(root.c_str(), &status) == 0) cgroups_[status.st_ino] = "/";
  for (auto it = std::filesystem::recursive_directory_iterator(root, std::filesystem::directory_options::skip_permission_denied, error); !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    std::error_code gone;
    if (it->is_directory(gone) && ::stat(it->path().c_str(), &status) == 0) cgroups_[status.st_ino] = it->path().string().substr(root.size());
  }
  const auto found = cgroups_.find(key.id);
  return found != cgroups_.end() ? found->second : (cgroups_[key.id] = fmt::format("cgroup {} (gone, or not below {})", key.id, root));
}

Result<std::vector<GroupSpan>> Groups::look() {
  const int64_t now_ns = SystemClock().now_ns();
  pm_group_walk walk{.span_ns = looked_ns_ == 0 ? 0 : static_cast<pm_u64>(now_ns - looked_ns_), .threads = 0};
  if (auto ran = object_.run(walk_, std::as_writable_bytes(std::span(&walk, 1))); !ran) return fail(ran.error());
  looked_ns_ = now_ns;
  const int possible = libbpf_num_possible_cpus();
  if (possible <= 0) return fail(ErrorCode::kIo, "counting this machine's CPUs: {}", std::strerror(-possible));
  std::vector<Words> cpus(static_cast<size_t>(possible));
  std::vector<GroupSpan> out;
  std::vector<pm_group_key> dead;
  pm_group_key key{}, next{};
  for (const pm_group_key* at = nullptr; bpf_map_get_next_key(map_, at, &next) == 0; at = &key) {
    key = next;
    if (bpf_map_lookup_elem(map_, &key, cpus.data()) != 0) continue;
    Words total{};
    for (const Words& cpu : cpus) {
      for (size_t i = 0; i < total.size(); ++i) total[i] += cpu[i];
    }
    const Words before = std::bit_cast<Words>(before_[key]);
    Words delta{};
    bool any = false;
    for (size_t i = 0; i < total.size(); ++i) {
      delta[i] = total[i] - before[i];
      any = any || delta[i] != 0;
    }
    before_[key] = std::bit_cast<pm_group>(total);
    if (any) {
      out.push_back({.name = name_of(key), .sums = std::bit_cast<pm_group>(delta)});
    } else if (by_ != GroupBy::kAll) {
      dead.push_back(key);  // nobody is alive and nothing happened: make room
    }
  }
  for (const pm_group_key& one : dead) {
    bpf_map_delete_elem(map_, &one);
    before_.erase(one);
  }
  std::stable_sort(out.begin(), out.end(), [](const GroupSpan& a, const GroupSpan& b) { return a.sums.cpu_ns > b.sums.cpu_ns; });
  return out;
}

pm_group_losses Groups::losses() const {
  const auto* shared = static_cast<const volatile pm_group_losses*>(losses_.data());
  return {.groups = shared->groups, .threads = shared->threads};
}

}  // namespace pointsman
