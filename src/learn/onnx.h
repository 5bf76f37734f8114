// ONNX: a model as other programs read it, and such a file back into a model. One graph: the features of a window and the active arm go in,
// each member's opinion of every arm comes out; what predicts costs says regrets, a policy says probabilities.
// Inputs: "features" [n][kFeatures] float, "active" [n][kChoosable] float, one-hot. Output: "regret" or "probability"
// [n][members][kChoosable]. Operators: Sub Mul Clip Concat Gemm Relu Softmax Unsqueeze of ai.onnx (opset 13), TreeEnsembleRegressor of
// ai.onnx.ml (version 1). The standardisation is in single precision, so a feature on the edge of a tree's threshold may fall on the other
// side. The encoder and the reader are ours: protocol buffers' wire format, as https://protobuf.dev/programming-guides/encoding has it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "learn/model.h"

namespace pointsman {

std::string to_onnx(const Model& model, std::string_view objective = ModelCard{}.objective);
// Reads what to_onnx writes, also after another program has written it anew with the names kept. Rule and objective travel as metadata.
// Errors: kCorrupt (damaged), kUnsupported (another graph, other features or arms).
Result<Model> from_onnx(std::string_view bytes);
// What it was trained for; a file that does not say so is from before it was said, and of the default objective. Errors: kCorrupt.
Result<std::string> objective_of_onnx(std::string_view bytes);

}  // namespace pointsman
