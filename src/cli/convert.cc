// pointsman convert: a model as ONNX, for other programs, and such a file back into a model.
#include <filesystem>

#include "base/file.h"
#include "cli/verb.h"
#include "learn/model.h"
#include "learn/onnx.h"

namespace pointsman {

namespace {

enum class Form { kModel, kOnnx };

Result<Form> form_of(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension();
  if (extension == ".pmm") return Form::kModel;
  if (extension == ".onnx") return Form::kOnnx;
  return fail(ErrorCode::kInvalidArgument, "{}: its name must end with .pmm (a model of pointsman's) or .onnx", path);
}

Result<Unit> convert(const std::string& from, const std::string& to) {
  const auto source = form_of(from), target = form_of(to);
  if (!source) return fail(source.error());
  if (!target) return fail(target.error());
  if (*source == *target) return fail(ErrorCode::kInvalidArgument, "{} and {} are of one form: there is nothing to convert", from, to);
  auto bytes = read_file(from);
  if (!bytes) return fail(bytes.error());
  auto model = *source == Form::kOnnx ? from_onnx(*bytes) : decode_model(*bytes);
  if (!model) return fail(model.error().at(from));
  auto objective = *source == Form::kOnnx ? objective_of_onnx(*bytes) : trained_objective(from);
  if (!objective) return fail(objective.error().at(from));
  if (*target == Form::kOnnx) return write_file(to, to_onnx(*model, *objective));
  ModelCard card;
  card.objective = *objective;
  card.data = "converted from " + from + ", which says nothing of what it was trained on";
  card.command = fmt::format("pointsman convert {} {}", from, to);
  return save_model(to, *model, card);
}

}  // namespace

void add_convert(CommandLine& app, int& exit_code) {
  struct Options {
    std::string from, to;
  };
  auto options = std::make_shared<Options>();
  app.add_option("from", options->from, "Model to read: FILE.pmm or FILE.onnx").required().type_name("FILE");
  app.add_option("to", options->to, "What to write, the other of the two").required().type_name("FILE");
  app.footer(examples({{"pointsman convert models/default.pmm default.onnx", "for onnxruntime and whatever else reads ONNX: inputs features [n][20] and active [n][6], one-hot"},
                       {"pointsman convert default.onnx mine.pmm", "and back, with its rule"}}));
  app.callback([options, &exit_code] {
    if (auto done = convert(options->from, options->to); !done) exit_code = report_error(done.error());
  });
}

}  // namespace pointsman
