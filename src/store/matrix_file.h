// Matrix file: many runs (costs and windows, without decisions and swaps) in one compact file that can live in a repository. Lossless;
// the same runs give the same bytes with the same zlib, in whatever order they ended.
// Shapes: "PMMATRIX", version, CRC-32C of what follows, unpacked size, one zlib stream; in it strings by number, and the features column
// by column, each split into its four byte planes (exponents beside exponents), which zlib packs well.
// Errors: kCorrupt (truncated, changed), kUnsupported (another version), kInvalidArgument (not such a file; runs whose windows differ in
// length), and those of files.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/run.h"

namespace pointsman {

Result<std::string> encode_matrix(std::span<const LedgerRun> runs);
Result<std::vector<LedgerRun>> decode_matrix(std::string_view bytes);

Result<Unit> write_matrix(const std::string& path, std::span<const LedgerRun> runs);
Result<std::vector<LedgerRun>> read_matrix(const std::string& path);

}  // namespace pointsman
