// pointsman train --server: learning on line from experiments on another machine.
#pragma once

#include <string>
#include <vector>

#include "cli/server_option.h"
#include "cli/verb.h"
#include "http/remote_training.h"

namespace pointsman {

struct RemoteTrainOptions {
  ServerOption server{.url = ""};  // empty: there is none
  RemoteTrainingOptions training;
  std::string out, command;
  JsonOption json;
};
// Writes the model and its card, tells the learning curve. A Ctrl-C keeps what was learned until then.
Result<Unit> train_on_server(const RemoteTrainOptions& options);

}  // namespace pointsman
