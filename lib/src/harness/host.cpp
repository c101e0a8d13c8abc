// The host device: C++ kernels, compiled with the system's compiler for a named ISA level.
#include "device.h"
#include "elf.h"
#include "host_session.h"
#include "source_scan.h"

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

Status write_inputs(const Bench& bench, const std::string& directory) {
  for (const auto& [name, contents] :
       {std::pair<std::string, std::string>{"task.h", host_header(bench.task)},
        {"tensorpath_kernel.h", std::string(kernel_header())},
        {std::string(kSource), *bench.candidate.find(kSource)}}) {
    if (Status written = write_file_atomic(path_join(directory, name), contents); !written) {
      return written;
    }
  }
  return {};
}

std::vector<std::string> flags_of(const Bench& bench, Build build) {
  std::vector<std::string> flags = {"-std=c++20", "-march=" + bench.task.architecture, "-fPIC",
                                    "-shared", "-nostartfiles", "-fno-exceptions", "-fno-rtti",
                                    "-fno-threadsafe-statics", "-fno-asynchronous-unwind-tables",
                                    // The instrumented builds are the same program.
                                    "-U__SANITIZE_ADDRESS__", "-U__SANITIZE_THREAD__", "-Wl,-z,now",
                                    "-Wl,-z,relro", "-Wl,-z,noexecstack", "-Wl,--build-id=none"};
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

std::string first_lines(const std::string& text, std::size_t lines) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < lines && end != std::string::npos; ++i)
    end = text.find('\n', end + 1);
  return text.substr(0, std::min(end, std::size_t{2000}));
}

// The compiler's words name paths of the build; the author knows the file by its own name.
std::string without(std::string text, const std::string& path) {
  for (std::size_t at = 0; (at = text.find(path, at)) != std::string::npos;)
    text.erase(at, path.size());
  return text;
}

Refusal refusal_of(const SandboxOutcome& outcome, const std::string& directory) {
  switch (outcome.end) {
    case SandboxEnd::kExited:
      if (outcome.exit_code == 0) return {};
      if (outcome.err.find("CPU time limit exceeded") != std::string::npos) {
        return {Failure::kCompileLimit, "the compiler took longer than it is allowed"};
      }
      if (outcome.err.find("out of memory") != std::string::npos ||
          outcome.err.find("annot allocate memory") != std::string::npos ||
          outcome.err.find("Killed signal") != std::string::npos) {
        return {Failure::kCompileLimit, "the compiler ran out of the memory it is allowed"};
      }
      return {Failure::kCompileError, first_lines(without(outcome.err, directory + "/"), 6)};
    case SandboxEnd::kSignalled:
      return {Failure::kCompileLimit,
              fmt::format("the compiler was ended by signal {}", outcome.signal)};
    default:
      return {Failure::kCompileLimit,
              fmt::format("the compiler reached a limit: {}", to_string(outcome.end))};
  }
}

// The view of a compiler: its own files, the candidate, a place for the result.
std::vector<ViewEntry> compile_view(const Bench& bench, const std::string& in,
                                    const std::string& out) {
  std::vector<ViewEntry> view = toolchain_view();
  view.push_back({in, in, false, false});
  view.push_back({out, out, true, false});
  // Off: what the compiler would see without a sandbox of its own.
  if (!bench.defences.compile_view) view.push_back({"/etc", "/etc", false, false});
  return view;
}

class HostDevice : public Device {
 public:
  [[nodiscard]] Refusal scan_source(const Bench& bench) const override {
    if (!bench.defences.source_scan) return {};
    return scan_includes(*bench.candidate.find(kSource), std::string(kSource), headers());
  }

  [[nodiscard]] Expected<Built> build(const Bench& bench, Build build) const override {
    const std::string compiler = host_compiler();
    if (compiler.empty()) {
      return fail(ExitCode::kEnvironment, "there is no C++ compiler on this machine",
                  "install g++ (Debian and Ubuntu: apt-get install g++)");
    }
    const std::string in = path_join(bench.scratch, "source");
    const std::string out =
        path_join(bench.scratch, fmt::format("build{}", static_cast<int>(build)));
    for (const std::string& directory : {in, out}) {
      if (const Status made = make_directories(directory); !made)
        return tl::unexpected(made.error());
    }
    if (const Status written = write_inputs(bench, in); !written) {
      return tl::unexpected(written.error());
    }
    if (const Status given = give_to_sandbox(out); !given) return tl::unexpected(given.error());
    SandboxSpec spec;
    const std::vector<std::string> flags = flags_of(bench, build);
    spec.argv = {compiler};
    spec.argv.insert(spec.argv.end(), flags.begin(), flags.end());
    const std::string object = path_join(out, "kernel.so");
    spec.argv.insert(spec.argv.end(), {"-o", object, path_join(in, kSource), "-lm"});
    spec.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C", "TMPDIR=/tmp"};
    spec.working_directory = in;
    spec.view = compile_view(bench, in, out);
    spec.tmp = true;
    const TaskLimits& limits = bench.task.limits;
    const bool limited = bench.defences.compile_limits;
    // Of the processor: a busy machine makes no source slower. Sleeping does not help either.
    spec.limits.cpu_s = limited ? limits.compile_s : 0;
    spec.limits.wall_s = limited ? 4 * limits.compile_s : 600;
    spec.limits.address_space_bytes = limited ? limits.compile_memory_bytes : 0;
    spec.limits.output_bytes = limited ? 256U << 10 : 64U << 20;
    const auto outcome = run_sandboxed(spec, bench.options.sandbox);
    if (!outcome) return tl::unexpected(outcome.error());
    if (outcome->end == SandboxEnd::kStartFailed) {
      return fail(ExitCode::kEnvironment, "the compiler does not start: " + outcome->start_error);
    }
    Built built;
    built.refusal = refusal_of(*outcome, in);
    built.path = object;
    built.level = outcome->level;
    built.level_reason = outcome->level_reason;
    built.toolchain =
        fmt::format("{} {}", compiler.substr(compiler.rfind('/') + 1), fmt::join(flags, " "));
    return built;
  }

  [[nodiscard]] Expected<Refusal> scan_object(const Bench& bench,
                                              const Built& built) const override {
    const auto bytes = read_file(built.path, 64U << 20);
    if (!bytes) return tl::unexpected(bytes.error());
    const auto object = read_elf(*bytes, "kernel.so");
    if (!object) return Refusal{Failure::kCompileError, object.error().to_string()};
    const Defences& defences = bench.defences;
    if (!object->defines_function("tensorpath_kernel")) {
      return Refusal{Failure::kMissingEntry, "it defines no extern \"C\" tensorpath_kernel"};
    }
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

  [[nodiscard]] std::vector<Build> instrumented(const Bench& bench) const override {
    std::vector<Build> builds = {Build::kAddress};
    // Without the pool there is one thread, and nothing to race with.
    if (bench.candidate.find(kSource)->find("pool") != std::string::npos) {
      builds.push_back(Build::kThread);
    }
    return builds;
  }

  [[nodiscard]] Expected<std::unique_ptr<Session>> start(const Bench& bench, const Built& built,
                                                         Build build) const override {
    return start_host_session(bench, built, build);
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
