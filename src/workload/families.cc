#include <algorithm>

#include "workload/draw.h"

namespace pointsman {

std::span<const Family> families() {
  static const std::vector<Family> all = [] {
    std::vector<Family> joined;
    for (auto regime : {batch_families, tail_families, interactive_families, switching_families, io_families, control_families, case_families}) {
      const auto some = regime();
      joined.insert(joined.end(), some.begin(), some.end());
    }
    return joined;
  }();
  return all;
}

Result<const Family*> find_family(std::string_view name) {
  if (is_random_family(name)) return random_family(name);
  std::string known;
  for (const Family& family : families()) {
    if (family.name == name) return &family;
    known += (known.empty() ? "" : ", ") + std::string(family.name);
  }
  return fail(ErrorCode::kNotFound, "unknown family \"{}\"; there are {}, and random:SEED", name, known);
}

}  // namespace pointsman
