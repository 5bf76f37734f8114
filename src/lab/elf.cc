#include "lab/elf.h"

#include <elf.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>

#include "base/file.h"

namespace pointsman {

namespace {

template <typename T>
std::optional<T> read_at(std::string_view bytes, uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::optional<std::string> string_at(std::string_view bytes, uint64_t offset) {
  if (offset >= bytes.size()) return std::nullopt;
  const size_t end = bytes.find('\0', offset);
  if (end == std::string_view::npos) return std::nullopt;
  return std::string(bytes.substr(offset, end - offset));
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = text.find(separator);
    if (end != 0) parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

// Where a virtual address lies in the file.
std::optional<uint64_t> file_offset(const std::vector<Elf64_Phdr>& segments, uint64_t address) {
  for (const auto& s : segments) {
    if (s.p_type == PT_LOAD && address >= s.p_vaddr && address - s.p_vaddr < s.p_filesz) return s.p_offset + (address - s.p_vaddr);
  }
  return std::nullopt;
}

// Where Debian's loader looks by itself, in this order.
constexpr const char* kLoaderFolders[] = {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"};
bool built_in(const std::string& folder) { return std::find(std::begin(kLoaderFolders), std::end(kLoaderFolders), folder) != std::end(kLoaderFolders); }

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
  return text;
}

void read_loader_conf(const std::string& path, std::vector<std::string>& folders, int depth) {
  auto text = read_file(path);
  if (!text || depth > 8) return;
  for (std::string line : split(*text, '\n')) {
    line = line.substr(0, line.find('#'));
    const size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos) continue;
    line = line.substr(begin, line.find_last_not_of(" \t\r") - begin + 1);
    if (line.starts_with("include ") || line.starts_with("include\t")) {
      std::string pattern = line.substr(line.find_first_not_of(" \t", 7));
      if (!pattern.starts_with('/')) pattern = folder_of(path) + "/" + pattern;
      glob_t found{};
      if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; ++i) read_loader_conf(found.gl_pathv[i], folders, depth + 1);
      }
      ::globfree(&found);
    } else {
      folders.push_back(line);
    }
  }
}

class Collector {
 public:
  Collector() : folders_(library_folders()) {}

  Result<Unit> add_needs_of(const std::string& program, std::vector<std::string> inherited, int depth) {
    if (depth > 32) return fail(ErrorCode::kCorrupt, "{}: interpreters lead in a circle", program);
    auto bytes = read_file(program);
    if (!bytes) return fail(bytes.error());
    if (const std::string interpreter = script_interpreter(*bytes); !interpreter.empty()) return add_interpreter(program, interpreter, *bytes, depth);
    auto elf = read_elf(*bytes);
    if (!elf) return fail(elf.error().at(program));
    if (!*elf) return Unit{};
    if (!(*elf)->interpreter.empty()) {
      if (auto added = add({(*elf)->interpreter, (*elf)->interpreter}, program, {}, depth); !added) return added;
    }
    std::vector<std::string> search;
    for (const std::string& folder : (*elf)->search_path) {
      search.push_back(replace_all(replace_all(folder, "${ORIGIN}", folder_of(program)), "$ORIGIN", folder_of(program)));
    }
    // DT_RPATH counts for the libraries below, DT_RUNPATH does not; taking both along only brings a library too many, never one too few.
    search.insert(search.end(), inherited.begin(), inherited.end());
    for (const std::string& name : (*elf)->libraries) {
      auto file = find_library(name, search);
      if (!file) return fail(ErrorCode::kNotFound, "{} needs {}, which is in none of the loader's folders", program, name);
      if (auto added = add(*file, program, search, depth); !added) return added;
    }
    return Unit{};
  }

  std::vector<NeededFile> take() {
    std::vector<NeededFile> files;
    for (auto& [guest, host] : files_) files.push_back({host, guest});
    return files;
  }

 private:
  Result<Unit> add(const NeededFile& file, const std::string& wanted_by, const std::vector<std::string>& search, int depth) {
    if (!exists(file.host)) return fail(ErrorCode::kNotFound, "{} needs {}, which does not exist", wanted_by, file.host);
    if (!files_.try_emplace(file.guest, file.host).second) return Unit{};
    return add_needs_of(file.host, search, depth + 1);
  }

  Result<Unit> add_interpreter(const std::string& script, const std::string& interpreter, std::string_view bytes, int depth) {
    if (auto added = add({interpreter, interpreter}, script, {}, depth); !added) return added;
    if (!interpreter.ends_with("/env")) return Unit{};
    const auto words = split(bytes.substr(2, bytes.find('\n') - 2), ' ');
    for (size_t i = 1; i < words.size(); ++i) {
      if (words[i].starts_with('-') || words[i].find('=') != std::string::npos) continue;
      const char* path = std::getenv("PATH");
      auto program = find_program(words[i], path != nullptr ? path : "/usr/bin:/bin");
      if (!program) return fail(program.error().at(script));
      return add({*program, *program}, script, {}, depth);
    }
    return Unit{};
  }

  std::optional<NeededFile> find_library(const std::string& name, const std::vector<std::string>& search) {
    if (name.find('/') != std::string::npos) return exists(name) ? std::optional(NeededFile{name, name}) : std::nullopt;
    for (const std::string& folder : search) {
      if (const std::string path = folder + "/" + name; exists(path)) return NeededFile{path, path};
    }
    for (const std::string& folder : folders_) {
      for (const char* level : {"/", "/glibc-hwcaps/x86-64-v3/", "/glibc-hwcaps/x86-64-v2/"}) {
        if (const std::string path = folder + level + name; exists(path)) return NeededFile{path, built_in(folder) ? path : kLoaderFolders[0] + ("/" + name)};
      }
    }
    return std::nullopt;
  }

  std::vector<std::string> folders_;
  std::map<std::string, std::string> files_;  // guest -> host
};

}  // namespace

Result<std::optional<ElfNeeds>> read_elf(std::string_view bytes) {
  if (!bytes.starts_with(ELFMAG)) return std::optional<ElfNeeds>{};
  const auto header = read_at<Elf64_Ehdr>(bytes, 0);
  const auto cut = [](const char* what) { return fail(ErrorCode::kCorrupt, "damaged ELF file: {}", what); };
  if (!header) return cut("shorter than its header");
  if (header->e_type != ET_EXEC && header->e_type != ET_DYN) return std::optional<ElfNeeds>{};  // an object file is data
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != EM_X86_64) {
    return fail(ErrorCode::kUnsupported, "not a program for x86-64, which is what the lab's guest runs");
  }
  std::vector<Elf64_Phdr> segments;
  for (unsigned i = 0; i < header->e_phnum; ++i) {
    const auto segment = read_at<Elf64_Phdr>(bytes, header->e_phoff + uint64_t{i} * sizeof(Elf64_Phdr));
    if (!segment) return cut("program headers lie outside the file");
    segments.push_back(*segment);
  }
  ElfNeeds needs;
  for (const auto& segment : segments) {
    if (segment.p_type == PT_INTERP) {
      auto name = string_at(bytes, segment.p_offset);
      if (!name) return cut("the interpreter's name lies outside the file");
      needs.interpreter = *name;
    }
    if (segment.p_type != PT_DYNAMIC) continue;
    std::vector<uint64_t> library_names;
    std::optional<uint64_t> strings, runpath, rpath;
    for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= segment.p_filesz; at += sizeof(Elf64_Dyn)) {
      const auto entry = read_at<Elf64_Dyn>(bytes, segment.p_offset + at);
      if (!entry) return cut("the dynamic section lies outside the file");
      if (entry->d_tag == DT_NULL) break;
      if (entry->d_tag == DT_NEEDED) library_names.push_back(entry->d_un.d_val);
      if (entry->d_tag == DT_STRTAB) strings = file_offset(segments, entry->d_un.d_ptr);
      if (entry->d_tag == DT_RUNPATH) runpath = entry->d_un.d_val;
      if (entry->d_tag == DT_RPATH) rpath = entry->d_un.d_val;
    }
    if (library_names.empty() && !runpath && !rpath) continue;
    if (!strings) return cut("no string table");
    for (const uint64_t offset : library_names) {
      auto name = string_at(bytes, *strings + offset);
      if (!name) return cut("a library's name lies outside the file");
      needs.libraries.push_back(*name);
    }
    if (const auto path = runpath ? runpath : rpath) {
      auto text = string_at(bytes, *strings + *path);
      if (!text) return cut("the library path lies outside the file");
      needs.search_path = split(*text, ':');
    }
  }
  return std::optional<ElfNeeds>(std::move(needs));
}

bool unname_section(std::string& elf, std::string_view name) {
  const auto header = read_at<Elf64_Ehdr>(elf, 0);
  if (!elf.starts_with(ELFMAG) || !header) return false;
  const auto section_at = [&](unsigned i) { return read_at<Elf64_Shdr>(elf, header->e_shoff + uint64_t{i} * sizeof(Elf64_Shdr)); };
  const auto names = section_at(header->e_shstrndx);
  for (unsigned i = 1; names && i < header->e_shnum; ++i) {
    auto section = section_at(i);
    if (!section || string_at(elf, names->sh_offset + section->sh_name) != name) continue;
    section->sh_name = 0;
    std::memcpy(elf.data() + header->e_shoff + uint64_t{i} * sizeof(Elf64_Shdr), &*section, sizeof *section);
    return true;
  }
  return false;
}

void drop_unloaded(std::string& elf) {
  auto header = read_at<Elf64_Ehdr>(elf, 0);
  if (!elf.starts_with(ELFMAG) || !header) return;
  uint64_t end = header->e_phoff + uint64_t{header->e_phnum} * sizeof(Elf64_Phdr);
  for (unsigned i = 0; i < header->e_phnum; ++i) {
    const auto segment = read_at<Elf64_Phdr>(elf, header->e_phoff + uint64_t{i} * sizeof(Elf64_Phdr));
    if (!segment) return;
    if (segment->p_type != PT_NULL) end = std::max(end, segment->p_offset + segment->p_filesz);
  }
  if (end >= elf.size()) return;
  elf.resize(end);
  header->e_shoff = 0;
  header->e_shnum = header->e_shstrndx = 0;
  std::memcpy(elf.data(), &*header, sizeof *header);
}

std::string script_interpreter(std::string_view bytes) {
  if (!bytes.starts_with("#!")) return {};
  std::string_view line = bytes.substr(2, bytes.find('\n') - 2);
  const size_t begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  line.remove_prefix(begin);
  return std::string(line.substr(0, line.find_first_of(" \t\r")));
}

std::vector<std::string> library_folders(const std::string& conf) {
  std::vector<std::string> folders;
  read_loader_conf(conf, folders, 0);
  for (const char* folder : kLoaderFolders) folders.emplace_back(folder);
  return folders;
}

Result<std::vector<NeededFile>> files_needed(const std::string& program) {
  Collector collector;
  if (auto added = collector.add_needs_of(program, {}, 0); !added) return fail(added.error());
  return collector.take();
}

Result<std::string> find_program(const std::string& name, std::string_view path) {
  if (name.find('/') != std::string::npos) {
    if (exists(name)) return name;
    return fail(ErrorCode::kNotFound, "no such program: {}", name);
  }
  for (const std::string& folder : split(path, ':')) {
    const std::string candidate = folder + "/" + name;
    struct stat status {};
    if (::stat(candidate.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return fail(ErrorCode::kNotFound, "no program {} in {}", name, path);
}

}  // namespace pointsman
