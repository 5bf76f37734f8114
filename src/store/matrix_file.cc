#include "store/matrix_file.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <optional>

#include "base/file.h"
#include "base/hash.h"

namespace pointsman {

namespace {

constexpr std::string_view kMagic = "PMMATRIX";
constexpr uint32_t kVersion = 1;
constexpr size_t kHeader = 8 + 4 + 4 + 8;
constexpr uint64_t kLargest = uint64_t{1} << 30;  // of the unpacked stream: a damaged size must not eat the memory

class Writer {
 public:
  void number(uint64_t v) {  // 7 bits a byte, the lowest first
    for (; v >= 0x80; v >>= 7) out_.push_back(static_cast<char>(v | 0x80));
    out_.push_back(static_cast<char>(v));
  }
  void difference(int64_t v) { number(static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63)); }
  void fixed(uint64_t v, int bytes) {
    for (int i = 0; i < bytes; ++i) out_.push_back(static_cast<char>(v >> (8 * i)));
  }
  void real(double v) { fixed(std::bit_cast<uint64_t>(v), 8); }
  void raw(std::string_view text) { out_.append(text); }
  void string(std::string_view text) {
    number(text.size());
    raw(text);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// Never reads past the end; after that everything is 0 and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  std::string_view raw(uint64_t bytes) {
    if (!ok_ || bytes > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view out = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return out;
  }
  uint64_t fixed(int bytes) {
    const std::string_view b = raw(static_cast<uint64_t>(bytes));
    uint64_t v = 0;
    for (size_t i = 0; i < b.size(); ++i) v |= uint64_t{static_cast<unsigned char>(b[i])} << (8 * i);
    return v;
  }
  uint64_t number() {
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::string_view b = raw(1);
      if (b.empty()) return 0;
      const auto byte = static_cast<unsigned char>(b[0]);
      v |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return v;
    }
    ok_ = false;
    return 0;
  }
  int64_t difference() {
    const uint64_t v = number();
    return static_cast<int64_t>(v >> 1 ^ (~(v & 1) + 1));
  }
  double real() { return std::bit_cast<double>(fixed(8)); }
  std::string string() { return std::string(raw(number())); }
  // A count of things that take at least `least` bytes each: no more than there can be.
  uint64_t count(uint64_t least) {
    const uint64_t n = number();
    if (n > rest_.size() / std::max<uint64_t>(1, least)) ok_ = false;
    return ok_ ? n : 0;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// Strings in the order of first use.
class Strings {
 public:
  uint64_t id(const std::string& text) {
    const auto [at, fresh] = ids_.try_emplace(text, order_.size());
    if (fresh) order_.push_back(text);
    return at->second;
  }
  [[nodiscard]] const std::vector<std::string>& all() const { return order_; }

 private:
  std::map<std::string, uint64_t> ids_;
  std::vector<std::string> order_;
};

std::array<std::string*, 12> strings_of(LedgerRun& r) {
  return {&r.key.scenario, &r.key.controller, &r.key.kernel, &r.key.binary,      &r.key.plan,     &r.key.qemu,
          &r.key.snapshot, &r.split,          &r.rejected,   &r.features_schema, &r.results_hash, &r.details};
}
std::array<double*, 9> reals_of(LedgerCosts& c) {
  return {&c.log_slowdown,  &c.mean_tat_s,     &c.mean_rt_s, &c.cv_fairness, &c.seed_l,
          &c.mean_slowdown, &c.p99_rt_short_s, &c.p99_tat_s, &c.makespan_s};
}

std::string encode_body(std::vector<LedgerRun>& runs, size_t width) {
  Strings strings;
  Writer body;
  for (LedgerRun& run : runs) {
    for (const std::string* text : strings_of(run)) body.number(strings.id(*text));
    body.number(run.key.seed);
    body.number(run.key.draw);
    body.number(run.selftest_ok);
    body.number(run.costs.size());
    for (LedgerCosts& c : run.costs) {
      body.difference(c.phase);
      body.difference(c.kind);
      body.number(strings.id(c.family));
      body.difference(c.jobs);
      body.difference(c.unscored);
      for (const double* real : reals_of(c)) body.real(*real);
    }
    body.number(run.windows.size());
    int64_t last = 0;
    for (const LedgerWindow& w : run.windows) {
      body.difference(w.end_ns - last);
      last = w.end_ns;
      body.number(strings.id(w.arm));
      body.number(w.idle);
    }
  }
  for (size_t feature = 0; feature < width; ++feature)
    for (int plane = 3; plane >= 0; --plane)
      for (const LedgerRun& run : runs)
        for (const LedgerWindow& w : run.windows) body.fixed(std::bit_cast<uint32_t>(w.features[feature]) >> (8 * plane) & 0xff, 1);

  Writer out;
  out.number(runs.size());
  out.number(width);
  out.number(strings.all().size());
  for (const std::string& text : strings.all()) out.string(text);
  out.raw(body.take());
  return out.take();
}

}  // namespace

Result<std::string> encode_matrix(std::span<const LedgerRun> given) {
  std::vector<LedgerRun> runs(given.begin(), given.end());
  std::sort(runs.begin(), runs.end(), [](const LedgerRun& a, const LedgerRun& b) { return reads_before(a.key, b.key); });
  std::optional<size_t> width;
  for (const LedgerRun& run : runs)
    for (const LedgerWindow& w : run.windows)
      if (width.value_or(w.features.size()) != w.features.size())
        return fail(ErrorCode::kInvalidArgument, "matrix: {} has {} features a window, the runs before it {}", describe(run.key),
                    w.features.size(), *width);
      else
        width = w.features.size();
  const std::string body = encode_body(runs, width.value_or(0));
  if (body.size() > kLargest) return fail(ErrorCode::kInvalidArgument, "matrix: {} bytes are more than one file holds", body.size());

  uLongf packed_size = compressBound(body.size());
  std::string packed(packed_size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(packed.data()), &packed_size, reinterpret_cast<const Bytef*>(body.data()), body.size(), 9) != Z_OK)
    return fail(ErrorCode::kIo, "matrix: zlib could not pack {} bytes", body.size());
  packed.resize(packed_size);
  // Over the packed bytes: zlib's own checksum covers the content, but not the bits that pad its last byte.
  Writer checked;
  checked.fixed(body.size(), 8);
  checked.raw(packed);
  const std::string rest = checked.take();
  Writer out;
  out.raw(kMagic);
  out.fixed(kVersion, 4);
  out.fixed(crc32c(rest), 4);
  out.raw(rest);
  return out.take();
}

Result<std::vector<LedgerRun>> decode_matrix(std::string_view bytes) {
  if (bytes.substr(0, kMagic.size()) != kMagic) return fail(ErrorCode::kInvalidArgument, "not a matrix file");
  if (bytes.size() < kHeader) return fail(ErrorCode::kCorrupt, "truncated in the header");
  Reader header(bytes.substr(kMagic.size()));
  const uint64_t version = header.fixed(4);
  if (version != kVersion) return fail(ErrorCode::kUnsupported, "version {}, this build reads version {}", version, kVersion);
  const uint64_t checksum = header.fixed(4), size = header.fixed(8);
  if (crc32c(bytes.substr(kMagic.size() + 8)) != checksum || size > kLargest)
    return fail(ErrorCode::kCorrupt, "truncated or damaged: the content does not match its checksum");
  const std::string_view packed = bytes.substr(kHeader);
  std::string body(size, '\0');
  uLongf unpacked = size;
  uLong used = packed.size();
  const int error = uncompress2(reinterpret_cast<Bytef*>(body.data()), &unpacked, reinterpret_cast<const Bytef*>(packed.data()), &used);
  if (error != Z_OK || unpacked != size || used != packed.size())
    return fail(ErrorCode::kCorrupt, "damaged: the content cannot be unpacked");

  Reader in(body);
  const uint64_t count = in.count(1), width = in.count(0);
  std::vector<std::string> strings(in.count(1));
  for (std::string& text : strings) text = in.string();
  bool known = true;
  const auto string = [&](std::string& out) {
    const uint64_t id = in.number();
    if (id < strings.size())
      out = strings[id];
    else
      known = false;
  };
  std::vector<LedgerRun> runs(count);
  uint64_t windows = 0;
  for (LedgerRun& run : runs) {
    for (std::string* text : strings_of(run)) string(*text);
    run.key.seed = in.number();
    run.key.draw = in.number();
    run.selftest_ok = in.number() != 0;
    run.costs.resize(in.count(77));
    for (LedgerCosts& c : run.costs) {
      c.phase = static_cast<int>(in.difference());
      c.kind = static_cast<int>(in.difference());
      string(c.family);
      c.jobs = static_cast<int>(in.difference());
      c.unscored = static_cast<int>(in.difference());
      for (double* real : reals_of(c)) *real = in.real();
    }
    run.windows.resize(in.count(3));
    windows += run.windows.size();
    if (width > body.size() || windows * width * 4 > body.size())
      return fail(ErrorCode::kCorrupt, "damaged: the content contradicts itself");
    int64_t last = 0;
    for (LedgerWindow& w : run.windows) {
      w.end_ns = last += in.difference();
      string(w.arm);
      w.idle = in.number() != 0;
      w.features.resize(width);
    }
    if (!in.ok() || !known) return fail(ErrorCode::kCorrupt, "damaged: the content contradicts itself");
  }
  for (size_t feature = 0; feature < width; ++feature) {
    for (int plane = 3; plane >= 0; --plane)
      for (LedgerRun& run : runs)
        for (LedgerWindow& w : run.windows) {
          const uint32_t so_far = plane == 3 ? 0 : std::bit_cast<uint32_t>(w.features[feature]);
          w.features[feature] = std::bit_cast<float>(so_far | static_cast<uint32_t>(in.fixed(1)) << (8 * plane));
        }
    if (!in.ok()) break;
  }
  if (!in.ok() || !in.at_end()) return fail(ErrorCode::kCorrupt, "damaged: the content contradicts itself");
  return runs;
}

Result<Unit> write_matrix(const std::string& path, std::span<const LedgerRun> runs) {
  auto bytes = encode_matrix(runs);
  if (!bytes) return fail(bytes.error().at(path));
  return write_file(path, *bytes);
}

Result<std::vector<LedgerRun>> read_matrix(const std::string& path) {
  auto bytes = read_file(path);
  if (!bytes) return fail(bytes.error());
  auto runs = decode_matrix(*bytes);
  if (!runs) return fail(runs.error().at(path));
  return runs;
}

}  // namespace pointsman
