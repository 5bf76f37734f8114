// BpfObject: one BPF object embedded in this binary, from its bytes to running programs.
// Owns: the libbpf object, and so its maps and programs; links and mapped sections own themselves and may outlive nothing but the process.
// Threads: one object belongs to one thread. What libbpf prints while a call runs goes into that call's error, never to a terminal.
// Errors: kNotFound (no such map, program or variable), kPermissionDenied, kBusy (a scheduler is attached), kUnsupported (the kernel's
// verifier or BTF says no, with its last words), kIo.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct bpf_link;
struct bpf_map;
struct bpf_object;

namespace pointsman {

// A data section of a BPF object (".data.NAME" or ".bss.NAME"), shared with the kernel as memory: reads and writes cost no system call.
class MappedSection {
 public:
  MappedSection() = default;
  MappedSection(MappedSection&& other) noexcept;
  MappedSection& operator=(MappedSection&& other) noexcept;
  ~MappedSection();
  [[nodiscard]] void* data() const { return data_; }
  [[nodiscard]] size_t size() const { return size_; }

 private:
  friend class BpfObject;
  MappedSection(void* data, size_t size) : data_(data), size_(size) {}
  void* data_ = nullptr;
  size_t size_ = 0;
};

// Destroying it detaches. Its descriptor is close-on-exec, but a child made by fork alone holds it too, and then the attachment lives until
// that child is gone.
class BpfLink {
 public:
  BpfLink() = default;
  BpfLink(BpfLink&& other) noexcept;
  BpfLink& operator=(BpfLink&& other) noexcept;
  ~BpfLink();
  explicit operator bool() const { return link_ != nullptr; }
  [[nodiscard]] int fd() const;
  void reset();

 private:
  friend class BpfObject;
  explicit BpfLink(bpf_link* link) : link_(link) {}
  bpf_link* link_ = nullptr;
};

class BpfObject {
 public:
  // `bytes` must stay valid: they are the embedded NAME_bpf_start..NAME_bpf_end.
  static Result<BpfObject> open(const std::string& name, std::span<const unsigned char> bytes);

  // Before load(). The size must be the variable's. `section` is ".rodata", ".data" or ".bss" with what follows it.
  Result<Unit> set_variable(std::string_view section, std::string_view variable, std::span<const std::byte> value);
  template <typename T>
  Result<Unit> set_rodata(std::string_view variable, const T& value) {
    return set_variable(".rodata", variable, std::as_bytes(std::span(&value, 1)));
  }
  // A whole number, whatever the variable's size. Errors: also kInvalidArgument (it does not fit, or the variable is no number of 1 to 8 bytes).
  Result<Unit> set_integer(std::string_view section, std::string_view variable, int64_t value);
  // Before load(): every variable of .rodata that begins with PREFIX and is, its leading underscores apart, called like an enumerator of the
  // running kernel (__SCX_SLICE_DFL) gets that one's value: schedulers built for several kernels expect it of who loads them. Returns how many.
  Result<int> fill_kernel_constants(std::string_view prefix);
  // The maps that attach_struct_ops takes.
  [[nodiscard]] std::vector<std::string> struct_ops_maps() const;
  // Before load(): leaves a program out, where the kernel lacks what it needs.
  Result<Unit> leave_out(const std::string& program);
  // Before load(): the number of elements of an array that has one for each CPU.
  Result<Unit> resize_map(const std::string& map, uint32_t entries);
  Result<Unit> load();

  // After load().
  Result<int> map_fd(const std::string& map) const;
  Result<int> program_fd(const std::string& program) const;
  Result<MappedSection> map_section(const std::string& section) const;
  Result<BpfLink> attach(const std::string& program);
  // The object stays loaded when the link is gone: attach again as often as you like.
  Result<BpfLink> attach_struct_ops(const std::string& map);
  // Runs a program of type syscall once, in this thread, with `context` as its argument; returns what the program returned.
  Result<int> run(int program_fd, std::span<std::byte> context) const;
  [[nodiscard]] std::vector<std::string> programs() const;
  // Instructions that the verifier walked through; 0 where the kernel does not say.
  Result<uint32_t> verified_instructions(const std::string& program) const;
  // The same of every program that was loaded.
  Result<std::map<std::string, uint32_t>> verified_instructions() const;

 private:
  struct Close {
    void operator()(bpf_object* object) const;
  };
  BpfObject(std::string name, bpf_object* object) : name_(std::move(name)), object_(object) {}
  struct Place {
    std::byte* memory;
    size_t size;
  };
  Result<bpf_map*> find_map(const std::string& map) const;
  Result<Place> place_of(std::string_view section, std::string_view variable);
  std::string name_;
  std::unique_ptr<bpf_object, Close> object_;
};

}  // namespace pointsman
