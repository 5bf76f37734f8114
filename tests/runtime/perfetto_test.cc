// A second reader for what report/perfetto.h writes: Perfetto's own schema, from its Python package.
#include "report/perfetto.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>

#include "base/temporary_folder.h"
#include "tests/runtime/python_process.h"

namespace pointsman {
namespace {

const std::string kSource = POINTSMAN_SOURCE_DIR;

TEST(PerfettosOwnSchema, ReadsWhatWeWrite) {
  const std::string python = PythonProcess::program();
  if (::access(python.c_str(), X_OK) != 0) GTEST_SKIP() << python << " is not there: scripts/setup --test makes it";
  const TemporaryFolder folder = *TemporaryFolder::make("perfetto");
  const std::string path = folder.path() + "/trace";
  auto file = report::PerfettoFile::open(path, 0);
  ASSERT_TRUE(file) << file.error().message;
  using report::PerfettoFile;
  for (int i = 0; i < 100; ++i) {
    file->add(PerfettoFile::Switch{.at_ns = 1000 * i, .cpu = static_cast<uint32_t>(i % 2), .from = {.tid = 5, .tgid = 5, .name = "a"}, .to = {.tid = 6, .tgid = 5, .name = "b"}, .state = 1});
    file->add(PerfettoFile::Wake{.at_ns = 1000 * i + 10, .cpu = static_cast<uint32_t>(i % 2), .by = {.tid = 6, .tgid = 5, .name = "b"}, .woken = {.tid = 5, .tgid = 5, .name = "a"}, .newborn = i % 4 == 0});
  }
  file->add_process(5, 1, "prog");
  file->add_counter("load", 10, 1.5);
  file->set_slice("scheduler", 10, "eevdf");
  file->set_slice("scheduler", 500, "hyb");
  file->set_slice("scheduler", 900, "");
  file->add_instant("decisions", 500, "swap");
  ASSERT_TRUE(file->finish());

  const std::string command = python + " " + kSource + "/tests/runtime/perfetto_reader.py " + path;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string text;
  std::array<char, 4096> buffer;
  for (size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) text.append(buffer.data(), n);
  ASSERT_EQ(::pclose(pipe), 0) << text;
  const auto found = nlohmann::json::parse(text, nullptr, false);
  ASSERT_FALSE(found.is_discarded()) << text;
  EXPECT_EQ(found["unknown"], 0) << text;
  EXPECT_EQ(found["disorder"], 0);
  EXPECT_EQ(found["switches"], 100);
  EXPECT_EQ(found["wakes"], 75);
  EXPECT_EQ(found["newborn"], 25);
  EXPECT_EQ(found["processes"], 1);
  EXPECT_EQ(found["threads"], 2);
  EXPECT_EQ(found["commands"], nlohmann::json({"prog"}));
  EXPECT_EQ(found["counters"], 1);
  EXPECT_EQ(found["slices"], nlohmann::json({"eevdf", "hyb"}));
  EXPECT_EQ(found["tracks"], nlohmann::json({"load", "scheduler", "decisions"}));
}

}  // namespace
}  // namespace pointsman
