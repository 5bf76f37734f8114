#include "http/rig.h"

#include <algorithm>

namespace pointsman {

using nlohmann::json;

const RigArm* RigInfo::find(std::string_view arm) const {
  const auto found = std::find_if(arms.begin(), arms.end(), [&](const RigArm& a) { return a.name == arm; });
  return found == arms.end() ? nullptr : &*found;
}

json to_json(const RigInfo& info) {
  json arms = json::array();
  for (const RigArm& arm : info.arms) {
    json row = {{"name", arm.name}, {"kind", arm.kind}, {"summary", arm.summary}, {"available", arm.unavailable.empty()}};
    if (!arm.unavailable.empty()) row["reason"] = arm.unavailable;
    arms.push_back(std::move(row));
  }
  return {{"backend", info.backend}, {"kernel", info.kernel}, {"cpus", info.cpus}, {"arms", arms}, {"notes", info.notes}};
}

Result<RigInfo> rig_info_from_json(const json& value) {
  try {
    RigInfo info;
    info.backend = value.at("backend");
    info.kernel = value.at("kernel");
    info.cpus = value.at("cpus");
    info.notes = value.at("notes").get<std::vector<std::string>>();
    for (const json& row : value.at("arms")) {
      RigArm arm{.name = row.at("name"), .kind = row.at("kind"), .summary = row.at("summary")};
      if (!row.at("available").get<bool>()) arm.unavailable = row.at("reason");
      info.arms.push_back(std::move(arm));
    }
    return info;
  } catch (const json::exception& error) {
    return fail(ErrorCode::kCorrupt, "the worker's greeting: {}", error.what());
  }
}

json to_json(const RepeatRequest& request) {
  return {{"experiment", request.experiment}, {"repeat", request.repeat}, {"spec", to_json(request.spec)}, {"trace_file", request.trace_file}};
}

Result<RepeatRequest> repeat_request_from_json(const json& value) {
  try {
    RepeatRequest request;
    request.experiment = value.at("experiment");
    request.repeat = value.at("repeat");
    request.trace_file = value.at("trace_file");
    auto spec = experiment_from_json(value.at("spec"));
    if (!spec) return fail(spec.error());
    request.spec = std::move(*spec);
    return request;
  } catch (const json::exception& error) {
    return fail(ErrorCode::kCorrupt, "the server's request: {}", error.what());
  }
}

}  // namespace pointsman
