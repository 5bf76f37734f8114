#include "cli/lab_options.h"

#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "cli/arm_file.h"
#include "cli/interrupt.h"
#include "cli/project.h"

namespace pointsman {

void LabOptions::add(CommandLine& app) {
  app.add_option("--kernel", kernel, "Linux to boot: a bzImage, or a folder with vmlinuz and modules/ (default: the one that scripts/setup chose)").type_name("PATH");
  app.add_option("--qemu", qemu, "QEMU to use").capture_default_str().type_name("PATH");
  app.add_option("--cpus", cpus, "CPUs of the guest").capture_default_str().between(1, 8);
  app.add_option("--memory", memory_mb, "Memory of the guest in MiB").capture_default_str().between(256, 16384);
}

Result<MachineOptions> LabOptions::machine() const {
  const std::string path = kernel.empty() ? find_in_project("build/deps/kernels/chosen") : kernel;
  if (path.empty()) return fail(ErrorCode::kNotFound, "no kernel for the lab: run scripts/setup, or name one with --kernel");
  auto opened = Kernel::open(path);
  if (!opened) return fail(opened.error());
  return MachineOptions{.kernel = std::move(*opened), .cpus = cpus, .memory_mb = memory_mb, .seed = machine_seed, .qemu = qemu, .cancel_fd = interrupt_fd()};
}

void LabOptions::add_arm_file(CommandLine& app) {
  app.add_option("--arm-file", arm_file, "External arms of your own, in TOML (docs/arms.md)").type_name("FILE");
}

Result<Unit> LabOptions::register_arms() const { return register_arm_file(arm_file); }

Result<BroughtArms> bring_arms_named(std::span<const std::string> arms) {
  const std::vector<ExternalArm> external = external_arms_among(arms);
  return bring_arms(external, scheduler_folders());
}

nlohmann::json boot_request(const BroughtArms& arms) {
  nlohmann::json boot = {{"stage", true}};
  if (!arms.descriptions.empty()) boot["arms"] = arms.descriptions;
  return boot;
}

Result<LabBench> open_bench(const LabOptions& options, std::span<const std::string> arms) {
  auto brought = bring_arms_named(arms);
  if (!brought) return fail(brought.error());
  auto machine = options.machine();
  if (!machine) return fail(machine.error());
  if (::isatty(STDERR_FILENO)) fprintf(stderr, "booting Linux %s in the lab ...\r", machine->kernel.release.c_str());
  ImageOptions contents;
  contents.kernel = machine->kernel;
  contents.files = std::move(brought->files);
  auto image = Image::build(contents);
  if (!image) return fail(image.error());
  auto snapshot = GuestSnapshot::take(*machine, *image, {.boot = boot_request(*brought), .cache_folder = default_cache_folder()});
  if (!snapshot) return fail(snapshot.error());
  if (::isatty(STDERR_FILENO)) fprintf(stderr, "\33[K");
  auto binary = read_file("/proc/self/exe");
  if (!binary) return fail(binary.error());
  Identities identities{.kernel = machine->kernel.hash, .binary = Hash64{}.add(*binary).hex(), .qemu = snapshot->qemu_version(), .snapshot = snapshot->identity()};
  return LabBench{std::move(*snapshot), std::move(identities), std::move(*machine)};
}

}  // namespace pointsman
