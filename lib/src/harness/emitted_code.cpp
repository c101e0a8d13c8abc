#include "emitted_code.h"

#include "compile.h"
#include "cuda_build.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>

#include <fmt/format.h>

#include <tensorpath/base/file.h>

namespace tensorpath {
namespace {

struct Instruction {
  std::string_view name;  // "vfmadd231ps", "HGMMA.64x64x16.F32"
  std::string_view operands;
};

bool starts(std::string_view text, std::string_view with) { return text.starts_with(with); }
bool ends(std::string_view text, std::string_view with) { return text.ends_with(with); }
bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

template <std::size_t kCount>
bool is_any(std::string_view name, const std::array<std::string_view, kCount>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// %xmm16 and above exist with the encoding of AVX-512 only.
bool has_upper_register(std::string_view operands) {
  for (std::size_t at = 0; (at = operands.find("mm", at)) != std::string_view::npos; at += 2) {
    const std::string_view digits = operands.substr(at + 2, 2);
    if (digits.size() == 2 && std::isdigit(static_cast<unsigned char>(digits[1])) != 0 &&
        (digits[0] >= '2' || (digits[0] == '1' && digits[1] >= '6'))) {
      return true;
    }
  }
  return false;
}

bool is_avx512(const Instruction& one) {
  return starts(one.name, "v") &&
         (has(one.operands, "%zmm") || has(one.operands, "%k") || has_upper_register(one.operands));
}
bool is_vex(const Instruction& one) { return starts(one.name, "v") && !is_avx512(one); }

bool is_avx2(const Instruction& one) {
  if (!is_vex(one)) return false;
  const bool wide_integers = has(one.operands, "%ymm") &&
                             (starts(one.name, "vp") || ends(one.name, "i128")) &&
                             !starts(one.name, "vpermilp") && !starts(one.name, "vperm2f");
  return wide_integers || starts(one.name, "vgather") || starts(one.name, "vpgather") ||
         starts(one.name, "vpbroadcast");
}

bool is_f16c(const Instruction& one) { return one.name == "vcvtph2ps" || one.name == "vcvtps2ph"; }

bool is_bf16(const Instruction& one) {
  return one.name == "vdpbf16ps" || starts(one.name, "vcvtne");
}

bool is_fp16(const Instruction& one) {
  if (!starts(one.name, "v") || is_f16c(one)) return false;
  return ends(one.name, "ph") || ends(one.name, "sh") || starts(one.name, "vcvtph2") ||
         starts(one.name, "vcvttph2");
}

struct Family {
  std::string_view name;
  std::function<bool(const Instruction&)> holds;
};

const std::vector<Family>& host_families() {
  static const std::vector<Family> kFamilies = {
      {"sse",
       [](const Instruction& one) { return !starts(one.name, "v") && has(one.operands, "%xmm"); }},
      {"avx",
       [](const Instruction& one) {
         return is_vex(one) && !is_avx2(one) &&
                (has(one.operands, "%xmm") || has(one.operands, "%ymm"));
       }},
      {"avx2", is_avx2},
      {"fma",
       [](const Instruction& one) { return starts(one.name, "vfm") || starts(one.name, "vfnm"); }},
      {"f16c", is_f16c},
      {"avx512", is_avx512},
      {"avx512_fp16", is_fp16},
      {"avx512_bf16", is_bf16},
      {"vnni",
       [](const Instruction& one) {
         return starts(one.name, "vpdpbusd") || starts(one.name, "vpdpwssd");
       }},
      {"amx",
       [](const Instruction& one) {
         return starts(one.name, "tdp") || starts(one.name, "tile") || one.name == "ldtilecfg" ||
                one.name == "sttilecfg";
       }},
      {"nontemporal",
       [](const Instruction& one) {
         return starts(one.name, "movnt") || starts(one.name, "vmovnt");
       }},
      {"prefetch", [](const Instruction& one) { return starts(one.name, "prefetch"); }}};
  return kFamilies;
}

std::string_view opcode_of(const Instruction& one) {
  return one.name.substr(0, one.name.find('.'));
}

// Opcodes as in the "CUDA Binary Utilities" documentation's instruction set reference.
template <std::size_t kCount>
std::function<bool(const Instruction&)> any_of(const std::array<std::string_view, kCount>& names) {
  return [names](const Instruction& one) { return is_any(opcode_of(one), names); };
}

const std::vector<Family>& device_families() {
  static const std::vector<Family> kFamilies = {
      {"fma", any_of(std::array<std::string_view, 6>{"FFMA", "FFMA2", "HFMA2", "DFMA", "HFMA",
                                                     "FFMA32I"})},
      {"mma", any_of(std::array<std::string_view, 6>{"HMMA", "IMMA", "DMMA", "BMMA", "QMMA",
                                                     "OMMA"})},
      {"ldmatrix", any_of(std::array<std::string_view, 1>{"LDSM"})},
      {"stmatrix", any_of(std::array<std::string_view, 1>{"STSM"})},
      {"cp_async", any_of(std::array<std::string_view, 1>{"LDGSTS"})},
      {"wgmma", any_of(std::array<std::string_view, 4>{"HGMMA", "IGMMA", "QGMMA", "BGMMA"})},
      {"tma", any_of(std::array<std::string_view, 7>{"UTMALDG", "UTMASTG", "UTMAREDG", "UTMAPF",
                                                     "UBLKCP", "UBLKRED", "UBLKPF"})},
      {"mbarrier", any_of(std::array<std::string_view, 1>{"SYNCS"})},
      {"cluster", [](const Instruction& one) {
         return has(opcode_of(one), "CGABAR") || opcode_of(one) == "MAPA" ||
                has(one.operands, "SR_CgaCtaId") || has(one.operands, "SR_CLUSTER");
       }},
      {"tcgen05", [](const Instruction& one) {
         return starts(one.name, "UTC") || opcode_of(one) == "LDTM" || opcode_of(one) == "STTM";
       }},
      {"wide_load", [](const Instruction& one) {
         return (starts(one.name, "LDG.") || starts(one.name, "LD.")) && has(one.name, ".128");
       }},
      {"local_memory", any_of(std::array<std::string_view, 2>{"LDL", "STL"})}};
  return kFamilies;
}

const std::vector<Family>& families_of(DeviceKind device) {
  return device == DeviceKind::kCuda ? device_families() : host_families();
}

Instruction split(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin);
  const std::size_t end = std::min(text.find_first_of(" \t;"), text.size());
  return {text.substr(0, end), text.substr(end)};
}

// "    11a9:\tvfmadd231ps %ymm1,%ymm2,%ymm0": the address, a tab, the instruction.
Instruction host_instruction(std::string_view line) {
  const std::size_t tab = line.find(":\t");
  if (tab == std::string_view::npos) return {};
  const std::string_view address = line.substr(0, tab);
  const std::size_t digits = address.find_first_not_of(' ');
  if (digits == std::string_view::npos ||
      address.find_first_not_of("0123456789abcdef", digits) != std::string_view::npos) {
    return {};
  }
  std::string_view rest = line.substr(tab + 2);
  rest = rest.substr(0, rest.find('#'));  // objdump's note of an address
  Instruction out = split(rest);
  for (const std::string_view prefix :
       {"lock", "rep", "repz", "bnd", "notrack", "{evex}", "{vex}"}) {
    if (out.name == prefix) out = split(out.operands);
  }
  return out;
}

// "        /*0070*/              @!P0 HGMMA.64x64x16.F32 R24, ... ;"
Instruction device_instruction(std::string_view line) {
  const std::size_t open = line.find("/*");
  const std::size_t close = line.find("*/");
  if (open == std::string_view::npos || close == std::string_view::npos || close < open + 6 ||
      line.find_first_not_of(" \t") != open ||
      line.substr(open + 2, close - open - 2).find_first_not_of("0123456789abcdef") !=
          std::string_view::npos) {
    return {};
  }
  Instruction out = split(line.substr(close + 2));
  if (starts(out.name, "@")) out = split(out.operands);
  // The second half of an instruction's encoding stands in a comment of its own.
  const bool opcode = !out.name.empty() && out.name.front() >= 'A' && out.name.front() <= 'Z';
  return opcode ? out : Instruction{};
}

struct Disassembler {
  std::string name;
  std::vector<std::string> command;
  std::vector<ViewEntry> view;
};

Disassembler disassembler_of(const Subject& subject, const std::string& object) {
  if (subject.task.device == DeviceKind::kHost) {
    if (!file_exists("/usr/bin/objdump")) return {};
    return {"objdump", {"/usr/bin/objdump", "-d", "--no-show-raw-insn", "-w", object}, {}};
  }
  const auto toolkit = find_cuda_toolkit();
  if (!toolkit) return {};
  const std::string bin = path_join(toolkit->root, "bin");
  if (const std::string tool = path_join(bin, "nvdisasm"); file_exists(tool)) {
    return {"nvdisasm", {tool, "-c", object}, toolkit_view(*toolkit)};
  }
  if (const std::string tool = path_join(bin, "cuobjdump"); file_exists(tool)) {
    return {"cuobjdump", {tool, "-sass", object}, toolkit_view(*toolkit)};
  }
  return {};
}

constexpr std::size_t kMostListing = 64U << 20;
constexpr double kListingSeconds = 30;

}  // namespace

std::vector<std::string> instruction_families(DeviceKind device) {
  std::vector<std::string> names;
  for (const Family& family : families_of(device)) names.emplace_back(family.name);
  return names;
}

EmittedCode count_instructions(DeviceKind device, std::string_view listing) {
  EmittedCode code;
  const std::vector<Family>& families = families_of(device);
  std::vector<std::int64_t> counts(families.size());
  for (std::size_t begin = 0; begin < listing.size();) {
    const std::size_t end = std::min(listing.find('\n', begin), listing.size());
    const std::string_view line = listing.substr(begin, end - begin);
    begin = end + 1;
    const Instruction one =
        device == DeviceKind::kCuda ? device_instruction(line) : host_instruction(line);
    if (one.name.empty()) continue;
    ++code.instructions;
    for (std::size_t i = 0; i < families.size(); ++i) {
      if (families[i].holds(one)) ++counts[i];
    }
  }
  for (std::size_t i = 0; i < families.size(); ++i) {
    if (counts[i] > 0) code.families.emplace_back(families[i].name, counts[i]);
  }
  return code;
}

void hold_against(EmittedCode& code, const std::vector<std::string>& expected) {
  code.expected = expected;
  code.absent.clear();
  if (!code.known()) return;
  for (const std::string& name : expected) {
    const bool there = std::any_of(code.families.begin(), code.families.end(),
                                   [&](const auto& family) { return family.first == name; });
    if (!there) code.absent.push_back(name);
  }
}

std::string EmittedCode::to_text() const {
  if (!known()) return not_read;
  std::string text;
  for (const auto& [name, count] : families) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, count);
  }
  return fmt::format("{} instructions{}{}", instructions, text.empty() ? "" : ": ", text);
}

Json to_json(const EmittedCode& code) {
  Json families = Json::object();
  for (const auto& [name, count] : code.families) families[name] = count;
  return {{"tool", code.known() ? Json(code.tool) : Json(nullptr)},
          {"not_read", code.known() ? Json(nullptr) : Json(code.not_read)},
          {"instructions", code.instructions},
          {"families", families},
          {"expected", code.expected},
          {"absent", code.absent}};
}

Expected<EmittedCode> read_emitted_code(const Subject& subject, const Built& built) {
  EmittedCode code;
  if (built.program) {
    code.not_read = "the code is a library's";
    return code;
  }
  const Disassembler tool = disassembler_of(subject, built.path);
  const std::string out = path_join(subject.scratch, "listing");
  if (tool.command.empty()) {
    code.not_read = subject.task.device == DeviceKind::kHost
                        ? "there is no objdump on this machine"
                        : "the CUDA toolkit here has neither nvdisasm nor cuobjdump";
    hold_against(code, subject.candidate.plan.expects);
    return code;
  }
  if (const Status made = make_directories(out); !made) return tl::unexpected(made.error());
  CompileJob job;
  job.name = tool.name;
  job.command = tool.command;
  job.in = built.path.substr(0, built.path.rfind('/'));
  job.out = out;
  job.more_view = tool.view;
  job.sandbox = subject.options.sandbox;
  job.limits = compile_limits(kListingSeconds, subject.task.limits.compile_memory_bytes);
  job.limits.output_bytes = kMostListing;
  const auto outcome = run_compiler(job);
  if (!outcome) return tl::unexpected(outcome.error());
  if (outcome->end == SandboxEnd::kExited && outcome->exit_code == 0) {
    code = count_instructions(subject.task.device, outcome->out);
    code.tool = tool.name;
  } else {
    code.not_read = fmt::format("{} did not read the code object", tool.name);
  }
  hold_against(code, subject.candidate.plan.expects);
  return code;
}

}  // namespace tensorpath
