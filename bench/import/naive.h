// The text as one would read it at first: a line at a time from a stream, its words by >>.
#pragma once

#include <cstdint>
#include <map>
#include <sstream>
#include <string>

namespace pointsman::bench {

struct NaiveCounts {
  uint64_t events = 0;
  std::map<std::string, uint64_t> by_name;
  std::map<int, double> runtime_s;
};

inline NaiveCounts read_naively(const std::string& text) {
  NaiveCounts out;
  std::istringstream in(text);
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string comm, cpu, event, word;
    int tid = 0;
    double at_s = 0;
    char colon = 0;
    if (!(words >> comm >> tid >> cpu >> at_s >> colon >> event)) continue;
    ++out.events;
    ++out.by_name[event];
    while (words >> word) {
      if (word.starts_with("runtime=")) out.runtime_s[tid] += std::stod(word.substr(8)) / 1e9;
    }
  }
  return out;
}

}  // namespace pointsman::bench
