// The files of /proc, each with what the input says: parts between form feeds, in this order. A file that is garbled is told; nothing else happens.
#include "metrics/catalogue.h"
#include "metrics/fake_tree.h"
#include "metrics/sampler.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  using namespace pointsman;
  static const FakeTree tree;
  static const char* const files[] = {"stat", "loadavg", "meminfo", "vmstat", "diskstats", "pressure/cpu", "pressure/memory", "pressure/io", "schedstat", "7/status"};
  std::string_view text(reinterpret_cast<const char*>(data), size);
  FakeClock clock;
  std::vector<Snapshot> snapshots;
  for (const char* file : files) {
    const size_t end = std::min(text.find('\f'), text.size());
    tree.write(std::string("proc/") + file, std::string(text.substr(0, end)));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  auto sampler = Sampler::open({.roots = tree.roots(), .walk = true, .clock = &clock});
  if (!sampler) __builtin_trap();
  snapshots.push_back(sampler->tick());
  clock.advance(kSecond);
  // The second moment: what is left of the input, or the same once more.
  if (!text.empty()) tree.write("proc/stat", std::string(text));
  snapshots.push_back(sampler->tick());
  for (int topic = 0; topic < kTopics; ++topic) {
    const TopicStatus& status = snapshots.back().of(static_cast<Topic>(topic));
    if (!status.ok && !status.skipped && status.trouble.empty()) __builtin_trap();
  }
  for (const MetricValue& m : evaluate_metrics(snapshots)) {
    if (!m.avg && !m.delta && m.absent.empty()) __builtin_trap();
  }
  return 0;
}
