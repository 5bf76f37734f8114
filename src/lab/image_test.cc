#include "lab/image.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/file.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

class ImageFiles : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/image_test.XXXXXX";
    folder_ = ::mkdtemp(pattern);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  // The least that Kernel::open takes for Linux.
  std::string fake_kernel() const {
    std::string image(0x4000, '\0');
    image.replace(0x202, 4, "HdrS");
    image[0x20f] = 0x10;  // the version's text: at 0x1000 + 0x200
    const std::string version = "9.9.9-test (someone) #1";
    image.replace(0x1200, version.size(), version);
    return image;
  }
  // Images are too large to be printed.
  static bool holds(const Image& image, const std::string& text) { return image.content().find(text) != std::string::npos; }
  std::string folder_;
};

TEST_F(ImageFiles, KernelTellsItsRelease) {
  ASSERT_TRUE(write_file(folder_ + "/vmlinuz", fake_kernel()));
  for (const std::string& path : {folder_, folder_ + "/vmlinuz"}) {
    auto kernel = Kernel::open(path);
    ASSERT_TRUE(kernel) << kernel.error().message;
    EXPECT_EQ(kernel->release, "9.9.9-test");
    EXPECT_EQ(kernel->modules, folder_ + "/modules");
  }
}

// Both layouts: the folder that scripts/setup makes, and /boot.
TEST_F(ImageFiles, KernelFindsItsConfiguration) {
  const std::string named = folder_ + "/vmlinuz-9.9.9-test";
  for (const std::string& path : {folder_ + "/vmlinuz", named}) ASSERT_TRUE(write_file(path, fake_kernel()));
  for (const std::string& path : {folder_, named}) EXPECT_EQ(Kernel::open(path)->config, "");
  ASSERT_TRUE(write_file(folder_ + "/config", "CONFIG_HZ=100\n"));
  EXPECT_EQ(Kernel::open(folder_)->config, folder_ + "/config");
  EXPECT_EQ(Kernel::open(named)->config, "") << "another kernel's";
  ASSERT_TRUE(write_file(folder_ + "/config-9.9.9-test", "CONFIG_HZ=1000\n"));
  EXPECT_EQ(Kernel::open(named)->config, folder_ + "/config-9.9.9-test");
}

TEST_F(ImageFiles, WhatIsNoKernelIsRefused) {
  EXPECT_EQ(Kernel::open(folder_ + "/none").error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(write_file(folder_ + "/text", std::string(10000, 'x')));
  auto text = Kernel::open(folder_ + "/text");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(text.error().message, HasSubstr("not an x86 Linux image"));
  ASSERT_TRUE(write_file(folder_ + "/short", "HdrS"));
  EXPECT_EQ(Kernel::open(folder_ + "/short").error().code, ErrorCode::kInvalidArgument);
  std::string lost = fake_kernel();
  lost[0x20f] = 0x7f;
  ASSERT_TRUE(write_file(folder_ + "/lost", lost));
  EXPECT_EQ(Kernel::open(folder_ + "/lost").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ImageFiles, BroughtFilesAreParsed) {
  ASSERT_TRUE(write_file(folder_ + "/data", "1"));
  auto plain = BroughtFile::parse(folder_ + "/data");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->guest, folder_ + "/data");
  auto moved = BroughtFile::parse(folder_ + "/data:/srv/x");
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->host, folder_ + "/data");
  EXPECT_EQ(moved->guest, "/srv/x");
  EXPECT_EQ(BroughtFile::parse(folder_ + "/data:srv").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(BroughtFile::parse(folder_ + "/none").error().code, ErrorCode::kNotFound);
  EXPECT_THAT(BroughtFile::parse(folder_ + "/data:/proc/x").error().message, HasSubstr("covers it up"));
  ASSERT_TRUE(write_file(folder_ + "/with:colon", "1"));
  EXPECT_EQ(BroughtFile::parse(folder_ + "/with:colon")->host, folder_ + "/with:colon");
}

TEST_F(ImageFiles, CommandsBringTheirProgram) {
  EXPECT_TRUE(files_of_command("echo hi; ls", {})->empty());            // applets
  EXPECT_TRUE(files_of_command("for i in 1 2; do :; done", {})->empty());  // the shell's own
  auto cmake = files_of_command("  cmake --version | head", {});
  ASSERT_TRUE(cmake) << cmake.error().message;
  ASSERT_EQ(cmake->size(), 1u);
  EXPECT_EQ((*cmake)[0].guest, "/bin/cmake");
  auto none = files_of_command("no_such_program --x", {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(none.error().message, HasSubstr("no_such_program"));
  EXPECT_TRUE(files_of_command("no_such_program", {{.host = folder_, .guest = "/bin/no_such_program"}})->empty());
  EXPECT_EQ(files_of_command("  ", {}).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ImageFiles, BuildsAndNamesWhatIsMissing) {
  ASSERT_TRUE(write_file(folder_ + "/vmlinuz", fake_kernel()));
  auto kernel = Kernel::open(folder_);
  ASSERT_TRUE(kernel);
  const std::string busybox = "/bin/busybox";
  ImageOptions options{.kernel = *kernel, .binary = busybox, .busybox = busybox, .files = {}};
  auto no_module = Image::build(options);
  ASSERT_FALSE(no_module);
  EXPECT_EQ(no_module.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(no_module.error().message, HasSubstr("configfs.ko"));
  std::filesystem::create_directory(folder_ + "/modules");
  for (const std::string& module : guest_modules()) {
    ASSERT_TRUE(write_file(folder_ + "/modules/" + module + ".ko", module + "'s code~Module signature appended~\n"));
  }
  auto image = Image::build(options);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_TRUE(holds(*image, "boot/config-9.9.9-test"));
  EXPECT_TRUE(holds(*image, "CONFIG_HZ=250"));
  EXPECT_TRUE(holds(*image, "zram's code"));
  EXPECT_FALSE(holds(*image, "Module signature appended"));
  EXPECT_EQ(image->hash(), Image::build(options)->hash());
  ImageOptions configured = options;
  configured.kernel.config = folder_ + "/config";
  EXPECT_EQ(Image::build(configured).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(write_file(configured.kernel.config, "CONFIG_NR_CPUS=8192\n"));
  auto with_config = Image::build(configured);
  ASSERT_TRUE(with_config) << with_config.error().message;
  EXPECT_TRUE(holds(*with_config, "CONFIG_NR_CPUS=8192"));
  options.binary = "/bin/sh";
  auto dynamic = Image::build(options);
  ASSERT_FALSE(dynamic);
  EXPECT_THAT(dynamic.error().message, HasSubstr("not statically linked"));
  options.binary = busybox;
  std::filesystem::create_directory(folder_ + "/tree");
  ASSERT_TRUE(write_file(folder_ + "/tree/file", "inside the tree"));
  std::filesystem::create_symlink("file", folder_ + "/tree/link");
  options.files = {{.host = folder_ + "/tree", .guest = "/srv/tree"}, {.host = "/bin/sh", .guest = "/opt/shell"}};
  auto with_files = Image::build(options);
  ASSERT_TRUE(with_files) << with_files.error().message;
  EXPECT_TRUE(holds(*with_files, "inside the tree"));
  EXPECT_TRUE(holds(*with_files, "srv/tree/link"));
  EXPECT_TRUE(holds(*with_files, "opt/shell"));
  EXPECT_TRUE(holds(*with_files, "libc.so.6"));
  EXPECT_NE(with_files->hash(), image->hash());
}

}  // namespace
}  // namespace pointsman
