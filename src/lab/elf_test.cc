#include "lab/elf.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "base/rng.h"

namespace pointsman {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;

class Elf : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/elf_test.XXXXXX";
    folder_ = ::mkdtemp(pattern);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& content) {
    const std::string path = folder_ + "/" + name;
    EXPECT_TRUE(write_file(path, content));
    ::chmod(path.c_str(), 0755);
    return path;
  }
  std::string folder_;
};

// The C library that this very program runs on, as the loader has it.
std::string loaded_libc() {
  auto maps = read_file("/proc/self/maps");
  const size_t at = maps->find("libc.so.6");
  if (at == std::string::npos) return {};
  const size_t begin = maps->rfind(' ', at) + 1;
  return maps->substr(begin, maps->find('\n', at) - begin);
}

TEST_F(Elf, ThisProgramsLibrariesAreThoseThatTheLoaderChose) {
  auto needed = files_needed("/proc/self/exe");
  ASSERT_TRUE(needed) << needed.error().message;
  const std::string libc = loaded_libc();
  if (libc.empty()) GTEST_SKIP() << "statically linked";
  const auto same_file = [&](const NeededFile& file) {
    std::error_code error;
    return std::filesystem::equivalent(file.host, libc, error);
  };
  EXPECT_TRUE(std::any_of(needed->begin(), needed->end(), same_file)) << libc;
  EXPECT_THAT(*needed, Contains(Field(&NeededFile::guest, "/lib64/ld-linux-x86-64.so.2")));
  EXPECT_THAT(*needed, Contains(Field(&NeededFile::guest, HasSubstr("libstdc++.so"))));
}

TEST_F(Elf, ShellIsAProgramAndItsScriptsNeedIt) {
  auto shell = read_elf(*read_file("/bin/sh"));
  ASSERT_TRUE(shell);
  ASSERT_TRUE(shell->has_value());
  EXPECT_EQ((**shell).interpreter, "/lib64/ld-linux-x86-64.so.2");
  EXPECT_THAT((**shell).libraries, Contains("libc.so.6"));
  const std::string script = write("script", "#!/bin/sh -e\necho hi\n");
  auto needed = files_needed(script);
  ASSERT_TRUE(needed) << needed.error().message;
  EXPECT_THAT(*needed, Contains(Field(&NeededFile::guest, "/bin/sh")));
  EXPECT_THAT(*needed, Contains(Field(&NeededFile::guest, HasSubstr("libc.so.6"))));
  auto through_env = files_needed(write("env_script", "#!/usr/bin/env -S sh\n"));
  ASSERT_TRUE(through_env) << through_env.error().message;
  EXPECT_THAT(*through_env, Contains(Field(&NeededFile::guest, HasSubstr("/sh"))));
}

TEST_F(Elf, ScriptLines) {
  EXPECT_EQ(script_interpreter("#! /usr/bin/awk -f\nBEGIN"), "/usr/bin/awk");
  EXPECT_EQ(script_interpreter("#!/bin/sh"), "/bin/sh");
  EXPECT_EQ(script_interpreter("# no"), "");
  EXPECT_EQ(script_interpreter("#!\n"), "");
  EXPECT_EQ(script_interpreter(""), "");
}

TEST_F(Elf, WhatIsNotElf) {
  EXPECT_FALSE(read_elf("plain text")->has_value());
  EXPECT_FALSE(read_elf("")->has_value());
  std::string arm = read_file("/bin/sh")->substr(0, 4096);
  arm[18] = static_cast<char>(EM_AARCH64);
  EXPECT_EQ(read_elf(arm).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(read_elf("\177ELF").error().code, ErrorCode::kCorrupt);
}

TEST_F(Elf, MissingThingsAreNamed) {
  EXPECT_EQ(files_needed(folder_ + "/none").error().code, ErrorCode::kNotFound);
  auto no_interpreter = files_needed(write("bad", "#!/no/such/shell\n"));
  ASSERT_FALSE(no_interpreter);
  EXPECT_EQ(no_interpreter.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(no_interpreter.error().message, HasSubstr("/no/such/shell"));
  std::string broken = *read_file("/bin/sh");
  const size_t at = broken.find("libc.so.6");
  ASSERT_NE(at, std::string::npos);
  broken.replace(at, 9, "libq.so.6");
  auto no_library = files_needed(write("broken", broken));
  ASSERT_FALSE(no_library);
  EXPECT_THAT(no_library.error().message, HasSubstr("libq.so.6"));
  auto loop = files_needed(write("loop", "#!" + folder_ + "/loop\n"));
  EXPECT_TRUE(loop);  // a script that names itself needs itself, once
}

TEST_F(Elf, RandomDamageNeverCrashes) {
  const std::string good = *read_file("/bin/sh");
  for (uint64_t round = 0; round < 3000; ++round) {
    Rng rng(5, "elf", round);
    std::string bad = good;
    if (round % 3 == 0) bad.resize(rng.below(bad.size()));
    // headers, program headers and the dynamic section lie at the front or the end
    for (int i = 0; i < 8 && !bad.empty(); ++i) bad[rng.below(std::min<size_t>(bad.size(), round % 2 == 0 ? 1024 : bad.size()))] = static_cast<char>(rng.next());
    static_cast<void>(read_elf(bad));
    static_cast<void>(unname_section(bad, ".text"));
    drop_unloaded(bad);
  }
}

TEST_F(Elf, SectionsLoseTheirName) {
  std::string object = *read_file("/proc/self/exe");
  EXPECT_TRUE(unname_section(object, ".text"));
  EXPECT_FALSE(unname_section(object, ".text"));
  EXPECT_FALSE(unname_section(object, ".no_such"));
  std::string text = "text";
  EXPECT_FALSE(unname_section(text, ".text"));
}

TEST_F(Elf, AProgramRunsWithoutWhatIsNotLoaded) {
  const std::string whole = *read_file("/proc/self/exe");
  std::string lean = whole;
  drop_unloaded(lean);
  EXPECT_LT(lean.size(), whole.size());
  EXPECT_EQ(lean.substr(sizeof(Elf64_Ehdr)), whole.substr(sizeof(Elf64_Ehdr), lean.size() - sizeof(Elf64_Ehdr)));
  EXPECT_FALSE(unname_section(lean, ".text"));
  const std::string again = lean;
  drop_unloaded(lean);
  EXPECT_EQ(lean, again);
  EXPECT_EQ(std::system((write("lean", lean) + " --gtest_filter=-* >/dev/null").c_str()), 0);
  std::string text = "#!/bin/sh";
  drop_unloaded(text);
  EXPECT_EQ(text, "#!/bin/sh");
}

TEST_F(Elf, LoaderFoldersFollowIncludes) {
  std::filesystem::create_directory(folder_ + "/conf.d");
  ASSERT_TRUE(write_file(folder_ + "/conf.d/b.conf", "/opt/b # here\n"));
  ASSERT_TRUE(write_file(folder_ + "/conf.d/a.conf", "# nothing\n  /opt/a\n"));
  ASSERT_TRUE(write_file(folder_ + "/ld.so.conf", "include conf.d/*.conf\n/opt/c\n"));
  const auto folders = library_folders(folder_ + "/ld.so.conf");
  ASSERT_GE(folders.size(), 4u);
  EXPECT_EQ(folders[0], "/opt/a");
  EXPECT_EQ(folders[1], "/opt/b");
  EXPECT_EQ(folders[2], "/opt/c");
  EXPECT_EQ(folders[3], "/lib/x86_64-linux-gnu");
}

TEST_F(Elf, ProgramsAreFoundAsAShellWould) {
  write("tool", "#!/bin/sh\n");
  EXPECT_EQ(*find_program("tool", "/no:" + folder_), folder_ + "/tool");
  EXPECT_EQ(find_program("tool", "/no").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(find_program("/no/tool", "/").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace pointsman
