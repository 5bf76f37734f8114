// Image: what the guest finds when it starts: our own binary as /init, busybox, the kernel's modules, and what a user brings, as one initramfs.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "lab/machine.h"

namespace pointsman {

// A file or folder of the host that goes along. Programs bring their libraries and interpreter.
struct BroughtFile {
  std::string host;
  std::string guest;  // absolute; empty: the same path
  // "HOST" or "HOST:GUEST". Errors: kInvalidArgument (GUEST is not absolute), kNotFound (no such HOST).
  static Result<BroughtFile> parse(const std::string& text);
};

struct ImageOptions {
  Kernel kernel;
  std::string binary = "/proc/self/exe";  // statically linked
  std::string busybox{};                  // empty: found in PATH
  std::vector<BroughtFile> files{};
  std::vector<std::string> modules{};     // besides guest_modules(); into /lib/modules, loaded by whoever wants them
};

// The kernel modules that the guest loads, in this order.
const std::vector<std::string>& guest_modules();
// The applets that busybox gets a link for in the guest's /bin.
const std::vector<std::string>& guest_applets();

class Image {
 public:
  // Errors: kNotFound (a file, a module or a library: it is named), kInvalidArgument (a binary or busybox that is not static).
  static Result<Image> build(const ImageOptions& options);

  [[nodiscard]] const std::string& content() const { return content_; }
  [[nodiscard]] const std::string& hash() const { return hash_; }

 private:
  std::string content_, hash_;
};

// The files that a shell command needs and busybox does not have: its first word, when that is a program of this host.
// Errors: kNotFound (a first word that is neither a program here, nor an applet, nor brought by FILES).
Result<std::vector<BroughtFile>> files_of_command(const std::string& command, const std::vector<BroughtFile>& files);

}  // namespace pointsman
