#include "bpf/object.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <vector>

namespace pointsman {
namespace {

// libbpf has one printer for the whole process; each thread that is inside a call of ours listens to its own words.
thread_local std::string* listener = nullptr;

int keep_words(libbpf_print_level level, const char* format, va_list arguments) {
  if (listener == nullptr || level == LIBBPF_DEBUG) return 0;
  va_list again;
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  if (length <= 0) return 0;
  std::string words(static_cast<size_t>(length) + 1, '\0');
  std::vsnprintf(words.data(), words.size(), format, arguments);
  words.resize(static_cast<size_t>(length));
  listener->append(words);
  return 0;
}

class Listen {
 public:
  Listen() : before_(listener) {
    static const auto installed = libbpf_set_print(keep_words);
    static_cast<void>(installed);
    listener = &words_;
  }
  Listen(const Listen&) = delete;
  Listen& operator=(const Listen&) = delete;
  ~Listen() { listener = before_; }

  // The last lines that say something, as one line. A verifier log ends with counts and libbpf's own "failed to load": the complaint stands
  // above them.
  [[nodiscard]] std::string last_words() const {
    constexpr size_t kLines = 5;
    constexpr std::string_view kNoise[] = {"processed ",  "-- END PROG LOAD LOG --",      "-- BEGIN PROG LOAD LOG --", "verification time",
                                           "stack depth", "libbpf: failed to load object"};
    std::vector<std::string_view> lines;
    std::string_view rest = words_;
    while (!rest.empty()) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (line.starts_with("libbpf: ")) line.remove_prefix(8);
      bool noise = line.empty();
      for (const auto& prefix : kNoise) noise = noise || line.starts_with(prefix) || ("libbpf: " + std::string(line)).starts_with(prefix);
      if (!noise) lines.push_back(line);
    }
    std::string out;
    for (size_t i = lines.size() > kLines ? lines.size() - kLines : 0; i < lines.size(); i++) {
      if (!out.empty()) out += "; ";
      out += lines[i];
    }
    return out;
  }

 private:
  std::string* before_;
  std::string words_;
};

ErrorCode code_of(int error) {
  switch (error) {
    case ENOENT:
    case ESRCH:
      return ErrorCode::kNotFound;
    case EPERM:
      return ErrorCode::kPermissionDenied;
    case EBUSY:
      return ErrorCode::kBusy;
    case ENOMEM:
    case EIO:
      return ErrorCode::kIo;
    default:
      return ErrorCode::kUnsupported;
  }
}

Unexpected fail_bpf(const std::string& what, int error, const Listen& listen) {
  const std::string words = listen.last_words();
  return fail(code_of(error), "{}: {}{}{}", what, std::strerror(error), words.empty() ? "" : ": ", words);
}

}  // namespace

MappedSection::MappedSection(MappedSection&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
MappedSection& MappedSection::operator=(MappedSection&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}
MappedSection::~MappedSection() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

BpfLink::BpfLink(BpfLink&& other) noexcept : link_(std::exchange(other.link_, nullptr)) {}
BpfLink& BpfLink::operator=(BpfLink&& other) noexcept {
  std::swap(link_, other.link_);
  return *this;
}
BpfLink::~BpfLink() { reset(); }
int BpfLink::fd() const { return link_ == nullptr ? -1 : bpf_link__fd(link_); }
void BpfLink::reset() {
  if (link_ != nullptr) bpf_link__destroy(std::exchange(link_, nullptr));
}

void BpfObject::Close::operator()(bpf_object* object) const { bpf_object__close(object); }

Result<BpfObject> BpfObject::open(const std::string& name, std::span<const unsigned char> bytes) {
  Listen listen;
  bpf_object_open_opts options{};
  options.sz = sizeof(options);
  options.object_name = name.c_str();
  bpf_object* object = bpf_object__open_mem(bytes.data(), bytes.size(), &options);
  if (object == nullptr) return fail_bpf("BPF object " + name, errno, listen);
  return BpfObject(name, object);
}

Result<BpfObject::Place> BpfObject::place_of(std::string_view section, std::string_view variable) {
  const btf* types = bpf_object__btf(object_.get());
  const int section_id = btf__find_by_name_kind(types, std::string(section).c_str(), BTF_KIND_DATASEC);
  if (section_id < 0) return fail(ErrorCode::kNotFound, "BPF object {} has no section {}", name_, section);
  const btf_type* section_type = btf__type_by_id(types, static_cast<uint32_t>(section_id));
  const btf_var_secinfo* entries = btf_var_secinfos(section_type);
  for (uint16_t i = 0; i < btf_vlen(section_type); i++) {
    const btf_type* entry = btf__type_by_id(types, entries[i].type);
    if (variable != btf__name_by_offset(types, entry->name_off)) continue;
    auto map = find_map(std::string(section));
    if (!map) return fail(map.error());
    size_t size = 0;
    auto* memory = static_cast<std::byte*>(bpf_map__initial_value(*map, &size));
    if (memory == nullptr || size_t{entries[i].offset} + entries[i].size > size)
      return fail(ErrorCode::kCorrupt, "BPF object {}: section {} has no memory", name_, section);
    return Place{memory + entries[i].offset, entries[i].size};
  }
  return fail(ErrorCode::kNotFound, "BPF object {} has no variable {} in {}", name_, variable, section);
}

Result<Unit> BpfObject::set_variable(std::string_view section, std::string_view variable, std::span<const std::byte> value) {
  auto place = place_of(section, variable);
  if (!place) return fail(place.error());
  if (place->size != value.size())
    return fail(ErrorCode::kInvalidArgument, "BPF object {}: {} has {} bytes, not {}", name_, variable, place->size, value.size());
  std::memcpy(place->memory, value.data(), value.size());
  return Unit{};
}

Result<Unit> BpfObject::set_integer(std::string_view section, std::string_view variable, int64_t value) {
  auto place = place_of(section, variable);
  if (!place) return fail(place.error());
  const size_t size = place->size;
  if (size != 1 && size != 2 && size != 4 && size != 8)
    return fail(ErrorCode::kInvalidArgument, "BPF object {}: {} has {} bytes and is no number", name_, variable, size);
  const int bits = static_cast<int>(size) * 8;
  if (size < 8 && (value >= int64_t{1} << bits || value < -(int64_t{1} << (bits - 1))))
    return fail(ErrorCode::kInvalidArgument, "BPF object {}: {} has {} bytes, {} does not fit", name_, variable, size, value);
  std::memcpy(place->memory, &value, size);  // little-endian, as BPF is here
  return Unit{};
}

Result<int> BpfObject::fill_kernel_constants(std::string_view prefix) {
  const btf* types = bpf_object__btf(object_.get());
  const int section_id = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
  if (section_id < 0) return 0;
  std::map<std::string, std::string, std::less<>> wanted;  // enumerator -> variable
  const btf_type* section = btf__type_by_id(types, static_cast<uint32_t>(section_id));
  for (uint16_t i = 0; i < btf_vlen(section); i++) {
    const std::string_view variable = btf__name_by_offset(types, btf__type_by_id(types, btf_var_secinfos(section)[i].type)->name_off);
    if (variable.starts_with(prefix)) wanted.emplace(variable.substr(std::min(prefix.find_first_not_of('_'), prefix.size())), variable);
  }
  if (wanted.empty()) return 0;
  Listen listen;
  const std::unique_ptr<btf, decltype(&btf__free)> kernel(btf__load_vmlinux_btf(), btf__free);
  if (!kernel) return fail_bpf("the kernel's types", errno, listen);
  int filled = 0;
  for (uint32_t id = 1; id < btf__type_cnt(kernel.get()) && !wanted.empty(); id++) {
    const btf_type* type = btf__type_by_id(kernel.get(), id);
    const bool wide = btf_is_enum64(type);
    if (!wide && !btf_is_enum(type)) continue;
    for (uint16_t i = 0; i < btf_vlen(type); i++) {
      const std::string_view name = btf__name_by_offset(kernel.get(), wide ? btf_enum64(type)[i].name_off : btf_enum(type)[i].name_off);
      const auto variable = wanted.find(name);
      if (variable == wanted.end()) continue;
      const int64_t value = wide ? static_cast<int64_t>(btf_enum64_value(&btf_enum64(type)[i])) : int64_t{btf_enum(type)[i].val};
      if (auto set = set_integer(".rodata", variable->second, value); !set) return fail(set.error());
      wanted.erase(variable);
      filled++;
    }
  }
  return filled;
}

std::vector<std::string> BpfObject::struct_ops_maps() const {
  std::vector<std::string> names;
  for (const bpf_map* map = bpf_object__next_map(object_.get(), nullptr); map != nullptr; map = bpf_object__next_map(object_.get(), map)) {
    if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS) names.emplace_back(bpf_map__name(map));
  }
  return names;
}

Result<Unit> BpfObject::leave_out(const std::string& program) {
  bpf_program* found = bpf_object__find_program_by_name(object_.get(), program.c_str());
  if (found == nullptr) return fail(ErrorCode::kNotFound, "BPF object {} has no program {}", name_, program);
  if (const int r = bpf_program__set_autoload(found, false); r != 0)
    return fail(ErrorCode::kInvalidArgument, "BPF program {} is loaded already", program);
  return Unit{};
}

Result<Unit> BpfObject::resize_map(const std::string& map, uint32_t entries) {
  auto found = find_map(map);
  if (!found) return fail(found.error());
  if (const int r = bpf_map__set_max_entries(*found, entries); r != 0)
    return fail(ErrorCode::kInvalidArgument, "BPF map {} is loaded already", map);
  return Unit{};
}

Result<Unit> BpfObject::load() {
  Listen listen;
  if (const int r = bpf_object__load(object_.get()); r != 0) return fail_bpf("loading BPF object " + name_, -r, listen);
  ::malloc_trim(0);  // the kernel's types, some 5 MB, were read for the loading only
  return Unit{};
}

Result<bpf_map*> BpfObject::find_map(const std::string& map) const {
  // libbpf names the map of a plain section after the object ("portfoli.rodata"); looked up by the section's own name all of them are
  // found.
  bpf_map* found = bpf_object__find_map_by_name(object_.get(), map.c_str());
  if (found == nullptr) return fail(ErrorCode::kNotFound, "BPF object {} has no map {}", name_, map);
  return found;
}

Result<int> BpfObject::map_fd(const std::string& map) const {
  auto found = find_map(map);
  if (!found) return fail(found.error());
  return bpf_map__fd(*found);
}

Result<int> BpfObject::program_fd(const std::string& program) const {
  const bpf_program* found = bpf_object__find_program_by_name(object_.get(), program.c_str());
  if (found == nullptr) return fail(ErrorCode::kNotFound, "BPF object {} has no program {}", name_, program);
  return bpf_program__fd(found);
}

Result<MappedSection> BpfObject::map_section(const std::string& section) const {
  auto map = find_map(section);
  if (!map) return fail(map.error());
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t size = (bpf_map__value_size(*map) + page - 1) / page * page;
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(*map), 0);
  if (data == MAP_FAILED) return fail_errno("mapping section " + section + " of BPF object " + name_);
  return MappedSection(data, size);
}

Result<BpfLink> BpfObject::attach(const std::string& program) {
  Listen listen;
  const bpf_program* found = bpf_object__find_program_by_name(object_.get(), program.c_str());
  if (found == nullptr) return fail(ErrorCode::kNotFound, "BPF object {} has no program {}", name_, program);
  bpf_link* link = bpf_program__attach(found);
  if (link == nullptr) return fail_bpf("attaching BPF program " + program, errno, listen);
  return BpfLink(link);
}

Result<BpfLink> BpfObject::attach_struct_ops(const std::string& map) {
  Listen listen;
  auto found = find_map(map);
  if (!found) return fail(found.error());
  bpf_link* link = bpf_map__attach_struct_ops(*found);
  if (link == nullptr) return fail_bpf("attaching " + map, errno, listen);
  return BpfLink(link);
}

Result<int> BpfObject::run(int program_fd, std::span<std::byte> context) const {
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.ctx_in = context.data();  // the kernel writes the result back here, and refuses a second buffer
  options.ctx_size_in = static_cast<uint32_t>(context.size());
  if (const int r = bpf_prog_test_run_opts(program_fd, &options); r != 0) {
    return fail(code_of(-r), "running a program of BPF object {}: {}", name_, std::strerror(-r));
  }
  return static_cast<int>(options.retval);
}

std::vector<std::string> BpfObject::programs() const {
  std::vector<std::string> names;
  for (const bpf_program* program = bpf_object__next_program(object_.get(), nullptr); program != nullptr;
       program = bpf_object__next_program(object_.get(), const_cast<bpf_program*>(program))) {
    names.emplace_back(bpf_program__name(program));
  }
  return names;
}

Result<uint32_t> BpfObject::verified_instructions(const std::string& program) const {
  auto fd = program_fd(program);
  if (!fd) return fail(fd.error());
  bpf_prog_info info{};
  uint32_t size = sizeof(info);
  if (const int r = bpf_prog_get_info_by_fd(*fd, &info, &size); r != 0)
    return fail(code_of(-r), "BPF program {}: {}", program, std::strerror(-r));
  return info.verified_insns;
}

Result<std::map<std::string, uint32_t>> BpfObject::verified_instructions() const {
  std::map<std::string, uint32_t> out;
  for (const std::string& name : programs()) {
    if (!bpf_program__autoload(bpf_object__find_program_by_name(object_.get(), name.c_str()))) continue;
    auto count = verified_instructions(name);
    if (!count) return fail(count.error());
    out.emplace(name, *count);
  }
  return out;
}

}  // namespace pointsman
