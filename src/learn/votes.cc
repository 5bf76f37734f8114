#include "learn/votes.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace pointsman {

namespace {

double rounded(double v) { return std::isfinite(v) ? std::round(v * 1000) / 1000 : 0; }

nlohmann::json array_of(const std::array<double, kChoosable>& values) {
  nlohmann::json out = nlohmann::json::array();
  for (const double v : values) out.push_back(rounded(v));
  return out;
}

}  // namespace

std::string write_votes(std::span<const Vote> votes) {
  nlohmann::json out = nlohmann::json::array();
  for (const Vote& vote : votes) out.push_back({vote.expert, rounded(vote.weight), array_of(vote.gain), array_of(vote.deviation)});
  return out.dump();
}

Result<std::vector<WrittenVote>> read_votes(std::string_view text) {
  const auto written = nlohmann::json::parse(text, nullptr, false);
  std::vector<WrittenVote> out;
  const auto numbers = [](const nlohmann::json& list) {
    return list.is_array() && list.size() == kChoosable && std::all_of(list.begin(), list.end(), [](const nlohmann::json& v) { return v.is_number(); });
  };
  if (!written.is_array()) return fail(ErrorCode::kCorrupt, "votes: not a list");
  for (const nlohmann::json& vote : written) {
    if (!vote.is_array() || vote.size() != 4 || !vote[0].is_string() || !vote[1].is_number() || !numbers(vote[2]) || !numbers(vote[3]))
      return fail(ErrorCode::kCorrupt, "votes: each is [expert, weight, gains, deviations] of {} arms", kChoosable);
    out.push_back({vote[0], vote[1], vote[2], vote[3]});
  }
  return out;
}

}  // namespace pointsman
