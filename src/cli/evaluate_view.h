// What pointsman evaluate shows: the table for a terminal, the page, the JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "learn/judge.h"
#include "learn/off_policy.h"
#include "report/table.h"

namespace pointsman {

struct OffPolicyRow {
  std::string target{};
  OffPolicyEstimate estimate{};
  double truth = 0;
};

struct EvaluationView {
  std::string data{}, command{}, agent{};  // agent: the contender that speaks for the product
  bool quick = false;
  std::string train_static{};
  struct Split {
    std::string name{}, about{};
    JudgedSplit judged{};
    std::vector<PhasedJudgement> phased{};
  };
  std::vector<Split> splits{};
  double false_alarms = 0;  // of the test, by A/A pairs
  int false_alarm_pairs = 0;
  std::vector<OffPolicyRow> off_policy{};
  std::vector<std::string> featured{};  // contenders that the curves and the family table show
  std::vector<std::pair<std::string, std::string>> chosen{};  // what was chosen on validation
  std::vector<std::string> notes{};
};

report::Table phased_table(const EvaluationView::Split& split);
report::Table split_table(const EvaluationView& view, const EvaluationView::Split& split);
std::string evaluation_page(const EvaluationView& view);
nlohmann::json evaluation_json(const EvaluationView& view);

}  // namespace pointsman
