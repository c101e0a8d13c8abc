// One promoted kernel as the registry tells it: where it applies, what it was measured to do there,
// and what it was proved with. tensorpath-registry(5) documents entry.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensorpath/base/clock.h>
#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/ops/cases.h>

namespace tensorpath::registry {

// What the measurement was taken of: the kernel alone, inside a runtime, or behind an endpoint.
enum class EvidenceLevel : std::uint8_t { kOp, kRuntime, kEndpoint };
[[nodiscard]] std::string_view name_of(EvidenceLevel level);
[[nodiscard]] std::vector<std::string> evidence_level_names();

// Texts, compared as they are. Empty: there is none of it (a host kernel has no driver).
struct Toolchain {
  std::string compiler;  // "g++ (Debian 12.2.0-14) 12.2.0"
  std::string flags;
  std::string driver;  // "550.54.14"
  std::string device;  // the processor's or the GPU's own name
};

// Ratios are baseline time over kernel time; lower and upper are the ends of their interval.
struct CaseResult {
  Symbols shape;
  double weight = 1;
  std::string baseline;
  double baseline_us = 0;
  double kernel_us = 0;
  double ratio = 1;
  double lower = 1;
  double upper = 1;
};

struct Performance {
  std::string timing = "cold";
  std::string baseline;  // the strongest one there was
  double ratio = 1;      // weighted geometric mean over the cases
  double lower = 1;
  double upper = 1;
  std::optional<double> sol_score;
  std::vector<CaseResult> cases;
};

struct Entry {
  std::string id;  // <language>_<op>_<gpu>_<dtype>_<shape>_v<n>; publish() gives it
  std::string op;
  std::string op_digest;
  std::string language;
  std::string gpu;           // "host", or a GPU of the catalog
  std::string architecture;  // "x86-64-v3", "sm_90"
  std::string dtype;         // T of the operator
  std::vector<std::pair<std::string, double>> attributes;
  std::vector<DimRange> dims;        // every dim of the operator, in its order
  std::vector<std::string> layouts;  // out of layout_names()
  Symbols tuned_shape;
  std::string objective = "latency";
  std::string falls_back_to;  // in words: "the operator's tuned baseline", or another id
  EvidenceLevel evidence_level = EvidenceLevel::kOp;
  Toolchain toolchain;
  std::string candidate_digest;
  std::string packet;  // a path in the entry's directory
  std::string packet_sha256;
  std::string run_id;
  int attempt = 1;
  WallTime promoted_at{};
  Performance performance;

  std::string directory;  // where it lies; not in the file
};

// "contiguous", "strided" (rows further apart than a row), "offset" (off a 16-byte boundary).
[[nodiscard]] std::vector<std::string> layout_names();

// "16x4096": dims of a shape in the order of the entry's own, joined by x.
[[nodiscard]] std::string shape_text(const Entry& entry, const Symbols& shape);
// The id without its version: "cpp_rmsnorm_host_fp32_16x4096".
[[nodiscard]] std::string kernel_name(const Entry& entry);
// The n of "<name>_v<n>"; nullopt when the id is not of that name.
[[nodiscard]] std::optional<int> version_of(std::string_view id, std::string_view name);
// What stands in an id and in a directory's name: lower-case letters, digits, "_", "." and "-".
[[nodiscard]] bool is_kernel_word(std::string_view word);

// entry.json and back. Unknown keys, missing ones and numbers that contradict each other are
// errors with their place; without an id it is no entry yet.
[[nodiscard]] Json to_json(const Entry& entry);
[[nodiscard]] std::string entry_text(const Entry& entry);
[[nodiscard]] Expected<Entry> read_entry(std::string_view text, const std::string& file_name);

// "1.23x [1.15, 1.31]"
[[nodiscard]] std::string ratio_text(double ratio, double lower, double upper);
// "1.23x [1.15, 1.31] against tuned, cold, on host": what was measured, and no more.
[[nodiscard]] std::string measured_text(const Entry& entry);

}  // namespace tensorpath::registry
