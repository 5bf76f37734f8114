#include "lab/exec.h"

#include <algorithm>
#include <filesystem>

namespace pointsman {

namespace {

std::string payload_of(const RunResult& run, std::string_view type) {
  const auto found = std::find_if(run.frames.begin(), run.frames.end(), [&](const Frame& frame) { return frame.type == type; });
  return found == run.frames.end() ? std::string() : found->payload;
}

// "./tool" means the same file here and there.
std::string directory_of(const ExecOptions& options) {
  if (!options.directory.empty()) return options.directory;
  const size_t begin = options.command.find_first_not_of(" \t\n");
  const std::string word = begin == std::string::npos ? std::string() : options.command.substr(begin, options.command.find_first_of(" \t\n;&|<>", begin) - begin);
  std::error_code error;
  if (word.find('/') == std::string::npos || word.starts_with('/')) return "/";
  return std::filesystem::current_path(error).string();
}

std::string doubts(const RunResult& run) {
  std::string out;
  const auto add = [&](const std::string& doubt) { out += (out.empty() ? "" : "; ") + doubt; };
  auto hello = run.json("hello");
  if (!hello || !hello->value(nlohmann::json::json_pointer("/selftest/good"), false)) add("the self-test before the run failed");
  if (auto beside = run.json("beside"); beside && !beside->value("good", false)) {
    add(fmt::format("wake-ups between CPUs took {:.0f} us beside the program: it holds its CPU's turn (it does not PAUSE), so rankings on several CPUs are artefacts; use 1 CPU",
                    beside->value("mean_us", 0.0)));
  }
  if (run.end.value("kernel_complaints", uint64_t{0}) != 0) add("the guest's kernel warned");
  return out;
}

}  // namespace

Result<Image> image_for(const ExecOptions& options) {
  auto own = files_of_command(options.command, options.files);
  if (!own) return fail(own.error());
  ImageOptions image;
  image.kernel = options.machine.kernel;
  image.files = options.files;
  image.files.insert(image.files.end(), own->begin(), own->end());
  return Image::build(image);
}

ExecResult read_exec(RunResult run) {
  ExecResult result;
  if (auto summary = run.json("exec")) {
    result.summary = std::move(*summary);
    const auto seconds = [&](const char* name) { return static_cast<double>(result.summary.value(name, int64_t{0})) * 1e-9; };
    result.exit_code = result.summary.value("exit_code", -1);
    result.signal = result.summary.value("signal", 0);
    result.wall_seconds = seconds("wall_ns");
    result.user_seconds = seconds("user_ns");
    result.system_seconds = seconds("system_ns");
  }
  result.output = payload_of(run, "stdout");
  result.error_output = payload_of(run, "stderr");
  result.output_cut = result.summary.value("stdout_bytes", uint64_t{0}) > result.output.size() ||
                      result.summary.value("stderr_bytes", uint64_t{0}) > result.error_output.size();
  result.distrust = doubts(run);
  result.run = std::move(run);
  return result;
}

Result<ExecResult> run_exec(const GuestSnapshot& snapshot, const ExecOptions& options, const nlohmann::json& extra) {
  nlohmann::json request{{"kind", "exec"},
                         {"command", options.command},
                         {"directory", directory_of(options)},
                         {"output_bytes", options.output_bytes},
                         {"beside", options.machine.cpus > 1}};
  if (extra.is_object()) request.update(extra);
  auto run = snapshot.run(request, {}, options.limits);
  if (!run) return fail(run.error());
  if (auto summary = run->json("exec"); !summary) return fail(summary.error());
  return read_exec(std::move(*run));
}

}  // namespace pointsman
