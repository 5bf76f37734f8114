// The family random:SEED: a workload whose structure is drawn by SEED (random_structure.h). The run's seed draws arrivals and times within that structure.
#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "workload/draw.h"
#include "workload/random_structure.h"

namespace pointsman {

namespace {

using Shape = Component::Shape;
constexpr std::string_view kPrefix = "random:";
constexpr uint64_t kMostStructures = 1'000'000'000;

// A component offers no more than this times its share, whatever its tail draws: a plan's cost is bounded.
constexpr double kMostOfShare = 1.25;
constexpr double kBusiestFrame = 0.7;  // of its period

// Draws one component of one phase.
class ComponentDrawing {
 public:
  ComponentDrawing(Drawing& drawing, const Component& component, size_t number)
      : d_(drawing), c_(component), name_(std::to_string(number + 1)), scale_(drawing.at("service_factor")) {
    cpus_ = c_.share * drawing.cpus() * drawing.at("load_factor");
    left_ns_ = kMostOfShare * cpus_ * static_cast<double>(d_.length_ns());
  }

  void draw() {
    switch (c_.shape) {
      case Shape::kProcesses: return processes();
      case Shape::kWorkers: return workers();
      case Shape::kFrames: return frames();
      case Shape::kRequests: return requests();
      case Shape::kPairs: return pairs();
      case Shape::kTree: return trees();
      case Shape::kGang: return gangs();
      case Shape::kHogs: return hogs();
    }
  }

 private:
  [[nodiscard]] Rng rng(std::string_view purpose, uint64_t index = 0) const { return d_.rng(name_ + " " + std::string(purpose), index); }
  [[nodiscard]] int64_t size(uint64_t index) const {
    Rng r = rng("size", index);
    return c_.size.draw(r, scale_);
  }
  [[nodiscard]] int nice(uint64_t index) const { return c_.nices[index % c_.nices.size()]; }
  [[nodiscard]] TaskOptions task(uint64_t index, int64_t start_ns = -1) const { return {.start_ns = start_ns, .nice = nice(index), .refill_ns = static_cast<int64_t>(c_.refill_ns)}; }
  [[nodiscard]] int scaled(int number) const { return std::max(1, (number * d_.cpus() + 2) / 4); }
  uint32_t add_job(std::string_view kind, int64_t planned_ns, int64_t service_ns) { return d_.add_job(std::string(kind) + name_, planned_ns, service_ns); }
  // May the component offer more?
  [[nodiscard]] bool more() const { return left_ns_ > 0; }
  void spend(int64_t work_ns) { left_ns_ -= static_cast<double>(work_ns); }

  // A job's CPU time as the component divides it.
  void work(Script& script, int64_t work_ns, uint64_t index) const {
    if (c_.burst.mean_ns <= 0) {
      script.burn(work_ns);
      return;
    }
    Rng bursts = rng("burst", index), naps = rng("nap", index);
    while (work_ns > 0) {
      const int64_t drawn = c_.burst.draw(bursts), burst = work_ns < drawn + drawn / 2 ? work_ns : drawn;
      script.burn(burst);
      work_ns -= burst;
      if (work_ns > 0) script.nap(c_.nap.draw(naps));
    }
  }

  // Moments of as many jobs as the component's share of the load makes of jobs that need job_ns each, in order, at least one.
  [[nodiscard]] std::vector<int64_t> arrivals(double job_ns) const {
    const double expected = cpus_ * static_cast<double>(d_.length_ns()) / job_ns;
    Rng r = rng("arrival");
    std::vector<int64_t> moments;
    if (c_.arrivals.form == Arrivals::Form::kWaves) {
      const auto period = std::min(static_cast<int64_t>(c_.arrivals.period_ns), d_.length_ns());
      const int64_t waves = (d_.length_ns() + period / 2) / period;
      // What is left of one wave goes into the next: rounding must not change the load.
      double due = r.uniform();
      for (int64_t w = 0; w < waves; ++w) {
        const int64_t gap = d_.length_ns() / waves;
        int64_t t = d_.from_ns() + w * gap + (w == 0 ? 0 : r.between(0, gap / 25));
        for (due += expected / static_cast<double>(waves); due >= 1; due -= 1) {
          moments.push_back(t);
          t = std::min(d_.to_ns() - 1, t + static_cast<int64_t>(r.exponential(c_.arrivals.spacing_ns)));
        }
      }
      std::sort(moments.begin(), moments.end());
    } else {
      // The process given its number of arrivals: moments that are uniform over the time that is on.
      std::vector<std::pair<int64_t, int64_t>> on;
      if (c_.arrivals.form == Arrivals::Form::kPoisson) {
        on.emplace_back(d_.from_ns(), d_.to_ns());
      } else {
        bool is_on = r.uniform() < c_.arrivals.on_ratio;
        for (int64_t t = d_.from_ns(); t < d_.to_ns(); is_on = !is_on) {
          const double mean = c_.arrivals.period_ns * (is_on ? c_.arrivals.on_ratio : 1 - c_.arrivals.on_ratio);
          const int64_t end = std::min(d_.to_ns(), t + std::max(kMillisecond, static_cast<int64_t>(r.exponential(mean))));
          if (is_on) on.emplace_back(t, end);
          t = end;
        }
        if (on.empty()) on.emplace_back(d_.from_ns(), d_.to_ns());
      }
      int64_t time = 0;
      for (const auto& [from, to] : on) time += to - from;
      const auto number = static_cast<int64_t>(expected + r.uniform());
      for (int64_t i = 0; i < number; ++i) {
        int64_t at = r.between(0, time - 1);
        for (const auto& [from, to] : on) {
          if (at < to - from) {
            moments.push_back(from + at);
            break;
          }
          at -= to - from;
        }
      }
      std::sort(moments.begin(), moments.end());
    }
    if (moments.empty()) moments.push_back(d_.from_ns() + r.between(0, d_.length_ns() - 1));
    return moments;
  }

  [[nodiscard]] double mean_ns() const { return c_.size.mean_ns * scale_; }

  void processes() {
    const auto planned = arrivals(mean_ns());
    for (size_t i = 0; i < planned.size() && more(); ++i) {
      const int64_t service = size(i);
      spend(service);
      Script script;
      script.begin(add_job("process", planned[i], service));
      work(script, service, i);
      const uint32_t job = script.ops().front().arg;
      d_.add_task(task(i, planned[i]), script.end(job));
    }
  }

  void workers() {
    const auto planned = arrivals(mean_ns());
    std::vector<Script> scripts(static_cast<size_t>(scaled(c_.number)));
    for (size_t i = 0; i < planned.size() && more(); ++i) {
      const int64_t service = size(i);
      spend(service);
      const uint32_t job = add_job("request", planned[i], service);
      scripts[i % scripts.size()].until(planned[i]).begin(job).burn(service).end(job);
    }
    for (size_t w = 0; w < scripts.size(); ++w) {
      if (!scripts[w].ops().empty()) d_.add_task(task(w, d_.from_ns()), scripts[w]);
    }
  }

  void frames() {
    const int threads = scaled(c_.number);
    const auto period = static_cast<int64_t>(c_.period_ns);
    Spread burst = c_.size;
    burst.mean_ns = std::min(kBusiestFrame, cpus_ / threads) * c_.period_ns;
    Script process;
    for (int t = 0; t < threads; ++t) {
      const auto index = static_cast<uint64_t>(t);
      Script script;
      const auto expiries = d_.periodic(name_ + " frame", index, period, c_.jitter_ratio);
      for (size_t i = 0; i < expiries.size(); ++i) {
        Rng r = rng("size", index << 32 | i);
        const int64_t service = burst.draw(r);
        const uint32_t job = add_job("frame", expiries[i], service);
        script.until(expiries[i]).begin(job).burn(service).end(job);
      }
      if (!script.ops().empty()) process.thread(d_.add_task(task(index), script));
    }
    // A phase shorter than a period may have no frame at all; the process that would show them has nothing to do.
    d_.add_task(task(0, d_.from_ns()), process);
  }

  // Half of each request's CPU time is the asker's, half the server's, which it asks `steps` times. Askers are processes of one request each, or long-lived
  // ones with a server thread of their own.
  void requests() {
    const auto planned = arrivals(mean_ns());
    const auto servers = static_cast<size_t>(scaled(c_.number));
    std::vector<Script> serving(servers), asking(servers);
    struct Line {
      uint32_t free, ask, reply;
    };
    std::vector<Line> lines;
    for (size_t s = 0; s < servers; ++s) {
      lines.push_back({d_.add_semaphore(), d_.add_semaphore(), d_.add_semaphore()});
      if (c_.each) serving[s].post(lines[s].free);
    }
    for (size_t i = 0; i < planned.size() && more(); ++i) {
      const int64_t service = size(i), part = service / (2 * c_.steps);
      spend(service);
      const size_t s = i % servers;
      const Line& line = lines[s];
      const uint32_t job = add_job("request", planned[i], service);
      Script own;
      Script& script = c_.each ? own : asking[s];
      if (!c_.each) script.until(planned[i]);
      script.begin(job);
      int64_t rest = service - part * 2 * c_.steps;
      for (int k = 0; k < c_.steps; ++k) {
        script.burn(part + rest);
        rest = 0;
        if (c_.each && k == 0) script.wait(line.free);
        script.post(line.ask).wait(line.reply);
        serving[s].wait(line.ask).burn(part).post(line.reply);
      }
      if (c_.each) script.post(line.free);
      script.end(job);
      if (c_.each) d_.add_task(task(i, planned[i]), script);
    }
    Script daemon;
    for (size_t s = 0; s < servers; ++s) {
      if (c_.each) serving[s].wait(lines[s].free);
      if (!serving[s].ops().empty()) daemon.thread(d_.add_task(task(s), serving[s]));
      if (!asking[s].ops().empty()) d_.add_task(task(s, d_.from_ns()), asking[s]);
    }
    d_.add_task(task(0, d_.from_ns()), daemon);
  }

  void pairs() {
    const int number = scaled(c_.number);
    const double set_ns = mean_ns() * 2 * c_.steps * number;
    const auto planned = arrivals(set_ns);
    for (size_t i = 0; i < planned.size() && more(); ++i) {
      const uint32_t done = d_.add_semaphore();
      Script root;
      int64_t sum = 0, longest = 0;
      for (int p = 0; p < number; ++p) {
        const uint64_t index = i << 16 | static_cast<uint64_t>(p);
        Rng sizes = rng("size", index), naps = rng("nap", index);
        const uint32_t there = d_.add_semaphore(), back = d_.add_semaphore();
        Script sender, receiver, exchange;
        int64_t own = 0;
        for (int t = 0; t < c_.steps; ++t) {
          const int64_t question = c_.size.draw(sizes, scale_), answer = c_.size.draw(sizes, scale_);
          own += question + answer;
          if (t > 0 && c_.nap.mean_ns > 0) exchange.nap(c_.nap.draw(naps));
          exchange.burn(question).post(there).wait(back);
          receiver.wait(there).burn(answer).post(back);
        }
        sum += own;
        longest = std::max(longest, own);
        uint32_t job = 0;
        if (c_.each) sender.begin(job = add_job("exchange", planned[i], own));
        sender.append(exchange);
        if (c_.each) sender.end(job);
        root.spawn(d_.add_task(task(index), receiver)).spawn(d_.add_task(task(index), sender.post(done)));
      }
      spend(sum);
      root.wait(done, number);
      Script set;
      if (c_.each) {
        set = root;
      } else {
        const uint32_t job = add_job("set", planned[i], std::max(longest, sum / d_.cpus()));
        set.begin(job).append(root).end(job);
      }
      d_.add_task(task(i, planned[i]), set);
    }
  }

  // A shell when one child runs at a time, a make when several do.
  void trees() {
    const auto planned = arrivals(mean_ns() * c_.number);
    for (size_t i = 0; i < planned.size() && more(); ++i) {
      const int parallel = std::min(c_.parallel, c_.number);
      const uint32_t slots = d_.add_semaphore();
      Script children;
      int64_t sum = 0, longest = 0;
      children.post(slots, parallel);
      for (int k = 0; k < c_.number; ++k) {
        const uint64_t index = i << 16 | static_cast<uint64_t>(k);
        const int64_t service = size(index);
        sum += service;
        longest = std::max(longest, service);
        Script child;
        uint32_t job = 0;
        if (c_.each) child.begin(job = add_job("child", -1, service));
        work(child, service, index);
        if (c_.each) child.end(job);
        children.wait(slots).spawn(d_.add_task(task(i), child.post(slots)));
      }
      spend(sum);
      const uint32_t job = add_job("tree", planned[i], std::max(longest, sum / std::min(parallel, d_.cpus())));
      d_.add_task(task(i, planned[i]), Script().begin(job).append(children).wait(slots, parallel).end(job));
    }
  }

  void gangs() {
    const int threads = c_.number;
    const auto planned = arrivals(mean_ns() * c_.steps * threads);
    for (size_t i = 0; i < planned.size() && more(); ++i) {
      const uint32_t barrier = d_.add_semaphore();
      std::vector<Script> scripts(static_cast<size_t>(threads));
      int64_t critical = 0, sum = 0;
      for (int step = 0; step < c_.steps; ++step) {
        int64_t slowest = 0;
        for (size_t t = 0; t < scripts.size(); ++t) {
          const uint64_t index = (i << 8 | t) << 16 | static_cast<uint64_t>(step);
          const int64_t burst = size(index);
          Rng naps = rng("nap", index);
          scripts[t].burn(burst);
          if (c_.nap.mean_ns > 0) scripts[t].nap(c_.nap.draw(naps));
          scripts[t].barrier(barrier, threads);
          slowest = std::max(slowest, burst);
          sum += burst;
        }
        critical += slowest;
      }
      spend(sum);
      const uint32_t job = add_job("gang", planned[i], std::max(critical, sum / d_.cpus()));
      Script leader;
      leader.begin(job);
      for (size_t t = 1; t < scripts.size(); ++t) leader.thread(d_.add_task(task(i), scripts[t]));
      d_.add_task(task(i, planned[i]), leader.append(scripts[0]).end(job));
    }
  }

  void hogs() {
    const int number = scaled(c_.number);
    // One process cannot use more than one CPU.
    const double share = std::min(0.95, cpus_ / number);
    const auto service = std::max(kMillisecond, static_cast<int64_t>(share * static_cast<double>(d_.length_ns())));
    for (int h = 0; h < number; ++h) {
      const auto index = static_cast<uint64_t>(h);
      const int64_t planned = d_.from_ns() + rng("start", index).between(0, 20 * kMillisecond);
      const uint32_t job = add_job("hog", planned, service);
      Script script;
      script.begin(job);
      work(script, service, index);
      d_.add_task(task(index, planned), script.end(job));
    }
  }

  Drawing& d_;
  const Component& c_;
  std::string name_;  // its place in the structure: two alike draw apart
  double scale_ = 1;
  double cpus_ = 0;     // that it asks for
  double left_ns_ = 0;  // CPU time that it may still offer
};

void draw_random(const DrawContext& context, Plan& plan) {
  const RandomStructure structure = draw_random_structure(*random_structure_of(context.family));
  Drawing drawing(context, plan);
  for (size_t i = 0; i < structure.components.size(); ++i) ComponentDrawing(drawing, structure.components[i], i).draw();
}

}  // namespace

bool is_random_family(std::string_view name) { return name.starts_with(kPrefix); }

std::optional<uint64_t> random_structure_of(std::string_view name) {
  if (!is_random_family(name)) return std::nullopt;
  const std::string_view digits = name.substr(kPrefix.size());
  uint64_t seed = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seed);
  // One spelling for one structure: names are keys.
  if (error != std::errc{} || end != digits.data() + digits.size() || digits.front() == '0' || seed > kMostStructures) return std::nullopt;
  return seed;
}

Result<const Family*> random_family(std::string_view name) {
  const auto seed = random_structure_of(name);
  if (!seed) return fail(ErrorCode::kNotFound, "\"{}\": a random family is written random:SEED, SEED from 1 to {}", name, kMostStructures);
  struct Known {
    std::string name, imitates;
    Family family;
  };
  static std::mutex mutex;
  static std::map<uint64_t, Known> all;  // for good: whoever asked keeps pointers to them
  const std::lock_guard lock(mutex);
  Known& known = all[*seed];
  if (known.name.empty()) {
    known.name = name;
    known.imitates = draw_random_structure(*seed).describe();
    known.family = {.name = known.name,
                    .imitates = known.imitates,
                    .regime = "random",
                    .parameters = {{"load_factor", "", "times the load that the structure has", 1, 0.2, 2, Role::kLoad},
                                   {"service_factor", "", "times the CPU time of a job, with as many fewer jobs", 1, 0.2, 5, Role::kService}},
                    .draw = draw_random};
  }
  return &known.family;
}

}  // namespace pointsman
