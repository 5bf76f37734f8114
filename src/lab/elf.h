// What a program needs beside itself to run: its ELF interpreter and shared libraries, found as the dynamic loader would find them, or a script's #! line.
// Source: System V ABI (gABI), chapters 4 and 5; ld.so(8). LD_LIBRARY_PATH and the loader's cache are left out on purpose: the answer must not hang on the caller's environment.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pointsman {

struct ElfNeeds {
  std::string interpreter;               // PT_INTERP; empty in libraries and static programs
  std::vector<std::string> libraries;    // DT_NEEDED
  std::vector<std::string> search_path;  // DT_RUNPATH, else DT_RPATH; $ORIGIN not yet replaced
};
// nullopt: not ELF at all. Errors: kUnsupported (ELF of another machine), kCorrupt (cut off, or offsets that lead outside the file).
Result<std::optional<ElfNeeds>> read_elf(std::string_view bytes);

// Takes the name of a section away, so that nobody finds it. False when there is none of that name.
bool unname_section(std::string& elf, std::string_view name);

// Cuts off what no segment brings into memory: symbols, debug information, the table of sections. A program runs the same without; text stays as it is.
void drop_unloaded(std::string& elf);

// "#!INTERPRETER [argument]" -> INTERPRETER; empty for anything else. For "#!/usr/bin/env NAME" see files_needed.
std::string script_interpreter(std::string_view bytes);

// The folders of /etc/ld.so.conf, its includes followed, and after them the loader's built-in ones.
std::vector<std::string> library_folders(const std::string& conf = "/etc/ld.so.conf");

struct NeededFile {
  std::string host;   // where it is
  std::string guest;  // where a loader without /etc/ld.so.conf and without a cache looks for it
};
// Every file that PROGRAM needs, itself not included, sorted by guest path. Scripts: their interpreter and what that needs.
// Errors: kNotFound (the program, or a library that no folder has: it is named), and those of read_elf.
Result<std::vector<NeededFile>> files_needed(const std::string& program);

// NAME as a shell would find it in PATH's folders; kNotFound.
Result<std::string> find_program(const std::string& name, std::string_view path);

}  // namespace pointsman
