// PythonProcess: a Python script of the project's in a process of its own, asked line by line for JSON. What scripts/setup --test installs into build/venv runs it,
// or POINTSMAN_PYTHON.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "base/pipe.h"

namespace pointsman {

class PythonProcess {
 public:
  static std::string program() {
    const char* given = std::getenv("POINTSMAN_PYTHON");
    return given != nullptr ? given : POINTSMAN_SOURCE_DIR "/build/venv/bin/python";
  }
  // SCRIPT below the project's folder.
  explicit PythonProcess(const std::string& script) {
    auto in = Pipe::open(), out = Pipe::open();
    if (!in || !out) std::abort();
    const std::string python = program(), path = POINTSMAN_SOURCE_DIR "/" + script;
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(in->in.get(), STDIN_FILENO);
      ::dup2(out->out.get(), STDOUT_FILENO);
      ::execl(python.c_str(), python.c_str(), path.c_str(), nullptr);
      ::_exit(127);
    }
    to_ = ::fdopen(in->out.release(), "w");
    from_ = ::fdopen(out->in.release(), "r");
  }
  PythonProcess(const PythonProcess&) = delete;
  PythonProcess& operator=(const PythonProcess&) = delete;
  ~PythonProcess() {
    std::fclose(to_);
    std::fclose(from_);
    ::waitpid(child_, nullptr, 0);
  }
  nlohmann::json ask(const std::string& line) {
    std::fprintf(to_, "%s\n", line.c_str());
    std::fflush(to_);
    return answer();
  }
  // Its next line; discarded (is_discarded) where that is no JSON or there is none.
  nlohmann::json answer() {
    char* line = nullptr;
    size_t size = 0;
    const ssize_t n = ::getline(&line, &size, from_);
    auto parsed = nlohmann::json::parse(std::string(line, n > 0 ? static_cast<size_t>(n) : 0), nullptr, false);
    std::free(line);
    return parsed;
  }

 private:
  pid_t child_ = -1;
  std::FILE *to_ = nullptr, *from_ = nullptr;
};

}  // namespace pointsman
