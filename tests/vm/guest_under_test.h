// One booted, saved guest for all tests of a program; a test forks it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lab/brought_arms.h"
#include "lab/image.h"
#include "lab/matrix.h"
#include "lab/snapshot.h"

namespace pointsman {

class GuestTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { boot({}); }
  // External arms come along from where scripts/setup --test put them.
  static void boot(std::span<const ExternalArm> arms) {
    auto kernel = Kernel::open(POINTSMAN_KERNEL);
    ASSERT_TRUE(kernel) << kernel.error().message;
    options_ = new MachineOptions;
    options_->kernel = std::move(*kernel);
    ImageOptions contents;
    contents.kernel = options_->kernel;
    contents.binary = POINTSMAN_BINARY;
    BroughtFile object;
    object.host = POINTSMAN_WITHOUT_DRAIN;
    object.guest = "/portfolio_without_drain.bpf.o";
    contents.files.push_back(std::move(object));
    const std::vector<std::string> folders{POINTSMAN_SCHEDULERS};
    auto brought = bring_arms(arms, folders);
    ASSERT_TRUE(brought) << brought.error().message;
    contents.files.insert(contents.files.end(), brought->files.begin(), brought->files.end());
    auto image = Image::build(contents);
    ASSERT_TRUE(image) << image.error().message;
    image_ = new Image(std::move(*image));
    BootOptions how;
    how.boot = {{"stage", true}};
    if (!arms.empty()) how.boot["arms"] = brought->descriptions;
    how.host_seconds = 300;
    how.cache_folder = std::filesystem::path(POINTSMAN_BINARY).parent_path() / "guests";  // the programs of this folder share one image
    auto snapshot = GuestSnapshot::take(*options_, *image_, how);
    ASSERT_TRUE(snapshot) << snapshot.error().message;
    snapshot_ = new GuestSnapshot(std::move(*snapshot));
  }
  static void TearDownTestSuite() {
    delete snapshot_;
    delete image_;
    delete options_;
    snapshot_ = nullptr;
    image_ = nullptr;
    options_ = nullptr;
  }

  static Result<nlohmann::json> job(const nlohmann::json& request, const std::string& frame) {
    RunLimits limits;
    limits.host_seconds = 900;
    auto run = snapshot_->run(request, {}, limits);
    if (!run) return fail(run.error());
    return run->json(frame);
  }
  static Result<EpisodeResult> episode(const std::string& family, const std::string& controller, uint64_t seed = 1, bool guard = false,
                                       int64_t length_ns = 2 * kSecond + 13 * kMillisecond) {
    EpisodeRequest request;
    request.scenario = scenario_of_family(family, length_ns);
    request.seed = seed;
    request.controller = controller;
    request.guard = guard;
    return run_episode(*snapshot_, request, {});
  }

  static inline MachineOptions* options_ = nullptr;
  static inline Image* image_ = nullptr;
  static inline GuestSnapshot* snapshot_ = nullptr;
};

}  // namespace pointsman
