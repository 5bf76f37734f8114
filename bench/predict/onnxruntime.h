// The same model through onnxruntime, on one thread, in Python (scripts/setup --test installs it): what it answers for one window, and how long that takes when it is asked for
// one window at a time and for a thousand at once, of which the second leaves Python's own cost out.
#pragma once

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "learn/onnx.h"

namespace pointsman::bench {

struct OnnxruntimeAnswer {
  std::vector<double> regrets{};  // by member, then arm
  double one_us = 0, of_thousand_us = 0;  // a window
};

inline Result<OnnxruntimeAnswer> ask_onnxruntime(const Model& model, const FeatureVector& features, ArmId active) {
  const auto folder = std::filesystem::temp_directory_path() / "pointsman_bench_predict";
  std::filesystem::create_directories(folder);
  const std::string file = (folder / "model.onnx").string(), script = (folder / "ask.py").string();
  if (auto written = write_file(file, to_onnx(model)); !written) return fail(written.error());
  std::string one = "[";
  for (const double v : features) one += std::to_string(v) + ",";
  const std::string text = "import sys, time, numpy as np, onnxruntime as rt\n"
      "o = rt.SessionOptions(); o.intra_op_num_threads = o.inter_op_num_threads = 1\n"
      "s = rt.InferenceSession(sys.argv[1], o, providers=['CPUExecutionProvider'])\n"
      "x = np.array([" + one + "]], np.float32); a = np.zeros((1, " + std::to_string(kChoosable) + "), np.float32); a[0, " + std::to_string(active) + "] = 1\n"
      "def us(n, times):\n"
      "    f = {'features': np.repeat(x, n, 0), 'active': np.repeat(a, n, 0)}\n"
      "    took = []\n"
      "    for _ in range(times):\n"
      "        begin = time.perf_counter(); s.run(None, f); took.append(time.perf_counter() - begin)\n"
      "    return sorted(took)[times // 2] / n * 1e6\n"
      "print(us(1, 20000), us(1000, 300), *s.run(None, {'features': x, 'active': a})[0].ravel())\n";
  if (auto written = write_file(script, text); !written) return fail(written.error());
  FILE* pipe = ::popen((std::string(POINTSMAN_SOURCE_DIR) + "/build/venv/bin/python " + script + " " + file).c_str(), "r");
  if (pipe == nullptr) return fail_errno("starting Python");
  OnnxruntimeAnswer out;
  double value = 0;
  const bool timed = std::fscanf(pipe, "%lf %lf", &out.one_us, &out.of_thousand_us) == 2;
  while (std::fscanf(pipe, "%lf", &value) == 1) out.regrets.push_back(value);
  if (::pclose(pipe) != 0 || !timed) return fail(ErrorCode::kUnsupported, "no onnxruntime in build/venv: scripts/setup --test installs it");
  std::filesystem::remove_all(folder);
  return out;
}

}  // namespace pointsman::bench
