#include "lab/image.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/hash.h"
#include "lab/cpio.h"
#include "lab/elf.h"

namespace pointsman {

namespace {

namespace fs = std::filesystem;

// A module without what only costs the guest time: checking a signature takes it 0.4 s, fitting the type information to the kernel's as long, and
// this kernel loads modules without either. Source: kernel/module/signing.c, kernel/bpf/btf.c
std::string lean_module(std::string module) {
  constexpr std::string_view kMarker = "~Module signature appended~\n";
  if (module.ends_with(kMarker)) module.resize(module.size() - kMarker.size());
  unname_section(module, ".BTF");
  return module;
}

std::string search_path() {
  const char* path = std::getenv("PATH");
  return path != nullptr ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

std::string below_root(const std::string& path) { return path.substr(std::min(path.find_first_not_of('/'), path.size())); }

Result<std::string> static_program(const std::string& path) {
  auto bytes = read_file(path);
  if (!bytes) return bytes;
  auto elf = read_elf(*bytes);
  if (!elf) return fail(elf.error().at(path));
  if (!*elf) return fail(ErrorCode::kInvalidArgument, "{} is not a program", path);
  if (!(*elf)->interpreter.empty() || !(*elf)->libraries.empty()) {
    return fail(ErrorCode::kInvalidArgument, "{} is not statically linked, so it cannot start in the guest", path);
  }
  drop_unloaded(*bytes);  // debug information may be ten times the program: each byte of it would be unpacked, saved and hashed
  return bytes;
}

Result<Unit> add_one(Cpio& cpio, const std::string& host, const std::string& guest, bool with_needs) {
  struct stat status {};
  if (::stat(host.c_str(), &status) != 0) return fail_errno(host);
  auto bytes = read_file(host);
  if (!bytes) return fail(bytes.error());
  const bool program = (status.st_mode & S_IXUSR) != 0 || bytes->starts_with("\177ELF");
  cpio.add_file(below_root(guest), std::move(*bytes), program ? 0755 : 0644);
  if (!with_needs || !program) return Unit{};
  auto needed = files_needed(host);
  if (!needed) return fail(needed.error());
  for (const NeededFile& file : *needed) {
    if (cpio.contains(below_root(file.guest))) continue;
    if (auto added = add_one(cpio, file.host, file.guest, false); !added) return added;
  }
  return Unit{};
}

Result<Unit> add_brought(Cpio& cpio, const BroughtFile& file) {
  const std::string guest = file.guest.empty() ? file.host : file.guest;
  std::error_code error;
  if (!fs::is_directory(file.host, error)) return add_one(cpio, file.host, guest, true);
  cpio.add_directory(below_root(guest));
  for (fs::recursive_directory_iterator at(file.host, error), end; !error && at != end; at.increment(error)) {
    const std::string to = guest + "/" + at->path().lexically_relative(file.host).string();
    if (at->is_symlink(error)) {
      cpio.add_symlink(below_root(to), fs::read_symlink(at->path(), error).string());
    } else if (at->is_directory(error)) {
      cpio.add_directory(below_root(to));
    } else if (at->is_regular_file(error)) {
      if (auto added = add_one(cpio, at->path().string(), to, true); !added) return added;
    }
  }
  if (error) return fail(ErrorCode::kIo, "{}: {}", file.host, error.message());
  return Unit{};
}

// The words of the shell itself: no file stands behind them.
bool is_shell_word(const std::string& word) {
  static const std::vector<std::string> words{".", ":", "[", "alias", "cd", "eval", "exec", "exit", "export", "for", "if", "read", "set", "test",
                                              "time", "trap", "ulimit", "umask", "unset", "until", "wait", "while", "case", "{", "(", "!"};
  return std::find(words.begin(), words.end(), word) != words.end() || word.find_first_of("=$(`'\"{") != std::string::npos;
}

}  // namespace

const std::vector<std::string>& guest_modules() {
  static const std::vector<std::string> modules{"configfs", "lz4hc_compress", "zram", "null_blk"};
  return modules;
}

const std::vector<std::string>& guest_applets() {
  static const std::vector<std::string> applets{
      "ash",  "awk",   "basename", "cat",   "chmod", "chown", "chrt",  "cmp",     "cp",    "cut",     "date",   "dd",     "df",    "diff",     "dirname",
      "dmesg", "du",   "echo",     "env",   "expr",  "false", "find",  "free",    "grep",  "gunzip",  "gzip",   "head",   "hostname", "id",    "kill",
      "killall", "ln", "ls",       "md5sum", "mkdir", "mkfifo", "mktemp", "mount", "mv",   "nice",    "nohup",  "nproc",  "od",    "pgrep",    "pidof",
      "pkill", "printf", "ps",     "pwd",   "readlink", "realpath", "renice", "rm", "rmdir", "sed",   "seq",    "setsid", "sh",    "sha256sum", "sleep",
      "sort", "stat",  "stty",     "sync",  "sysctl", "tac",  "tail",  "tar",     "taskset", "tee",   "test",   "time",   "timeout", "top",    "touch",
      "tr",   "true",  "umount",   "uname", "uniq",  "uptime", "usleep", "vi",    "wc",    "which",   "xargs",  "yes",    "zcat"};
  return applets;
}

Result<BroughtFile> BroughtFile::parse(const std::string& text) {
  BroughtFile file;
  const size_t colon = text.rfind(':');
  std::error_code error;
  const bool whole_exists = fs::exists(text, error);
  file.host = colon == std::string::npos || whole_exists ? text : text.substr(0, colon);
  file.guest = colon == std::string::npos || whole_exists ? fs::absolute(file.host, error).lexically_normal().string() : text.substr(colon + 1);
  if (!file.guest.starts_with('/') || file.guest == "/") return fail(ErrorCode::kInvalidArgument, "--file {}: the guest's path must be absolute", text);
  for (const char* covered : {"/dev/", "/proc/", "/sys/"}) {
    if (file.guest.starts_with(covered)) return fail(ErrorCode::kInvalidArgument, "--file {}: the guest's own {} covers it up; name another place as HOST:GUEST", text, covered);
  }
  if (!fs::exists(file.host, error)) return fail(ErrorCode::kNotFound, "--file {}: no such file: {}", text, file.host);
  return file;
}

Result<Image> Image::build(const ImageOptions& options) {
  Cpio cpio;
  for (const char* folder : {"dev", "proc", "sys", "run", "root", "etc", "var", "usr/bin", "sbin"}) cpio.add_directory(folder);
  cpio.add_directory("tmp", 01777);
  cpio.add_character_device("dev/console", 5, 1);
  cpio.add_character_device("dev/null", 1, 3, 0666);
  cpio.add_symlink("var/run", "../run");
  cpio.add_symlink("var/tmp", "../tmp");
  cpio.add_file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
  cpio.add_file("etc/group", "root:x:0:\n");
  // Here libbpf reads the kernel's configuration when a program has an extern such as CONFIG_HZ or CONFIG_NR_CPUS. One of Debian's kernels without its file: their rate.
  std::string config = "CONFIG_HZ=250\n";
  if (!options.kernel.config.empty()) {
    auto whole = read_file(options.kernel.config);
    if (!whole) return fail(whole.error());
    config = std::move(*whole);
  }
  cpio.add_file("boot/config-" + options.kernel.release, std::move(config));

  auto binary = static_program(options.binary);
  if (!binary) return fail(binary.error());
  cpio.add_file("bin/pointsman", std::move(*binary), 0755);
  cpio.add_symlink("init", "bin/pointsman");

  auto busybox_path = options.busybox.empty() ? find_program("busybox", search_path()) : Result<std::string>(options.busybox);
  if (!busybox_path) return fail(busybox_path.error());
  auto busybox = static_program(*busybox_path);
  if (!busybox) return fail(busybox.error());
  cpio.add_file("bin/busybox", std::move(*busybox), 0755);
  for (const std::string& applet : guest_applets()) cpio.add_symlink("bin/" + applet, "busybox");

  std::vector<std::string> modules = guest_modules();
  modules.insert(modules.end(), options.modules.begin(), options.modules.end());
  for (const std::string& module : modules) {
    auto bytes = read_file(options.kernel.modules + "/" + module + ".ko");
    if (!bytes) return fail(bytes.error().at("kernel module (scripts/setup fetches them)"));
    cpio.add_file("lib/modules/" + module + ".ko", lean_module(std::move(*bytes)));
  }
  for (const BroughtFile& file : options.files) {
    if (auto added = add_brought(cpio, file); !added) return fail(added.error());
  }
  Image image;
  image.content_ = cpio.archive();
  image.hash_ = Hash64().add(image.content_).hex();
  return image;
}

Result<std::vector<BroughtFile>> files_of_command(const std::string& command, const std::vector<BroughtFile>& files) {
  const size_t begin = command.find_first_not_of(" \t\n");
  if (begin == std::string::npos) return fail(ErrorCode::kInvalidArgument, "the command is empty");
  const std::string word = command.substr(begin, command.find_first_of(" \t\n;&|<>", begin) - begin);
  const auto& applets = guest_applets();
  if (is_shell_word(word) || std::find(applets.begin(), applets.end(), word) != applets.end()) return std::vector<BroughtFile>{};
  for (const BroughtFile& file : files) {
    if (file.guest == word || file.guest == "/bin/" + word || file.guest == "/usr/bin/" + word || word.starts_with(file.guest + "/")) return std::vector<BroughtFile>{};
  }
  auto program = find_program(word, search_path());
  if (!program) return fail(ErrorCode::kNotFound, "{}: no such program on this host, in busybox or among the --file given", word);
  std::error_code error;
  const std::string absolute = fs::absolute(*program, error).lexically_normal().string();
  return std::vector<BroughtFile>{{.host = absolute, .guest = word.find('/') == std::string::npos ? "/bin/" + word : absolute}};
}

}  // namespace pointsman
