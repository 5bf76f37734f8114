// The tick as one would write it at first: every file opened anew, every line a stream, every number by >>.
#pragma once

#include <fstream>
#include <sstream>
#include <string>

#include "metrics/snapshot.h"

namespace pointsman::bench {

class NaiveTick {
 public:
  explicit NaiveTick(std::string procfs) : procfs_(std::move(procfs)) {}

  const Snapshot& tick() {
    std::string line, word;
    snapshot_.cpu.each.clear();
    std::ifstream stat(procfs_ + "/stat");
    while (std::getline(stat, line)) {
      std::istringstream fields(line);
      fields >> word;
      if (word.starts_with("cpu")) {
        OneCpu cpu;
        CpuTicks& t = cpu.ticks;
        fields >> t.user >> t.nice >> t.system >> t.idle >> t.iowait >> t.irq >> t.softirq >> t.steal >> t.guest >> t.guest_nice;
        if (word == "cpu") {
          snapshot_.cpu.all = t;
        } else {
          cpu.id = std::stoi(word.substr(3));
          snapshot_.cpu.each.push_back(cpu);
        }
      } else if (word == "ctxt") {
        fields >> snapshot_.cpu.switches;
      } else if (word == "processes") {
        fields >> snapshot_.cpu.forks;
      }
    }
    std::ifstream load(procfs_ + "/loadavg");
    load >> snapshot_.load.one_minute >> snapshot_.load.five_minutes >> snapshot_.load.fifteen_minutes;
    std::ifstream memory(procfs_ + "/meminfo");
    while (std::getline(memory, line)) {
      std::istringstream fields(line);
      uint64_t kib = 0;
      fields >> word >> kib;
      if (word == "MemTotal:") snapshot_.memory.total_bytes = kib << 10;
      if (word == "MemAvailable:") snapshot_.memory.available_bytes = kib << 10;
    }
    std::ifstream paging(procfs_ + "/vmstat");
    while (paging >> word) {
      uint64_t value = 0;
      paging >> value;
      if (word == "pswpin") snapshot_.paging.swapped_in_pages = value;
      if (word == "pswpout") snapshot_.paging.swapped_out_pages = value;
      if (word == "pgmajfault") snapshot_.paging.major_faults = value;
    }
    for (const char* name : {"/diskstats", "/pressure/cpu", "/pressure/memory", "/pressure/io", "/schedstat"}) {
      std::ifstream file(procfs_ + name);
      while (std::getline(file, line)) {
        std::istringstream fields(line);
        while (fields >> word) bytes_ += word.size();
      }
    }
    return snapshot_;
  }

 private:
  std::string procfs_;
  Snapshot snapshot_;
  uint64_t bytes_ = 0;
};

}  // namespace pointsman::bench
