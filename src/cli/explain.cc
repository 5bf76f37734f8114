// pointsman explain: one decision of a ledger in words: what was seen, what each expert said, what the model made of it, what else there was to take, and what a
// swap was taken to cost.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/project.h"
#include "cli/verb.h"
#include "learn/dataset.h"
#include "learn/features.h"
#include "learn/model.h"
#include "learn/votes.h"
#include "store/ledger.h"

namespace pointsman {

namespace {

struct Options {
  std::string decision, ledger, model, scenario, controller;
  JsonOption json;
};

constexpr size_t kShown = 6;  // features

std::string_view name_of(size_t arm) { return arms()[arm].name; }
double percent_below(double log_ratio) { return 100 * (1 - std::exp(log_ratio)); }
std::string against_default(double log_ratio) {
  if (std::abs(log_ratio) < .005) return fmt::format("as {}", name_of(kDefaultArm));
  return fmt::format("{:.0f} % {} {}", std::abs(percent_below(log_ratio)), log_ratio < 0 ? "below" : "above", name_of(kDefaultArm));
}

// What a prediction of `arm` against the default arm would lack without a feature: its training mean in its place.
struct Contribution {
  size_t feature = 0;
  double value = 0, of_gain = 0;
};
double gain_of(const Model& model, const FeatureVector& features, ArmId active, size_t arm) {
  return choose(model.predict(features, active), {.deviations = 0, .margin = 0}).predicted[arm];
}
std::vector<Contribution> contributions(const Model& model, const FeatureVector& features, ArmId active, size_t arm) {
  const double whole = gain_of(model, features, active, arm);
  std::vector<Contribution> out;
  for (size_t f = 0; f < kFeatures; ++f) {
    FeatureVector without = features;
    without[f] = model.mean[f];
    out.push_back({f, features[f], whole - gain_of(model, without, active, arm)});
  }
  std::stable_sort(out.begin(), out.end(), [](const Contribution& a, const Contribution& b) { return std::abs(a.of_gain) > std::abs(b.of_gain); });
  return out;
}

struct Found {
  const LedgerRun* run = nullptr;
  size_t at = 0;
};

// A number counts decisions over the runs that are left, a time is that of the last of them, "last" is the last.
Result<Found> find_decision(const std::vector<LedgerRun>& runs, const std::string& text) {
  size_t total = 0;
  for (const LedgerRun& run : runs) total += run.decisions.size();
  if (total == 0) return fail(ErrorCode::kNotFound, "no decision there");
  const auto nth = [&](size_t n) {
    for (const LedgerRun& run : runs) {
      if (n < run.decisions.size()) return Found{&run, n};
      n -= run.decisions.size();
    }
    return Found{&runs.back(), runs.back().decisions.size() - 1};
  };
  if (text == "last") return nth(total - 1);
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const bool seconds = stop + 1 == end && *stop == 's', number = stop == end && value == std::floor(value);
  if (error != std::errc{} || !(seconds || number) || value < 0) return fail(ErrorCode::kInvalidArgument, "'{}' is no decision: a number, a moment like 12.5s, or last", text);
  if (number) {
    if (value >= static_cast<double>(total)) return fail(ErrorCode::kNotFound, "there is no decision {}: they go from 0 to {}", text, total - 1);
    return nth(static_cast<size_t>(value));
  }
  const LedgerRun& run = runs.back();
  for (size_t i = 0; i < run.decisions.size(); ++i)
    if (static_cast<double>(run.decisions[i].at_ns) >= value * 1e9 - 1) return Found{&run, i};
  return fail(ErrorCode::kNotFound, "{} ends before {}", describe(run.key), text);
}

Result<Unit> run(const Options& o) {
  auto ledger = Ledger::open(o.ledger, {.access = LedgerOptions::Access::kRead});
  if (!ledger) return fail(ledger.error());
  auto all = ledger->read();
  if (!all) return fail(all.error());
  std::erase_if(*all, [&](const LedgerRun& r) {
    return (!o.scenario.empty() && r.key.scenario != o.scenario) || (!o.controller.empty() && !r.key.controller.starts_with(o.controller));
  });
  auto found = find_decision(*all, o.decision);
  if (!found) return fail(found.error().at(o.ledger));
  const LedgerRun& r = *found->run;
  const LedgerDecision& d = r.decisions[found->at];
  if (found->at >= r.windows.size()) return fail(ErrorCode::kCorrupt, "{}: decision {} has no window", o.ledger, found->at);
  const LedgerWindow& w = r.windows[found->at];

  nlohmann::json out = {{"run", describe(r.key)}, {"at_s", static_cast<double>(d.at_ns) / 1e9}, {"active", w.arm}, {"wanted", d.arm}, {"taken", d.taken}, {"why", d.why},
                        {"held_back", d.held_back}, {"propensity", d.propensity}};
  std::string text = fmt::format("{}, at {:.2f} s: under {} it wanted {} and took {}\n", describe(r.key), static_cast<double>(d.at_ns) / 1e9, w.arm, d.arm, d.taken);
  text += fmt::format("  its own words: {}\n", d.why);
  if (!d.held_back.empty()) text += fmt::format("  held back: {}\n", d.held_back);
  if (w.idle) text += "  the window was idle: there was nothing to decide\n";
  if (d.propensity < 1) text += fmt::format("  drawn with probability {:.2f}\n", d.propensity);
  if (!std::isnan(d.live_cost)) {
    text += fmt::format("  the last second's live cost: {:.3f} (mean ln turnaround of episodes)\n", d.live_cost);
    out["live_cost"] = d.live_cost;
  }
  if (!d.votes.empty()) {
    auto votes = read_votes(d.votes);
    if (!votes) return fail(votes.error().at(o.ledger));
    text += "  votes:\n";
    for (const WrittenVote& v : *votes) {
      const auto best = static_cast<size_t>(std::min_element(v.gain.begin(), v.gain.end()) - v.gain.begin());
      text += v.expert == "stay" ? fmt::format("    stay     {:3.0f} %  {}\n", 100 * v.weight, name_of(kDefaultArm))
                                 : fmt::format("    {:8} {:3.0f} %  {}, {} (+-{:.0f})\n", v.expert, 100 * v.weight, name_of(best), against_default(v.gain[best]), 100 * v.deviation[best]);
      out["votes"].push_back({{"expert", v.expert}, {"weight", v.weight}, {"says", name_of(best)}, {"gain", v.gain}, {"deviation", v.deviation}});
    }
  }
  auto chosen = find_arm(d.arm);
  if (d.predicted.size() == kChoosable) {
    std::array<size_t, kChoosable> order{};
    for (size_t a = 0; a < kChoosable; ++a) order[a] = a;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return d.predicted[a] < d.predicted[b]; });
    text += "  predicted cost:";
    for (const size_t a : order) {
      text += fmt::format("{} {} {}", a == order[0] ? "" : ",", name_of(a), a == kDefaultArm ? "1" : fmt::format("{:.2f}", std::exp(d.predicted[a])));
      if (d.deviation.size() == kChoosable && a != kDefaultArm) text += fmt::format(" (+-{:.0f} %)", 100 * d.deviation[a]);
    }
    text += fmt::format(", as ratios to {}\n", name_of(kDefaultArm));
    if (chosen && *chosen < kChoosable) {
      const auto c = static_cast<size_t>(*chosen);
      const size_t next = order[0] == c ? order[1] : order[0];
      const double margin = d.predicted[next] - d.predicted[c];
      text += fmt::format("  runner-up: {}, {}\n", name_of(next),
                          margin >= 0 ? fmt::format("predicted {:.0f} % dearer", 100 * (std::exp(margin) - 1))
                                      : fmt::format("predicted {:.0f} % cheaper, but not surely: {} is only left, and an arm only taken, for a gain outside the doubt", percent_below(-std::abs(margin)), name_of(kDefaultArm)));
      out["runner_up"] = name_of(next);
      out["margin"] = margin;
      if (auto active = find_arm(w.arm); active && *active < kChoosable && *active != *chosen) {
        const double gain = d.predicted[static_cast<size_t>(*active)] - d.predicted[c];
        double cost_ns = 0;
        int swaps = 0;
        const bool warm = *active == kEevdf || *chosen == kEevdf;
        for (const LedgerSwap& s : r.swaps)
          if (s.at_ns < d.at_ns && s.call_ns > 0 && (s.from == "eevdf" || s.to == "eevdf") == warm) {
            cost_ns += static_cast<double>(s.call_ns);
            ++swaps;
          }
        text += fmt::format("  the swap: {} from {} to {}, for a gain of {:.3f} (ln) over the two seconds that an arm is expected to stay, {:.0f} ms; ", warm ? "warm" : "hot", w.arm, d.arm, gain, 2000 * gain);
        text += swaps > 0 ? fmt::format("the {} such swaps before took {:.1f} ms each\n", swaps, cost_ns / swaps / 1e6) : fmt::format("none was measured before ({} is assumed)\n", warm ? "100 ms" : "0.3 ms");
        out["gain"] = gain;
        if (swaps > 0) out["swap_ms"] = cost_ns / swaps / 1e6;
      }
    }
    out["predicted"] = d.predicted;
  }
  const std::string path = o.model.empty() ? find_in_project("models/default.pmm") : o.model;
  if (w.features.size() == kFeatures && r.features_schema == feature_catalogue_hash() && !path.empty() && !d.predicted.empty()) {
    auto model = load_model(path);
    if (!model) return fail(model.error());
    FeatureVector features{};
    std::copy(w.features.begin(), w.features.end(), features.begin());
    const auto active = find_arm(w.arm);
    // The arm that it chose, or else the best of those that it left.
    size_t arm = kDefaultArm == 0 ? 1 : 0;
    for (size_t a = 0; a < kChoosable; ++a)
      if (a != kDefaultArm && d.predicted[a] < d.predicted[arm]) arm = a;
    if (chosen && *chosen < kChoosable && *chosen != kDefaultArm) arm = static_cast<size_t>(*chosen);
    text += fmt::format("  what the model ({}) makes {} of, against {} (each feature at its usual value instead):\n", path, name_of(arm), name_of(kDefaultArm));
    const auto parts = contributions(*model, features, active ? *active : kDefaultArm, arm);
    for (size_t i = 0; i < kShown; ++i) {
      const FeatureSpec& spec = feature_catalogue()[parts[i].feature];
      text += fmt::format("    {:22} {:9.3f} (usually {:.3f})  {} by {:.3f}\n", spec.name, parts[i].value, model->mean[parts[i].feature], parts[i].of_gain < 0 ? "speaks for it" : "speaks against it", std::abs(parts[i].of_gain));
    }
    for (const Contribution& c : parts) out["contributions"].push_back({{"feature", feature_catalogue()[c.feature].name}, {"value", c.value}, {"of_gain", c.of_gain}});
  }
  return report::emit(text, out, o.json.emit());
}

}  // namespace

void add_explain(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  app.add_option("decision", options->decision, "Which: its number in the ledger, a moment of the last run (12.5s), or last").required();
  app.add_option("--ledger", options->ledger, "Ledger of pointsman run --ledger or pointsman lab episode --ledger").required().type_name("FILE");
  app.add_option("--scenario", options->scenario, "Only runs of this scenario");
  app.add_option("--controller", options->controller, "Only runs of controllers that begin so");
  app.add_option("--model", options->model, "Model whose features are weighed (default: models/default.pmm of the project)").type_name("FILE");
  options->json.add(app);
  app.footer(examples({{"pointsman explain last --ledger /var/lib/pointsman/live.db", "why did it do that?"}, {"pointsman explain 12.5s --ledger episode.db", "at that moment of the last run"}}));
  app.callback([options, &exit_code] {
    if (auto done = run(*options); !done) exit_code = report_error(done.error());
  });
}

}  // namespace pointsman
