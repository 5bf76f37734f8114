// The same trees through XGBoost, on one thread. It holds several outputs as a tree for each, so one of our trees becomes kChoosable of its own with equal splits: of tree t, for the
// output (member of t, arm). Answers by member, then arm.
#pragma once

#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include "bench/predict/python_peer.h"
#include "learn/forest.h"
#include "learn/model.h"

namespace pointsman::bench {

inline nlohmann::json xgboost_tree(const Tree& tree, size_t arm, float share, size_t id) {
  using nlohmann::json;
  const size_t n = tree.nodes.size();
  std::vector<int> left(n, -1), right(n, -1), parent(n, std::numeric_limits<int>::max()), feature(n, 0), zero(n, 0);
  std::vector<float> condition(n);
  std::vector<size_t> ours{0};  // by its number; it takes the right child to be the next after the left
  for (size_t i = 0; i < n; ++i) {
    const Tree::Node& node = tree.nodes[ours[i]];
    if (node.feature == Tree::kLeaf) {
      condition[i] = tree.values[node.other][arm] * share;
      continue;
    }
    left[i] = static_cast<int>(ours.size());
    right[i] = left[i] + 1;
    parent[ours.size()] = parent[ours.size() + 1] = static_cast<int>(i);
    ours.insert(ours.end(), {ours[i] + 1, node.other});
    feature[i] = node.feature;
    condition[i] = std::nextafter(node.threshold, std::numeric_limits<float>::infinity());  // its left is "less than", ours "at most"
  }
  const json none = json::array();
  return {{"base_weights", condition}, {"categories", none}, {"categories_nodes", none}, {"categories_segments", none}, {"categories_sizes", none},
          {"default_left", zero}, {"id", id}, {"left_children", left}, {"loss_changes", std::vector<float>(n)}, {"parents", parent}, {"right_children", right},
          {"split_conditions", condition}, {"split_indices", feature}, {"split_type", zero}, {"sum_hessian", std::vector<float>(n, 1)},
          {"tree_param", {{"num_deleted", "0"}, {"num_feature", std::to_string(kModelInputs)}, {"num_nodes", std::to_string(n)}, {"size_leaf_vector", "1"}}}};
}

inline Result<PeerAnswer> ask_xgboost(const Forest& forest, std::span<const float> input) {
  using nlohmann::json;
  const auto members = static_cast<size_t>(forest.members);
  json trees = json::array(), outputs = json::array();
  for (size_t t = 0; t < forest.trees.size(); ++t) {
    const size_t member = t % members, of_member = (forest.trees.size() - member + members - 1) / members;
    for (size_t arm = 0; arm < kChoosable; ++arm) {
      trees.push_back(xgboost_tree(forest.trees[t], arm, 1 / static_cast<float>(of_member), trees.size()));
      outputs.push_back(member * kChoosable + arm);
    }
  }
  const std::string count = std::to_string(trees.size());
  const json model = {
      {"version", {3, 2, 0}},
      {"learner",
       {{"attributes", json::object()},
        {"feature_names", json::array()},
        {"feature_types", json::array()},
        {"gradient_booster",
         {{"name", "gbtree"},
          {"model",
           {{"gbtree_model_param", {{"num_parallel_tree", "1"}, {"num_trees", count}}}, {"iteration_indptr", {0, trees.size()}}, {"tree_info", outputs}, {"trees", trees}}}}},
        {"learner_model_param",
         {{"base_score", "0"}, {"boost_from_average", "0"}, {"num_class", "0"}, {"num_feature", std::to_string(kModelInputs)}, {"num_target", std::to_string(members * kChoosable)}}},
        {"objective", {{"name", "reg:squarederror"}, {"reg_loss_param", {{"scale_pos_weight", "1"}}}}}}}};
  return ask_python("model.json", model.dump(),
                    "import xgboost\n"
                    "b = xgboost.Booster({'nthread': 1}); b.load_model(sys.argv[1])\n"
                    "x = {n: np.repeat(np.array([" + python_list(input) + "], np.float32), n, 0) for n in (1, 1000)}\n"
                    "ask = lambda n: b.inplace_predict(x[n])\n"
                    "print(us(ask, 1, 5000), us(ask, 1000, 100), *np.asarray(ask(1)).ravel())\n",
                    "build/venv/bin/pip install --no-deps xgboost-cpu scipy installs XGBoost into build/venv");
}

}  // namespace pointsman::bench
