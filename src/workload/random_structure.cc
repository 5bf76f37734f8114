#include "workload/random_structure.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/clock.h"
#include "base/exact_math.h"

namespace pointsman {

namespace {

using Shape = Component::Shape;
constexpr double kUs = 1e3, kMs = 1e6;

// A second, of one component, on four CPUs. The densest named families fork about 600 and send 7,000; but forks and switches are what costs the lab most, and
// a collection of hundreds of workloads has to end.
constexpr double kMostForksHz = 250;
constexpr double kMostRequestsHz = 400;
constexpr double kMostMessagesHz = 1000;
constexpr int kCpus = 4;  // that the ranges are written for

class Draw {
 public:
  explicit Draw(uint64_t seed) : rng_(seed, "random structure") {}
  double linear(double low, double high) { return rng_.uniform(low, high); }
  double log(double low, double high) { return low * exact_pow(high / low, rng_.uniform()); }  // as many between 1 and 2 as between 2 and 4
  int count(int64_t low, int64_t high) { return static_cast<int>(rng_.between(low, high)); }
  bool chance(double p) { return rng_.uniform() < p; }
  // An index by weights.
  template <size_t N>
  size_t pick(const std::array<double, N>& weights) {
    double sum = 0;
    for (const double w : weights) sum += w;
    double at = rng_.uniform() * sum;
    for (size_t i = 0; i < N; ++i) {
      if (at < weights[i]) return i;
      at -= weights[i];
    }
    return N - 1;
  }

 private:
  Rng rng_;
};

Spread draw_spread(Draw& draw, double mean_ns, const std::array<double, 5>& weights) {
  Spread spread{.form = static_cast<Spread::Form>(draw.pick(weights)), .mean_ns = mean_ns};
  switch (spread.form) {
    case Spread::Form::kFixed:
    case Spread::Form::kExponential:
      break;
    case Spread::Form::kLognormal:
      spread.shape = draw.linear(0.1, 1.2);
      break;
    case Spread::Form::kPareto:
      spread.shape = draw.linear(1.0, 1.8);
      spread.ratio = draw.log(40, 400);
      break;
    case Spread::Form::kBimodal:
      spread.shape = draw.linear(0.6, 0.96);
      spread.ratio = draw.log(8, 100);
      break;
  }
  return spread;
}

Spread any_size(Draw& draw, double mean_ns) { return draw_spread(draw, mean_ns, {1, 1.5, 3, 2, 1.5}); }
Spread even_size(Draw& draw, double mean_ns) { return draw_spread(draw, mean_ns, {2, 0.5, 3, 0, 0}); }

Arrivals draw_arrivals(Draw& draw, const std::array<double, 3>& weights) {
  Arrivals arrivals{.form = static_cast<Arrivals::Form>(draw.pick(weights))};
  if (arrivals.form == Arrivals::Form::kBursty) {
    arrivals.period_ns = draw.log(120 * kMs, 900 * kMs);
    arrivals.on_ratio = draw.linear(0.15, 0.6);
  } else if (arrivals.form == Arrivals::Form::kWaves) {
    arrivals.period_ns = draw.log(250 * kMs, 1500 * kMs);
    arrivals.spacing_ns = draw.chance(0.5) ? 400 * kUs : draw.log(1 * kMs, 16 * kMs);
  }
  return arrivals;
}

void draw_bursts(Draw& draw, Component& c, double chance) {
  if (!draw.chance(chance)) return;
  c.burst = draw_spread(draw, draw.log(2 * kMs, 12 * kMs), {2, 1, 2, 0, 0});
  c.nap = draw_spread(draw, draw.log(0.2 * kMs, 4 * kMs), {2, 2, 1, 0, 0});
}

void draw_refill(Draw& draw, Component& c, double chance) {
  if (draw.chance(chance)) c.refill_ns = draw.log(200 * kUs, 1500 * kUs);
}

int any_nice(Draw& draw) { return std::array{-10, -5, 5, 10, 19}[draw.pick(std::array<double, 5>{1, 2, 2, 2, 1})]; }

// One job of a component is no more than this part of what the component does in a second.
constexpr double kLargestJob = 0.3;

// So many parts of a job, each of unit_ns of CPU time, as make no job too large.
int parts(int drawn, int least, double unit_ns, double share) {
  return std::clamp(static_cast<int>(kLargestJob * share * kCpus * 1e9 / unit_ns), least, std::max(least, drawn));
}

// A mean large enough that the component's share does not make too many of it.
double at_least(double mean_ns, double share, double most_hz) { return std::max(mean_ns, share * kCpus * 1e9 / most_hz); }

// Long-lived tasks enough to do a component's work, each busy for no more than .7 of the time.
int servers_for(double share) { return static_cast<int>(share * kCpus / 0.7) + 1; }

Component draw_component(Draw& draw, Shape shape, double share, bool back) {
  Component c{.shape = shape, .share = share};
  switch (shape) {
    case Shape::kProcesses:
      c.size = any_size(draw, at_least(back ? draw.log(60 * kMs, 250 * kMs) : draw.log(2 * kMs, 150 * kMs), share, kMostForksHz));
      if (back) c.size.form = c.size.form == Spread::Form::kPareto ? Spread::Form::kFixed : c.size.form;
      c.arrivals = draw_arrivals(draw, back ? std::array<double, 3>{1, 1, 3} : std::array<double, 3>{2, 1.5, 1.5});
      draw_bursts(draw, c, 0.35);
      draw_refill(draw, c, 0.15);
      break;
    case Shape::kWorkers:
      c.size = any_size(draw, at_least(draw.log(0.6 * kMs, 15 * kMs), share, kMostRequestsHz));
      c.number = std::max(draw.count(2, 16), servers_for(share));
      c.arrivals = draw_arrivals(draw, {2, 2, 1});
      break;
    case Shape::kFrames:
      c.number = std::max(draw.count(1, 4), servers_for(share));
      c.period_ns = std::array{5.0, 6.94, 8.33, 16.67, 33.3}[draw.pick(std::array<double, 5>{1, 1, 1, 4, 2})] * kMs;
      c.jitter_ratio = draw.linear(0, 0.15);
      c.size = Spread{.form = Spread::Form::kLognormal, .mean_ns = 0, .shape = draw.linear(0.05, 0.5)};
      break;
    case Shape::kRequests:
      c.each = draw.chance(0.5);
      c.size = any_size(draw, at_least(draw.log(1 * kMs, 25 * kMs), share, (c.each ? kMostForksHz : kMostRequestsHz)));
      c.number = std::max(draw.count(2, 12), servers_for(share));
      c.steps = draw.count(1, 3);
      c.arrivals = draw_arrivals(draw, {3, 1.5, 1});
      break;
    case Shape::kPairs:
      c.size = draw_spread(draw, at_least(draw.log(0.2 * kMs, 4 * kMs), share, kMostMessagesHz), {2, 0, 2, 0, 0});
      c.number = draw.count(2, 16);
      c.steps = parts(draw.count(5, 80), 3, 2 * c.number * c.size.mean_ns, share);
      c.each = draw.chance(0.5);
      if (draw.chance(0.5)) c.nap = draw_spread(draw, c.size.mean_ns * draw.log(0.3, 3), {1, 3, 1, 0, 0});
      c.arrivals = draw_arrivals(draw, {2, 0, 2});
      break;
    case Shape::kTree:
      c.size = draw_spread(draw, at_least(draw.log(1.5 * kMs, 60 * kMs), share, kMostForksHz), {1, 2, 3, 1, 0});
      c.number = parts(draw.count(3, 40), 3, c.size.mean_ns, share);
      c.parallel = draw.chance(0.5) ? 1 : draw.count(2, 10);
      c.each = draw.chance(0.6);
      c.arrivals = draw_arrivals(draw, {2, 1, 2});
      draw_bursts(draw, c, 0.4);
      break;
    case Shape::kGang:
      c.number = draw.count(2, 6);
      c.size = even_size(draw, draw.log(1.5 * kMs, 15 * kMs));
      c.steps = parts(draw.count(10, 80), 4, c.number * c.size.mean_ns, share);
      if (draw.chance(0.4)) c.nap = draw_spread(draw, draw.log(0.1 * kMs, 1 * kMs), {1, 1, 0, 0, 0});
      c.arrivals = draw_arrivals(draw, {1, 0, 3});
      draw_refill(draw, c, 0.4);
      break;
    case Shape::kHogs:
      c.number = draw.count(2, 12);
      draw_bursts(draw, c, 0.35);
      draw_refill(draw, c, 0.15);
      break;
  }
  if (draw.chance(back ? 0.5 : 0.2)) c.nices = {any_nice(draw)};
  if (shape == Shape::kHogs && draw.chance(0.3)) c.nices = {any_nice(draw), 0, any_nice(draw)};
  return c;
}

std::string time(double ns) { return ns < kMs ? fmt::format("{:.2g} ms", ns / kMs) : fmt::format("{:.0f} ms", ns / kMs); }

std::string counted(int number, const char* what) { return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s"); }

std::string describe(const Component& c) {
  const std::string size = c.size.describe();
  std::string text;
  switch (c.shape) {
    case Shape::kProcesses: text = fmt::format("processes of {}, {}", size, c.arrivals.describe()); break;
    case Shape::kWorkers: text = fmt::format("requests of {} to {} workers, {}", size, c.number, c.arrivals.describe()); break;
    case Shape::kFrames: text = fmt::format("{} of frames, one every {:.1f} ms", counted(c.number, "thread"), c.period_ns / kMs); break;
    case Shape::kRequests:
      text = fmt::format("{} of {} that ask one of {} servers {}, {}", c.each ? "processes" : "requests", size, c.number, c.steps == 1 ? "once" : counted(c.steps, "time"), c.arrivals.describe());
      break;
    case Shape::kPairs:
      text = fmt::format("sets of {} pairs, {} round trips, messages of {}{}, {}", c.number, c.steps, size,
                         c.nap.mean_ns > 0 ? ", thinking " + time(c.nap.mean_ns) : "", c.arrivals.describe());
      break;
    case Shape::kTree:
      text = fmt::format("trees of {} children, {} at a time, {} each, {}", c.number, c.parallel, size, c.arrivals.describe());
      break;
    case Shape::kGang: text = fmt::format("gangs of {} threads, {} barriers of {}, {}", c.number, c.steps, size, c.arrivals.describe()); break;
    case Shape::kHogs: text = fmt::format("{} hogs", c.number); break;
  }
  if (c.burst.mean_ns > 0) text += fmt::format(", in bursts of {} with naps of {}", time(c.burst.mean_ns), time(c.nap.mean_ns));
  if (c.refill_ns > 0) text += fmt::format(", refill {:.1f} ms", c.refill_ns / kMs);
  if (c.nices != std::vector<int>{0}) text += fmt::format(", nice {}", fmt::join(c.nices, " "));
  return fmt::format("{} ({:.0f} % of the CPUs)", text, c.share * 100);
}

}  // namespace

int64_t Spread::draw(Rng& rng, double scale) const {
  const double mean = mean_ns * scale;
  double x = mean;
  switch (form) {
    case Form::kFixed:
      break;
    case Form::kExponential:
      x = rng.exponential(mean);
      break;
    case Form::kLognormal:
      x = rng.lognormal(mean, shape);
      break;
    case Form::kPareto: {
      // The mean of the distribution between 1 and `ratio`.
      const double cut = 1 - exact_pow(1 / ratio, shape);
      const double k = shape - 1;
      const double unit = (k < 1e-3 && k > -1e-3 ? exact_log(ratio) : (1 - exact_pow(1 / ratio, k)) / k) * shape / cut;
      x = rng.pareto(shape, mean / unit, mean / unit * ratio);
      break;
    }
    case Form::kBimodal: {
      const double low = mean / (shape + (1 - shape) * ratio);
      x = rng.uniform() < shape ? low : low * ratio;
      break;
    }
  }
  return static_cast<int64_t>(std::clamp(x, kLeastNs, kMostNs) + 0.5);
}

std::string Spread::describe() const {
  switch (form) {
    case Form::kFixed: return time(mean_ns);
    case Form::kExponential: return time(mean_ns) + " (exponential)";
    case Form::kLognormal: return fmt::format("{} (lognormal {:.1f})", time(mean_ns), shape);
    case Form::kPareto: return fmt::format("{} (pareto {:.1f}, 1:{:.0f})", time(mean_ns), shape, ratio);
    case Form::kBimodal: break;
  }
  return fmt::format("{} (bimodal {:.0f} % short, 1:{:.0f})", time(mean_ns), shape * 100, ratio);
}

std::string Arrivals::describe() const {
  switch (form) {
    case Form::kPoisson: return "at random";
    case Form::kBursty: return fmt::format("bursty (on {:.0f} % of {})", on_ratio * 100, time(period_ns));
    case Form::kWaves: break;
  }
  return fmt::format("in waves every {}, {} apart", time(period_ns), time(spacing_ns));
}

std::string RandomStructure::describe() const {
  std::string text;
  for (const Component& c : components) text += (text.empty() ? "" : "; ") + pointsman::describe(c);
  return text;
}

RandomStructure draw_random_structure(uint64_t seed) {
  Draw draw(seed);
  // front | front front | front back | front front back | back
  const size_t rule = draw.pick(std::array<double, 5>{5, 4, 6, 3, 2});
  const int fronts = std::array{1, 2, 1, 2, 0}[rule];
  const bool back = rule >= 2;
  const double load = draw.linear(0.35, 1.1);
  const double front_load = !back ? load : fronts == 0 ? 0 : load * draw.linear(0.25, 0.65);
  const double first = fronts == 2 ? draw.linear(0.3, 0.7) : 1;
  RandomStructure structure;
  for (int i = 0; i < fronts; ++i) {
    constexpr std::array kFront = {Shape::kProcesses, Shape::kWorkers, Shape::kFrames, Shape::kRequests, Shape::kPairs, Shape::kTree, Shape::kGang};
    const Shape shape = kFront[draw.pick(std::array<double, 7>{6, 3, 2, 3, 2, 3, 2})];
    structure.components.push_back(draw_component(draw, shape, front_load * (i == 0 ? first : 1 - first), false));
  }
  if (back) {
    constexpr std::array kBack = {Shape::kHogs, Shape::kProcesses, Shape::kGang};
    const Shape shape = kBack[draw.pick(std::array<double, 3>{5, 3, 1.5})];
    structure.components.push_back(draw_component(draw, shape, load - front_load, true));
  }
  return structure;
}

}  // namespace pointsman
