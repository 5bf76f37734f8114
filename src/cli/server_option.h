// --server and --token-file: which experiment server a verb speaks to.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/command_line.h"
#include "http/client.h"

namespace pointsman {

struct ServerOption {
  std::string url = "http://127.0.0.1:8765", token_file{};
  void add(CommandLine& app);
  // Errors: those of ServerUrl::parse and read_token.
  [[nodiscard]] Result<Client> client(ClientOptions options = {}) const;
};

// One line of at least 16 printable characters, in a file that nobody but its owner may read. Errors: kPermissionDenied, kInvalidArgument, those of reading.
Result<std::string> read_token(const std::string& path);

}  // namespace pointsman
