// DemoReport as JSON. Each struct lists its fields once; writing and reading are two visitors of that list, so they cannot drift apart.
#include <cmath>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "report/demo_report.h"

namespace pointsman::report {

namespace {

constexpr const char* kFormat = "pointsman-demo";
constexpr int kVersion = 1;

template <typename V, typename T>
void visit(V& v, T& x) {
  using X = std::remove_const_t<T>;
  if constexpr (std::is_same_v<X, Interval>) {
    v("mean", x.mean), v("low", x.low), v("high", x.high);
  } else if constexpr (std::is_same_v<X, MachineCard>) {
    v("kernel", x.kernel), v("qemu", x.qemu), v("binary_hash", x.binary_hash), v("snapshot", x.snapshot), v("commit", x.commit);
    v("guest_cpus", x.guest_cpus), v("guest_memory_bytes", x.guest_memory_bytes), v("host_cpu", x.host_cpu), v("host_cpus", x.host_cpus);
    v("date", x.date);
  } else if constexpr (std::is_same_v<X, ArmCost>) {
    v("controller", x.controller), v("ratio", x.ratio);
  } else if constexpr (std::is_same_v<X, DemoPhase>) {
    v("family", x.family), v("regime", x.regime), v("imitates", x.imitates), v("start_s", x.start_s), v("length_s", x.length_s);
    v("costs", x.costs);
  } else if constexpr (std::is_same_v<X, DemoScenario>) {
    v("name", x.name), v("split", x.split), v("phases", x.phases);
  } else if constexpr (std::is_same_v<X, ControllerInfo>) {
    v("name", x.name), v("kind", x.kind), v("summary", x.summary);
  } else if constexpr (std::is_same_v<X, RunCosts>) {
    v("ln_ratio", x.ln_ratio), v("log_slowdown", x.log_slowdown), v("mean_tat_s", x.mean_tat_s), v("mean_rt_s", x.mean_rt_s);
    v("cv_fairness", x.cv_fairness), v("seed_l", x.seed_l), v("p99_rt_short_s", x.p99_rt_short_s);
  } else if constexpr (std::is_same_v<X, DemoStep>) {
    v("t_s", x.t_s), v("decided_s", x.decided_s), v("arm", x.arm), v("why", x.why), v("refused", x.refused);
  } else if constexpr (std::is_same_v<X, Sight>) {
    v("phase", x.phase), v("saw", x.saw), v("chose", x.chose), v("why", x.why);
  } else if constexpr (std::is_same_v<X, DemoRun>) {
    v("scenario", x.scenario), v("seed", x.seed), v("controller", x.controller), v("costs", x.costs), v("swaps", x.swaps),
        v("end_s", x.end_s);
    v("steps", x.steps), v("seen", x.seen), v("distrust", x.distrust), v("results_hash", x.results_hash);
  } else if constexpr (std::is_same_v<X, GapClosed>) {
    v("split", x.split), v("controller", x.controller), v("train_static", x.train_static), v("hindsight_static", x.hindsight_static);
    v("blocks", x.blocks), v("vs_train_static", x.vs_train_static), v("vs_hindsight", x.vs_hindsight);
  } else if constexpr (std::is_same_v<X, AgentOverhead>) {
    v("cpu_ratio", x.cpu_ratio), v("rss_bytes", x.rss_bytes), v("tick_p99_s", x.tick_p99_s);
  } else if constexpr (std::is_same_v<X, SwapTime>) {
    v("kind", x.kind), v("count", x.count), v("call_p50_s", x.call_p50_s), v("call_p99_s", x.call_p99_s),
        v("longest_wait_s", x.longest_wait_s);
  } else if constexpr (std::is_same_v<X, SummaryRow>) {
    v("split", x.split), v("controller", x.controller), v("blocks", x.blocks), v("cost", x.cost), v("tat", x.tat), v("rt", x.rt);
    v("cv_fairness", x.cv_fairness), v("seed_l", x.seed_l), v("p99_rt_short", x.p99_rt_short), v("swaps", x.swaps),
        v("absolute", x.absolute);
  } else if constexpr (std::is_same_v<X, Versus>) {
    v("split", x.split), v("rival", x.rival), v("ratio", x.ratio);
  } else {
    static_assert(std::is_same_v<X, DemoReport>);
    v("title", x.title), v("agent", x.agent), v("baseline", x.baseline), v("oracle", x.oracle), v("split", x.split),
        v("machine", x.machine);
    v("scenarios", x.scenarios), v("controllers", x.controllers), v("runs", x.runs), v("gaps", x.gaps), v("overhead", x.overhead);
    v("swap_times", x.swap_times), v("how", x.how), v("limits", x.limits), v("command", x.command), v("summary", x.summary);
    v("versus", x.versus);
  }
}

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};

class Writer {
 public:
  template <typename T>
  static nlohmann::json write(const T& x) {
    if constexpr (std::is_same_v<T, double>) {
      return std::isfinite(x) ? nlohmann::json(x) : nlohmann::json(nullptr);
    } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
      return x;
    } else if constexpr (IsVector<T>::value) {
      nlohmann::json out = nlohmann::json::array();
      for (const auto& item : x) out.push_back(write(item));
      return out;
    } else {
      Writer writer;
      visit(writer, x);
      return std::move(writer.out_);
    }
  }
  template <typename T>
  void operator()(const char* key, const T& x) {
    out_[key] = write(x);
  }

 private:
  nlohmann::json out_ = nlohmann::json::object();
};

// Remembers the first thing that was wrong; the rest of the reading is then without meaning and thrown away.
class Reader {
 public:
  Reader(const nlohmann::json& in, std::string place, std::string& wrong) : in_(in), place_(std::move(place)), wrong_(wrong) {}

  template <typename T>
  static void read(const nlohmann::json& in, const std::string& place, std::string& wrong, T& x) {
    if (!wrong.empty()) return;
    if constexpr (std::is_same_v<T, double>) {
      if (in.is_null())
        x = kMissing;
      else if (in.is_number())
        x = in.get<double>();
      else
        wrong = place + ": want a number or null, have " + in.type_name();
    } else if constexpr (std::is_same_v<T, bool>) {
      if (in.is_boolean())
        x = in.get<bool>();
      else
        wrong = place + ": want true or false, have " + in.type_name();
    } else if constexpr (std::is_integral_v<T>) {
      if (!in.is_number_integer()) {
        wrong = place + ": want a whole number, have " + in.type_name();
      } else if (in.is_number_unsigned() ? !std::in_range<T>(in.get<uint64_t>()) : !std::in_range<T>(in.get<int64_t>())) {
        wrong = place + ": want a whole number in range";
      } else {
        x = in.get<T>();
      }
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (in.is_string())
        x = in.get<std::string>();
      else
        wrong = place + ": want a text, have " + in.type_name();
    } else if constexpr (IsVector<T>::value) {
      if (!in.is_array()) {
        wrong = place + ": want a list, have " + in.type_name();
        return;
      }
      x.clear();
      for (size_t i = 0; i < in.size(); ++i) read(in[i], place + "[" + std::to_string(i) + "]", wrong, x.emplace_back());
    } else {
      if (!in.is_object()) {
        wrong = place + ": want an object, have " + in.type_name();
        return;
      }
      Reader reader(in, place, wrong);
      visit(reader, x);
    }
  }
  template <typename T>
  void operator()(const char* key, T& x) {
    if (!wrong_.empty()) return;
    const std::string place = place_.empty() ? key : place_ + "." + key;
    const auto it = in_.find(key);
    if (it == in_.end())
      wrong_ = place + ": missing";
    else
      read(*it, place, wrong_, x);
  }

 private:
  const nlohmann::json& in_;
  const std::string place_;
  std::string& wrong_;
};

}  // namespace

nlohmann::json to_json(const DemoReport& report) {
  nlohmann::json out = Writer::write(report);
  out["format"] = kFormat;
  out["version"] = kVersion;
  out["gap_closed"] = {{"vs_train_static", to_json(Interval{})}, {"vs_hindsight", to_json(Interval{})}};
  for (const GapClosed& gap : report.gaps)
    if (gap.split == report.split && gap.controller == report.agent)
      out["gap_closed"] = {{"vs_train_static", to_json(gap.vs_train_static)}, {"vs_hindsight", to_json(gap.vs_hindsight)}};
  for (nlohmann::json& controller : out["controllers"]) {
    for (const SummaryRow& row : report.summary) {
      if (row.split != report.split || row.controller != controller["name"]) continue;
      controller["ratios_to_baseline"] = {{"cost", to_json(row.cost)},     {"tat", to_json(row.tat)},
                                          {"rt", to_json(row.rt)},         {"cv_fairness", to_json(row.cv_fairness)},
                                          {"seed_l", to_json(row.seed_l)}, {"p99_rt_short", to_json(row.p99_rt_short)}};
    }
  }
  return out;
}

Result<DemoReport> demo_report_from(const nlohmann::json& json) {
  if (!json.is_object() || !json.contains("format") || json["format"] != kFormat)
    return fail(ErrorCode::kCorrupt, "this is no stored demo report");
  if (!json.contains("version") || json["version"] != kVersion)
    return fail(ErrorCode::kUnsupported, "a stored demo report of version {}; this build reads version {}",
                json.value("version", nlohmann::json()).dump(), kVersion);
  DemoReport report;
  std::string wrong;
  Reader::read(json, "", wrong, report);
  if (!wrong.empty()) return fail(ErrorCode::kCorrupt, "stored demo report: {}", wrong);
  return report;
}

}  // namespace pointsman::report
