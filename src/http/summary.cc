#include "http/summary.h"

#include <cmath>
#include <map>
#include <vector>

#include "report/describe.h"

namespace pointsman {

using nlohmann::json;

json summary_of(std::span<const std::string> costs) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<double>> values;
  for (const std::string& text : costs) {
    const json one = json::parse(text, nullptr, false);
    if (!one.is_object()) continue;
    for (const auto& [name, value] : one.items())
      if (value.is_number()) values[name].push_back(value.get<double>());
  }
  json out = json::object();
  for (const auto& [name, all] : values) {
    const report::Description d = report::describe(all);
    json row = {{"n", all.size()}, {"mean", d.mean}, {"min", d.min}, {"max", d.max}};
    // A number that is not one is null in JSON.
    row["std"] = all.size() > 1 ? json(d.std) : json();
    row["cv"] = all.size() > 1 && d.mean != 0 ? json(d.std / d.mean) : json();
    out[name] = std::move(row);
  }
  return out;
}

}  // namespace pointsman
