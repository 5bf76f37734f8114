// The probe's sums, where there is a probe.
#include "metrics/collector.h"
#include "metrics/probe.h"

namespace pointsman {
namespace {

class ProbeCollector : public Collector {
 public:
  ProbeCollector(const Probe* probe, std::string absent) : probe_(probe), absent_(std::move(absent)) {}
  Topic topic() const override { return Topic::kProbe; }

  Result<Unit> collect(Snapshot& snapshot) override {
    if (probe_ == nullptr) return fail(ErrorCode::kUnsupported, "{}", absent_);
    auto reading = probe_->read();
    if (!reading) return fail(reading.error());
    snapshot.probe = {.moment_ns = reading->moment_ns, .sums = reading->sums, .states = probe_->has_states()};
    return Unit{};
  }

 private:
  const Probe* probe_;
  std::string absent_;
};

}  // namespace

std::unique_ptr<Collector> make_probe_collector(const Probe* probe, std::string absent) {
  return std::make_unique<ProbeCollector>(probe, std::move(absent));
}

}  // namespace pointsman
