// The same model through onnxruntime, on one thread. Answers by member, then arm.
#pragma once

#include "bench/predict/python_peer.h"
#include "learn/onnx.h"

namespace pointsman::bench {

inline Result<PeerAnswer> ask_onnxruntime(const Model& model, const FeatureVector& features, ArmId active) {
  std::array<int, kChoosable> arm{};
  arm[static_cast<size_t>(active)] = 1;
  return ask_python("model.onnx", to_onnx(model),
                    "import onnxruntime as rt\n"
                    "o = rt.SessionOptions(); o.intra_op_num_threads = o.inter_op_num_threads = 1\n"
                    "s = rt.InferenceSession(sys.argv[1], o, providers=['CPUExecutionProvider'])\n"
                    "x = np.array([" + python_list(features) + "], np.float32); a = np.array([" + python_list(arm) + "], np.float32)\n"
                    "f = {n: {'features': np.repeat(x, n, 0), 'active': np.repeat(a, n, 0)} for n in (1, 1000)}\n"
                    "ask = lambda n: s.run(None, f[n])\n"
                    "print(us(ask, 1, 20000), us(ask, 1000, 300), *ask(1)[0].ravel())\n",
                    "scripts/setup --test installs onnxruntime into build/venv");
}

}  // namespace pointsman::bench
