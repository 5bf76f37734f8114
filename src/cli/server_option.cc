#include "cli/server_option.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/file.h"

namespace pointsman {

namespace {
constexpr size_t kShortestToken = 16, kLongestToken = 512;
}

void ServerOption::add(CommandLine& app) {
  app.add_option("--server", url, "Experiment server (pointsman serve)").capture_default_str().type_name("URL");
  app.add_option("--token-file", token_file, "File with the token that the server asks for").type_name("FILE");
}

Result<std::string> read_token(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return fail_errno("token " + path);
  if (S_ISREG(status.st_mode) && (status.st_mode & 077) != 0)
    return fail(ErrorCode::kPermissionDenied, "token {}: others may read it (mode {:o}); chmod 600 it, and make a new token", path, status.st_mode & 0777);
  auto text = read_file(path);
  if (!text) return fail(text.error().at("token"));
  std::string token = *text;
  while (token.ends_with('\n') || token.ends_with('\r')) token.pop_back();
  if (token.size() < kShortestToken || token.size() > kLongestToken || std::any_of(token.begin(), token.end(), [](char c) { return c < '!' || c > '~'; }))
    return fail(ErrorCode::kInvalidArgument, "token {}: must be one line of {} to {} printable characters without spaces (head -c 24 /dev/urandom | base64 makes one)", path,
                kShortestToken, kLongestToken);
  return token;
}

Result<Client> ServerOption::client(ClientOptions options) const {
  auto parsed = ServerUrl::parse(url);
  if (!parsed) return fail(parsed.error());
  if (!token_file.empty()) {
    auto token = read_token(token_file);
    if (!token) return fail(token.error());
    options.token = *token;
  }
  return Client(std::move(*parsed), std::move(options));
}

}  // namespace pointsman
