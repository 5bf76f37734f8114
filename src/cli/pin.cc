// pointsman pin: a person's word, which outranks the model.
#include "agent/pin.h"

#include "cli/verb.h"

namespace pointsman {

void add_pin(CommandLine& app, int& exit_code) {
  struct Options {
    std::string arm, path = kPinPath;
    bool release = false;
  };
  auto options = std::make_shared<Options>();
  const Option arm = app.add_option("arm", options->arm, "Arm to hold until it is released");
  app.add_flag("--release", options->release, "Let the model decide again; also ends a SysRq-S veto").excludes(arm);
  app.add_option("--pin-file", options->path, "Where the word is left").capture_default_str().type_name("FILE");
  app.footer(examples({{"pointsman pin las", "hold las"}, {"pointsman pin --release", "let go"}, {"pointsman pin", "what is pinned?"}}));
  app.callback([options, &exit_code] {
    auto pin = read_pin(options->path);
    if (!pin && pin.error().code == ErrorCode::kNotFound) pin = Pin{};
    if (!pin) {
      exit_code = report_error(pin.error());
      return;
    }
    if (options->arm.empty() && !options->release) {
      fmt::print("{}\n", pin->arm ? fmt::format("pinned: {}", arm_name(*pin->arm)) : "nothing is pinned");
      return;
    }
    if (options->release) {
      pin->arm.reset();
      ++pin->releases;
    } else {
      auto found = find_arm(options->arm);
      if (!found) {
        exit_code = report_error(Error{ErrorCode::kInvalidArgument, found.error().message});
        return;
      }
      pin->arm = *found;
    }
    if (auto written = write_pin(options->path, *pin); !written) exit_code = report_error(written.error());
  });
}

}  // namespace pointsman
