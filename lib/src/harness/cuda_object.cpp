#include "cuda_object.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <map>

#include <fmt/format.h>

namespace tensorpath {
namespace {

constexpr std::uint8_t kEntryPoint = 0x10;  // STO_CUDA_ENTRY, in a symbol's `other`

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// .nv.info.<kernel>: records of a format, an attribute and a 16-bit size or value; format 4 has
// `size` bytes behind it. EIATTR_KPARAM_INFO (0x17) is one parameter: index, ordinal, offset, and a
// word whose upper 14 bits are its size.
constexpr std::uint8_t kSizedRecord = 4;
constexpr std::uint8_t kParameterInfo = 0x17;
constexpr std::size_t kParameterRecord = 12;

std::uint32_t word_at(std::string_view bytes, std::size_t at) {
  std::uint32_t out = 0;
  std::memcpy(&out, bytes.data() + at, sizeof out);
  return out;
}

std::uint16_t half_at(std::string_view bytes, std::size_t at) {
  std::uint16_t out = 0;
  std::memcpy(&out, bytes.data() + at, sizeof out);
  return out;
}

// False: a record that is cut.
bool read_parameters(std::string_view info, CubinKernel& kernel) {
  std::map<std::uint16_t, std::uint32_t> sizes;
  std::size_t at = 0;
  while (at + 4 <= info.size()) {
    const auto format = static_cast<std::uint8_t>(info[at]);
    const auto attribute = static_cast<std::uint8_t>(info[at + 1]);
    const std::size_t size = format == kSizedRecord ? half_at(info, at + 2) : 0;
    at += 4;
    if (size > info.size() - at) return false;
    if (format == kSizedRecord && attribute == kParameterInfo && size >= kParameterRecord) {
      sizes[half_at(info, at + 4)] = word_at(info, at + 8) >> 18U;
    }
    at += size;
  }
  for (const auto& [ordinal, size] : sizes) {
    if (ordinal != kernel.parameter_bytes.size()) return false;
    kernel.parameter_bytes.push_back(size);
  }
  return true;
}

bool is_kernel(const ElfSymbol& symbol) {
  return !symbol.undefined() && symbol.type == ElfSymbol::kFunction &&
         symbol.binding != ElfSymbol::kLocal && (symbol.other & kEntryPoint) != 0;
}

// Writable by a flag that says little: memory of a block or a thread ends with it.
bool is_of_a_block(std::string_view section) {
  return starts_with(section, ".nv.shared") || starts_with(section, ".nv.local") ||
         starts_with(section, ".nv.reservedSmem");
}

Refusal scan_state(const ElfObject& object) {
  for (const ElfSection& section : object.sections) {
    if (section.size == 0) continue;
    const bool global = starts_with(section.name, ".nv.global");
    if (!global && (!section.writable() || !section.loaded() || is_of_a_block(section.name))) {
      continue;
    }
    std::string names;
    for (const ElfSymbol& symbol : object.symbols) {
      const bool here =
          symbol.section < object.sections.size() && &object.sections[symbol.section] == &section;
      if (!here || symbol.type != ElfSymbol::kObject) continue;
      names += (names.empty() ? "" : ", ") + quote_input(symbol.name);
    }
    return {Failure::kWritableState,
            fmt::format("section {} holds {} bytes of global memory{}{}; tables belong into "
                        "__constant__ or constexpr, text and __device__ variables nowhere",
                        section.name, section.size, names.empty() ? "" : ": ", names)};
  }
  return {};
}

// Constant memory is global memory that one bank reads: through its generic address a kernel could
// write it. The cubin shows no trace of that, the PTX it came from does.
Refusal scan_ptx(std::string_view ptx) {
  if (ptx.find("cvta.const") == std::string_view::npos) return {};
  return {Failure::kWritableState, "the address of a __constant__ is taken; index it directly"};
}

Refusal scan_imports(const ElfObject& object) {
  for (const std::string& name : object.imports()) {
    if (starts_with(name, ".nv.")) continue;  // places that the driver fills in
    const char* why = name == "vprintf"           ? "printf"
                      : name == "malloc"          ? "malloc or new"
                      : name == "free"            ? "free or delete"
                      : name == "__assertfail"    ? "assert"
                      : starts_with(name, "cuda") ? "a launch from the device"
                                                  : "another module";
    return {Failure::kForbiddenImport, fmt::format("it needs {} ({})", quote_input(name), why)};
  }
  return {};
}

std::uint32_t bytes_of(PlanArgument::Kind kind) {
  switch (kind) {
    case PlanArgument::Kind::kInt32:
    case PlanArgument::Kind::kFloat:
      return 4;
    case PlanArgument::Kind::kTensorMap:
      return 128;
    default:
      return 8;
  }
}

Refusal scan_launch(const std::vector<CubinKernel>& kernels, const PlanLaunch& launch) {
  const auto found = std::find_if(kernels.begin(), kernels.end(), [&](const CubinKernel& kernel) {
    return kernel.name == launch.kernel;
  });
  if (found == kernels.end()) {
    std::vector<std::string> names;
    for (const CubinKernel& kernel : kernels) names.push_back(kernel.name);
    const std::string hint = suggestion(launch.kernel, names);
    return {Failure::kMissingEntry,
            fmt::format("there is no extern \"C\" __global__ function {}{}{}",
                        quote_input(launch.kernel), hint.empty() ? "" : "; ", hint)};
  }
  if (!found->parameters_known) return {};
  const auto& parameters = found->parameter_bytes;
  if (parameters.size() != launch.arguments.size()) {
    return {Failure::kPlanInvalid,
            fmt::format("{} takes {} arguments, the plan gives {}", launch.kernel,
                        parameters.size(), launch.arguments.size())};
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::uint32_t given = bytes_of(launch.arguments[i].kind);
    if (given == parameters[i]) continue;
    return {Failure::kPlanInvalid,
            fmt::format("{}: argument {} has {} bytes in the kernel and {} in the plan",
                        launch.kernel, i + 1, parameters[i], given)};
  }
  return {};
}

// The number before `unit`, or after it where `after`.
std::int64_t number_before(std::string_view line, std::string_view unit) {
  const std::size_t end = line.find(unit);
  if (end == std::string_view::npos || end == 0) return 0;
  std::size_t begin = end;
  while (begin > 0 && std::isdigit(static_cast<unsigned char>(line[begin - 1])) != 0) --begin;
  std::int64_t value = 0;
  (void)std::from_chars(line.data() + begin, line.data() + end, value);
  return value;
}

std::string quoted_after(std::string_view line, std::string_view word) {
  const std::size_t at = line.find(word);
  if (at == std::string_view::npos) return {};
  const std::size_t open = line.find('\'', at + word.size());
  if (open == std::string_view::npos) return {};
  const std::size_t close = line.find('\'', open + 1);
  if (close == std::string_view::npos) return {};
  return std::string(line.substr(open + 1, close - open - 1));
}

}  // namespace

std::vector<CubinKernel> kernels_of(const ElfObject& object, std::string_view bytes) {
  std::vector<CubinKernel> kernels;
  for (const ElfSymbol& symbol : object.symbols) {
    if (!is_kernel(symbol)) continue;
    CubinKernel kernel;
    kernel.name = symbol.name;
    if (const ElfSection* info = object.find_section(".nv.info." + symbol.name)) {
      // read_elf has checked that the section lies inside the file.
      const bool has_bytes = info->type != ElfSection::kNoBits;
      kernel.parameters_known =
          has_bytes && read_parameters(bytes.substr(info->offset, info->size), kernel);
    }
    kernels.push_back(std::move(kernel));
  }
  return kernels;
}

Refusal scan_cubin(std::string_view bytes, std::string_view ptx, const LaunchPlan& plan,
                   const Defences& defences) {
  const auto object = read_elf(bytes, "kernel.cubin");
  if (!object) return {Failure::kCompileError, object.error().to_string()};
  if (object->machine != kElfMachineCuda) {
    return {Failure::kCompileError, "kernel.cubin is no code for a GPU"};
  }
  if (defences.import_scan) {
    if (auto refusal = scan_imports(*object); refusal.failure != Failure::kNone) return refusal;
  }
  if (defences.state_scan) {
    if (auto refusal = scan_state(*object); refusal.failure != Failure::kNone) return refusal;
    if (auto refusal = scan_ptx(ptx); refusal.failure != Failure::kNone) return refusal;
  }
  const std::vector<CubinKernel> kernels = kernels_of(*object, bytes);
  for (const auto* launches : {&plan.prepare, &plan.launches}) {
    for (const PlanLaunch& launch : *launches) {
      if (auto refusal = scan_launch(kernels, launch); refusal.failure != Failure::kNone) {
        return refusal;
      }
    }
  }
  return {};
}

std::vector<KernelResources> read_resource_usage(std::string_view text) {
  std::vector<KernelResources> out;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    if (std::string kernel = quoted_after(line, "Compiling entry function"); !kernel.empty()) {
      out.push_back({});
      out.back().kernel = std::move(kernel);
      out.back().architecture = quoted_after(line, "' for");
    } else if (!out.empty() && line.find(" spill stores") != std::string_view::npos) {
      out.back().stack_bytes = number_before(line, " bytes stack frame");
      out.back().spill_store_bytes = number_before(line, " bytes spill stores");
      out.back().spill_load_bytes = number_before(line, " bytes spill loads");
    } else if (!out.empty() && line.find(" registers") != std::string_view::npos) {
      out.back().registers = number_before(line, " registers");
      out.back().barriers = number_before(line, " barriers");
      out.back().shared_bytes = number_before(line, " bytes smem");
    }
  }
  return out;
}

}  // namespace tensorpath
