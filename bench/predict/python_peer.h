// A contender in Python: a script that is given a model file, says what one window and one window of a thousand cost it in us (medians), then what it answers to one window.
// Asked for a thousand at once, Python's own cost is left out.
#pragma once

#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace pointsman::bench {

struct PeerAnswer {
  std::vector<double> values{};
  double one_us = 0, of_thousand_us = 0;  // a window
};

// What times `ask(n)`, which asks for n windows, in every script.
inline constexpr std::string_view kTimes = "import sys, time, numpy as np\n"
    "def us(ask, n, times):\n"
    "    took = []\n"
    "    for _ in range(times):\n"
    "        begin = time.perf_counter(); ask(n); took.append(time.perf_counter() - begin)\n"
    "    return sorted(took)[times // 2] / n * 1e6\n";

inline std::string python_list(const auto& values) {
  std::string out = "[";
  for (const auto v : values) out += std::to_string(v) + ",";
  return out + "]";
}

// `install`: what to tell where it does not run.
inline Result<PeerAnswer> ask_python(std::string_view name, std::string_view model, const std::string& script, std::string_view install) {
  const auto folder = std::filesystem::temp_directory_path() / "pointsman_bench_predict";
  std::filesystem::create_directories(folder);
  const std::string model_file = (folder / name).string(), script_file = (folder / "ask.py").string();
  if (auto written = write_file(model_file, model); !written) return fail(written.error());
  if (auto written = write_file(script_file, std::string(kTimes) + script); !written) return fail(written.error());
  FILE* pipe = ::popen((std::string(POINTSMAN_SOURCE_DIR) + "/build/venv/bin/python " + script_file + " " + model_file).c_str(), "r");
  if (pipe == nullptr) return fail_errno("starting Python");
  PeerAnswer out;
  double value = 0;
  const bool timed = std::fscanf(pipe, "%lf %lf", &out.one_us, &out.of_thousand_us) == 2;
  while (std::fscanf(pipe, "%lf", &value) == 1) out.values.push_back(value);
  if (::pclose(pipe) != 0 || !timed) return fail(ErrorCode::kUnsupported, "not asked: {}", install);
  std::filesystem::remove_all(folder);
  return out;
}

}  // namespace pointsman::bench
