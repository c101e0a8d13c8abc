// The host device: C++ kernels, compiled with the system's compiler for a named ISA level.
#include "compile.h"
#include "device.h"
#include "elf.h"
#include "host_session.h"
#include "source_scan.h"
#include "vendor_library.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/harness/toolchain.h>

namespace tensorpath {
namespace {

constexpr std::string_view kSource = "kernel.cpp";

const std::vector<std::string_view>& headers() {
  static const std::vector<std::string_view> kHeaders = {"task.h",      "tensorpath_kernel.h",
                                                         "cstdint",     "cstddef",
                                                         "cstring",     "cmath",
                                                         "algorithm",   "array",
                                                         "atomic",      "bit",
                                                         "limits",      "numeric",
                                                         "type_traits", "utility",
                                                         "immintrin.h"};
  return kHeaders;
}

// What the code object may take from elsewhere: the C library's mathematics (any name that libm has
// in float, double and their finite forms) and the memory functions that compilers emit.
bool is_importable(std::string_view name) {
  constexpr std::array<std::string_view, 5> kMemory = {"memcpy", "memmove", "memset", "memcmp",
                                                       "__stack_chk_fail"};
  constexpr std::array<std::string_view, 47> kMath = {
      "acos",   "acosh",  "asin",      "asinh", "atan",  "atan2",  "atanh",  "cbrt",
      "ceil",   "cos",    "cosh",      "erf",   "erfc",  "exp",    "exp2",   "exp10",
      "expm1",  "fabs",   "floor",     "fma",   "fmax",  "fmin",   "fmod",   "frexp",
      "hypot",  "ilogb",  "ldexp",     "log",   "log10", "log1p",  "log2",   "logb",
      "lrint",  "lround", "nearbyint", "pow",   "rint",  "round",  "scalbn", "sin",
      "sincos", "sinh",   "sqrt",      "tan",   "tanh",  "tgamma", "trunc"};
  // Conversions of the compiler's own library, where the level has no instruction for them.
  constexpr std::array<std::string_view, 8> kConversions = {
      "__extendhfsf2", "__extendhfdf2", "__truncsfhf2", "__truncdfhf2",
      "__extendbfsf2", "__truncsfbf2",  "__truncdfbf2", "__fixhfti"};
  if (std::find(kMemory.begin(), kMemory.end(), name) != kMemory.end()) return true;
  if (std::find(kConversions.begin(), kConversions.end(), name) != kConversions.end()) return true;
  if (std::find(kMath.begin(), kMath.end(), name) != kMath.end()) return true;
  return !name.empty() && name.back() == 'f' &&
         std::find(kMath.begin(), kMath.end(), name.substr(0, name.size() - 1)) != kMath.end();
}

Status write_inputs(const Subject& subject, const std::string& directory) {
  for (const auto& [name, contents] :
       {std::pair<std::string, std::string>{"task.h", host_header(subject.task)},
        {"tensorpath_kernel.h", std::string(kernel_header())},
        {std::string(kSource), *subject.candidate.find(kSource)}}) {
    if (Status written = write_file_atomic(path_join(directory, name), contents); !written) {
      return written;
    }
  }
  return {};
}

std::vector<std::string> flags_of(const Subject& subject, Build build) {
  std::vector<std::string> flags = {"-std=c++20", "-march=" + subject.task.architecture, "-fPIC",
                                    "-shared"};
  // A library's C++ needs what a kernel does without.
  if (subject.candidate.links.empty()) {
    flags.insert(flags.end(), {"-nostartfiles", "-fno-exceptions", "-fno-rtti",
                               "-fno-threadsafe-statics", "-fno-asynchronous-unwind-tables"});
  }
  flags.insert(flags.end(), {// The instrumented builds are the same program.
                             "-U__SANITIZE_ADDRESS__", "-U__SANITIZE_THREAD__",
                             // Distributions that define it make memcpy another function.
                             "-U_FORTIFY_SOURCE", "-Wl,-z,now", "-Wl,-z,relro",
                             "-Wl,-z,noexecstack", "-Wl,--build-id=none"});
  if (build == Build::kPlain) {
    flags.emplace_back("-O3");
  } else {
    flags.insert(flags.end(), {"-O1", "-g1", "-fno-omit-frame-pointer"});
    flags.emplace_back(build == Build::kAddress ? "-fsanitize=address,undefined"
                                                : "-fsanitize=thread");
    if (build == Build::kAddress) flags.emplace_back("-fno-sanitize-recover=all");
  }
  return flags;
}

// Off: what the compiler would see and do without a sandbox of its own.
CompileJob job_of(const Subject& subject, const std::string& in, const std::string& out) {
  CompileJob job;
  job.in = in;
  job.out = out;
  job.sandbox = subject.options.sandbox;
  const TaskLimits& limits = subject.task.limits;
  job.limits = compile_limits(limits.compile_s, limits.compile_memory_bytes);
  if (!subject.defences.compile_view) job.more_view.push_back({"/etc", "/etc", false, false});
  if (!subject.defences.compile_limits) {
    job.limits = compile_limits(0, 0);
    job.limits.wall_s = 600;
    job.limits.output_bytes = 64U << 20;
  }
  return job;
}

class HostDevice : public Device {
 public:
  [[nodiscard]] Refusal scan_source(const Subject& subject) const override {
    if (!subject.defences.source_scan || !subject.candidate.links.empty()) return {};
    return scan_includes(*subject.candidate.find(kSource), std::string(kSource), headers());
  }

  [[nodiscard]] Expected<Built> build(const Subject& subject, Build build) const override {
    const auto compiler = require_host_compiler();
    if (!compiler) return tl::unexpected(compiler.error());
    const std::string in = path_join(subject.scratch, "source");
    const std::string out =
        path_join(subject.scratch, fmt::format("build{}", static_cast<int>(build)));
    for (const std::string& directory : {in, out}) {
      if (const Status made = make_directories(directory); !made)
        return tl::unexpected(made.error());
    }
    if (const Status written = write_inputs(subject, in); !written) {
      return tl::unexpected(written.error());
    }
    CompileJob job = job_of(subject, in, out);
    const std::vector<std::string> flags = flags_of(subject, build);
    const std::string object = path_join(out, "kernel.so");
    job.command = {*compiler};
    job.command.insert(job.command.end(), flags.begin(), flags.end());
    const std::vector<std::string> links = link_flags(subject.candidate.links);
    job.command.insert(job.command.end(), {"-o", object, path_join(in, kSource), "-lm"});
    job.command.insert(job.command.end(), links.begin(), links.end());
    const auto compiled = compile_in_sandbox(job);
    if (!compiled) return tl::unexpected(compiled.error());
    Built built;
    built.refusal = compiled->refusal;
    built.path = object;
    built.level = compiled->level;
    built.level_reason = compiled->level_reason;
    if (build == Build::kPlain) {
      const auto version = compiler_version(job);
      if (!version) return tl::unexpected(version.error());
      built.toolchain = fmt::format("{} {}", *version, fmt::join(flags, " "));
    }
    return built;
  }

  [[nodiscard]] Expected<Refusal> scan_object(const Subject& subject,
                                              const Built& built) const override {
    const auto bytes = read_file(built.path, 64U << 20);
    if (!bytes) return tl::unexpected(bytes.error());
    const auto object = read_elf(*bytes, "kernel.so");
    if (!object) return Refusal{Failure::kCompileError, object.error().to_string()};
    const Defences& defences = subject.defences;
    if (!object->defines_function("tensorpath_kernel")) {
      return Refusal{Failure::kMissingEntry, "it defines no extern \"C\" tensorpath_kernel"};
    }
    // A library imports, starts threads and keeps state; what calls it is our own.
    if (!subject.candidate.links.empty()) return Refusal{};
    if (defences.load_scan) {
      const bool resolvers = std::any_of(object->symbols.begin(), object->symbols.end(),
                                         [](const ElfSymbol& symbol) {
                                           return symbol.type == ElfSymbol::kIndirectFunction;
                                         }) ||
                             std::any_of(object->relocations.begin(), object->relocations.end(),
                                         [](const ElfRelocation& relocation) {
                                           return relocation.type == ElfRelocation::kResolved;
                                         });
      if (object->strange_dynamic) {
        return Refusal{Failure::kLoadTimeCode, "its table for the loader is not the linker's own"};
      }
      if (object->runs_at_load || object->runs_at_unload || resolvers) {
        return Refusal{Failure::kLoadTimeCode, resolvers ? "it resolves functions when it is loaded"
                                                         : "it has constructors or destructors"};
      }
    }
    if (defences.import_scan) {
      for (const std::string& name : object->imports()) {
        if (!is_importable(name)) {
          return Refusal{Failure::kForbiddenImport,
                         fmt::format("it imports {}", quote_input(name))};
        }
      }
      for (const std::string& library : object->needed) {
        if (library != "libm.so.6" && library != "libc.so.6" && library != "libgcc_s.so.1" &&
            library != "libstdc++.so.6") {
          return Refusal{Failure::kForbiddenImport,
                         fmt::format("it needs {}", quote_input(library))};
        }
      }
    }
    if (defences.state_scan) return scan_state(*object);
    return Refusal{};
  }

  [[nodiscard]] std::vector<Build> instrumented(const Subject& subject) const override {
    std::vector<Build> builds = {Build::kAddress};
    // Without the pool there is one thread, and nothing to race with.
    if (subject.candidate.find(kSource)->find("pool") != std::string::npos) {
      builds.push_back(Build::kThread);
    }
    return builds;
  }

  [[nodiscard]] Expected<std::unique_ptr<Session>> start(const Subject& subject, const Built& built,
                                                         Build build) const override {
    return start_host_session(subject, built, build);
  }

 private:
  // The linker's own tables and constants with addresses in them. Whatever a section is called,
  // only whole pages of that segment are protected.
  static bool becomes_read_only(const ElfObject& object, const ElfSection& section) {
    if ((section.flags & ElfSection::kThreadLocal) != 0) return false;
    return std::any_of(
        object.segments.begin(), object.segments.end(), [&](const ElfSegment& segment) {
          const std::uint64_t end = (segment.address + segment.memory_bytes) / 4096 * 4096;
          return segment.type == ElfSegment::kReadOnlyOnceLoaded &&
                 section.address >= segment.address && section.address < end &&
                 section.size <= end - section.address;
        });
  }

  static Refusal scan_state(const ElfObject& object) {
    for (const ElfSection& section : object.sections) {
      if (!section.loaded() || !section.writable() || section.size == 0) continue;
      if (becomes_read_only(object, section)) continue;
      return {Failure::kWritableState,
              fmt::format("section {} holds {} writable bytes", section.name, section.size)};
    }
    for (const ElfSegment& segment : object.segments) {
      if (segment.type == ElfSegment::kLoad && (segment.flags & ElfSegment::kWrite) != 0 &&
          (segment.flags & ElfSegment::kExecute) != 0) {
        return {Failure::kWritableState, "it has code that can be written"};
      }
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<Device> make_host_device() { return std::make_unique<HostDevice>(); }

Expected<std::unique_ptr<Device>> make_device(DeviceKind kind) {
  if (kind == DeviceKind::kCuda) return make_cuda_device();
  return make_host_device();
}

}  // namespace tensorpath
