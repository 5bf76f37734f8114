// Model files and ONNX: bytes that a person was sent. What is read predicts something finite, and is the same when written and read again.
#include <cmath>

#include "learn/model.h"
#include "learn/onnx.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  using namespace pointsman;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (auto model : {decode_model(bytes), from_onnx(bytes)}) {
    if (!model) {
      if (model.error().message.empty()) __builtin_trap();
      continue;
    }
    const Prediction p = model->predict(FeatureVector{}, kDefaultArm);
    for (int k = 0; k < p.nets; ++k)
      for (const float v : p.regret[static_cast<size_t>(k)])
        if (!std::isfinite(v)) __builtin_trap();
    auto again = decode_model(encode_model(*model));
    if (!again || encode_model(*again) != encode_model(*model)) __builtin_trap();
  }
  return 0;
}
