#include "lab/splits.h"

#include <gtest/gtest.h>

namespace pointsman {
namespace {

TEST(Splits, go_by_seed_but_for_families_held_out) {
  EXPECT_EQ(split_of("batch", 1), "train");
  EXPECT_EQ(split_of("batch", 99), "train");
  EXPECT_EQ(split_of("batch", 100), "validation");
  EXPECT_EQ(split_of("batch", 999), "validation");
  EXPECT_EQ(split_of("batch", 1000), "test-seeds");
  for (const std::string_view family : held_out_families()) {
    EXPECT_EQ(split_of(family, 1), "test-families") << family;
    EXPECT_TRUE(find_family(family)) << family;
  }
}

TEST(Splits, of_random_families_go_by_structure_and_seed_whichever_is_later) {
  EXPECT_EQ(split_of("random:1", 1), "train");
  EXPECT_EQ(split_of("random:400", 1), "train");
  EXPECT_EQ(split_of("random:401", 1), "validation");
  EXPECT_EQ(split_of("random:480", 1), "validation");
  EXPECT_EQ(split_of("random:481", 1), "test-seeds");
  EXPECT_EQ(split_of("random:520", 99), "test-seeds");
  EXPECT_EQ(split_of("random:521", 1), "train");
  EXPECT_EQ(split_of("random:1", 100), "validation");
  EXPECT_EQ(split_of("random:1", 1000), "test-seeds");
  EXPECT_EQ(split_of("random:481", 100), "test-seeds");
}

}  // namespace
}  // namespace pointsman
