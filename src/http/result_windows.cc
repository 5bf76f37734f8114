#include "http/result_windows.h"

#include <algorithm>
#include <cmath>

#include "learn/dataset.h"

namespace pointsman {

using nlohmann::json;

json to_json(std::span<const ResultWindow> windows) {
  json names = json::array(), rows = json::array();
  for (const FeatureSpec& feature : feature_catalogue()) names.push_back(feature.name);
  for (const ResultWindow& w : windows) rows.push_back({{"end_s", static_cast<double>(w.end_ns) / 1e9}, {"idle", w.idle}, {"values", w.features}});
  return {{"schema", feature_catalogue_hash()}, {"names", std::move(names)}, {"rows", std::move(rows)}};
}

Result<std::vector<ResultWindow>> windows_of(const json& repeat) {
  std::vector<ResultWindow> out;
  const auto found = repeat.find("windows");
  if (found == repeat.end() || found->is_null()) return out;
  try {
    if (found->at("schema") != feature_catalogue_hash())
      return fail(ErrorCode::kUnsupported, "the server computes other features ({}) than this build ({}): the same version is needed on both sides", found->at("schema").dump(), feature_catalogue_hash());
    for (const json& row : found->at("rows")) {
      ResultWindow window{.end_ns = static_cast<int64_t>(row.at("end_s").get<double>() * 1e9), .idle = row.at("idle")};
      const auto values = row.at("values").get<std::vector<double>>();
      if (values.size() != kFeatures) return fail(ErrorCode::kCorrupt, "a window has {} features instead of {}", values.size(), kFeatures);
      if (std::any_of(values.begin(), values.end(), [](double v) { return !std::isfinite(v); })) return fail(ErrorCode::kCorrupt, "a window has a feature that is no number");
      std::copy(values.begin(), values.end(), window.features.begin());
      out.push_back(window);
    }
  } catch (const json::exception& error) {
    return fail(ErrorCode::kCorrupt, "the windows of a repeat: {}", error.what());
  }
  return out;
}

}  // namespace pointsman
