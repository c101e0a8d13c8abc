#include "cuda_build.h"

#include "compile.h"
#include "cuda_object.h"
#include "source_scan.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include <tensorpath/base/file.h>

namespace tensorpath {
namespace {

constexpr std::string_view kSource = "kernel.cu";
constexpr std::string_view kHeader = "task.h";

const std::vector<std::string_view>& headers() {
  static const std::vector<std::string_view> kHeaders = {kHeader,
                                                         "cuda_fp16.h",
                                                         "cuda_bf16.h",
                                                         "cuda_fp8.h",
                                                         "cuda_fp6.h",
                                                         "cuda_fp4.h",
                                                         "mma.h",
                                                         "cooperative_groups.h",
                                                         "cooperative_groups/",
                                                         "cuda/std/",
                                                         "cuda/barrier",
                                                         "cuda/pipeline",
                                                         "cuda/ptx",
                                                         "cuda/atomic",
                                                         "cuda/annotated_ptr",
                                                         "cuda/functional",
                                                         "cuda_pipeline.h",
                                                         "cuda_awbarrier.h",
                                                         "cuda.h",
                                                         "cuda_runtime.h",
                                                         "math_constants.h",
                                                         "vector_types.h",
                                                         "cstdint",
                                                         "cstddef",
                                                         "type_traits",
                                                         "limits",
                                                         "utility",
                                                         "cfloat",
                                                         "climits",
                                                         "stdint.h",
                                                         "stddef.h",
                                                         "float.h"};
  return kHeaders;
}

std::string resolved(const std::string& path) {
  std::error_code error;
  const auto out = std::filesystem::canonical(path, error);
  return error ? std::string() : out.string();
}

std::vector<std::string> toolkit_candidates() {
  std::vector<std::string> roots;
  for (const char* name : {"CUDA_HOME", "CUDA_PATH"}) {
    if (const char* value = std::getenv(name); value != nullptr && *value == '/') {
      roots.emplace_back(value);
    }
  }
  roots.emplace_back("/usr/local/cuda");
  const char* path = std::getenv("PATH");
  std::string rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    const std::string directory = rest.substr(0, colon);
    rest.erase(0, colon + 1);
    if (directory.empty() || directory.front() != '/') continue;
    if (const std::string nvcc = resolved(path_join(directory, "nvcc")); !nvcc.empty()) {
      roots.push_back(std::filesystem::path(nvcc).parent_path().parent_path().string());
    }
  }
  return roots;
}

std::string sanitizer_of(const std::string& root) {
  for (const char* place : {"compute-sanitizer/compute-sanitizer", "bin/compute-sanitizer"}) {
    if (std::string found = resolved(path_join(root, place)); !found.empty()) return found;
  }
  std::string packaged = resolved("/usr/bin/compute-sanitizer");
  return packaged;
}

std::vector<std::string> flags_of(const Subject& subject, Build build) {
  std::vector<std::string> flags = {"-cubin",
                                    "-arch=" + full_architecture(subject.task.architecture),
                                    "-std=c++20", "-O3", "--resource-usage"};
  // Places in the source, for the reports.
  if (build != Build::kPlain) flags.emplace_back("-lineinfo");
  return flags;
}

// ptxas's statistics are no help beside an error.
std::string compiler_errors(const std::string& text) {
  std::string out;
  std::size_t begin = 0;
  int lines = 0;
  while (begin < text.size() && lines < 8 && out.size() < 2000) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.empty() || line.find("ptxas info") != std::string::npos) continue;
    out += (out.empty() ? "" : "\n") + line;
    ++lines;
  }
  return out;
}

Refusal refusal_of(const SandboxOutcome& outcome, const std::string& directory) {
  switch (outcome.end) {
    case SandboxEnd::kExited: {
      if (outcome.exit_code == 0) return {};
      const std::string text = outcome.err + outcome.out;
      const bool memory = text.find("out of memory") != std::string::npos ||
                          text.find("bad_alloc") != std::string::npos ||
                          text.find("emory allocation fail") != std::string::npos ||
                          text.find("Killed") != std::string::npos;
      if (memory) return {Failure::kCompileLimit, "nvcc ran out of the memory it is allowed"};
      return {Failure::kCompileError, compiler_errors(without_directory(text, directory))};
    }
    case SandboxEnd::kSignalled:
      return {Failure::kCompileLimit, fmt::format("nvcc was ended by signal {}", outcome.signal)};
    default:
      return {Failure::kCompileLimit,
              fmt::format("nvcc reached a limit: {}", to_string(outcome.end))};
  }
}

// The toolkit, where the view of the toolchain does not hold it.
std::vector<ViewEntry> outside_usr(const CudaToolkit& toolkit) {
  if (toolkit.root.empty() || toolkit.root.rfind("/usr/", 0) == 0) return {};
  return {{toolkit.root, toolkit.root, false, false}};
}

// "Cuda compilation tools, release 13.0, V13.0.88" out of version.json would need a reader; the
// directory's own name and nvcc's say it too.
std::string toolchain_text(const CudaToolkit& toolkit, const std::vector<std::string>& flags) {
  const std::string version =
      read_file(path_join(toolkit.root, "version.json"), 1U << 20).value_or("");
  std::string release;
  if (const auto json = parse_json(version, "version.json"); json && json->is_object()) {
    const auto nvcc = json->find("cuda_nvcc");
    if (nvcc != json->end() && nvcc->is_object() && nvcc->contains("version") &&
        (*nvcc)["version"].is_string()) {
      release = (*nvcc)["version"].get<std::string>();
    }
  }
  if (release.empty()) release = std::filesystem::path(toolkit.root).filename().string();
  return fmt::format("nvcc {} {}", release, fmt::join(flags, " "));
}

CompileJob job_of(const CudaToolkit& toolkit, const Subject& subject, const std::string& in,
                  const std::string& out) {
  CompileJob job;
  job.name = "nvcc";
  job.path = path_join(toolkit.root, "bin") + ":" + job.path;
  job.in = in;
  job.out = out;
  job.more_view = outside_usr(toolkit);
  // Off: what the compiler would see without a sandbox of its own.
  if (!subject.defences.compile_view) job.more_view.push_back({"/etc", "/etc", false, false});
  job.sandbox = subject.options.sandbox;
  const TaskLimits& limits = subject.task.limits;
  const bool limited = subject.defences.compile_limits;
  job.limits.wall_s = limited ? limits.compile_s : 600;
  job.limits.address_space_bytes = limited ? limits.compile_memory_bytes : 0;
  job.limits.output_bytes = 256U << 10;
  return job;
}

}  // namespace

Expected<CudaToolkit> find_cuda_toolkit() {
  for (const std::string& candidate : toolkit_candidates()) {
    const std::string root = resolved(candidate);
    if (root.empty()) continue;
    const std::string nvcc = path_join(path_join(root, "bin"), "nvcc");
    if (file_exists(nvcc)) return CudaToolkit{root, nvcc, sanitizer_of(root)};
  }
  return fail(ExitCode::kEnvironment, "there is no CUDA toolkit on this machine: nvcc is not found",
              "install it, or say where it is in CUDA_HOME");
}

std::vector<ViewEntry> toolkit_view(const CudaToolkit& toolkit) {
  std::vector<ViewEntry> view = toolchain_view();
  for (ViewEntry& entry : outside_usr(toolkit)) view.push_back(std::move(entry));
  return view;
}

std::string full_architecture(const std::string& architecture) {
  constexpr std::array<std::string_view, 7> kSpecific = {"sm_90",  "sm_100", "sm_101", "sm_103",
                                                         "sm_110", "sm_120", "sm_121"};
  const bool specific =
      std::find(kSpecific.begin(), kSpecific.end(), architecture) != kSpecific.end();
  return specific ? architecture + "a" : architecture;
}

Refusal scan_cuda_source(const Subject& subject) {
  return scan_includes(*subject.candidate.find(kSource), std::string(kSource), headers());
}

Expected<Built> build_cubin(const CudaToolkit& toolkit, const Subject& subject, Build build) {
  const std::string in = path_join(subject.scratch, "source");
  const std::string out =
      path_join(subject.scratch, fmt::format("build{}", static_cast<int>(build)));
  for (const std::string& directory : {in, out}) {
    if (const Status made = make_directories(directory); !made) return tl::unexpected(made.error());
  }
  const std::string source = path_join(in, kSource);
  for (const auto& [name, text] : {std::pair{kHeader, cuda_header(subject.task)},
                                   std::pair{kSource, *subject.candidate.find(kSource)}}) {
    if (const Status written = write_file_atomic(path_join(in, name), text); !written) {
      return tl::unexpected(written.error());
    }
  }
  CompileJob job = job_of(toolkit, subject, in, out);
  const std::vector<std::string> flags = flags_of(subject, build);
  const std::string object = path_join(out, "kernel.cubin");
  job.command = {toolkit.nvcc};
  job.command.insert(job.command.end(), flags.begin(), flags.end());
  // The PTX beside the cubin is looked at too.
  job.command.insert(job.command.end(), {"--keep", "--keep-dir", out, "-o", object, source});
  const auto outcome = run_compiler(job);
  if (!outcome) return tl::unexpected(outcome.error());
  Built built;
  built.refusal = refusal_of(*outcome, in);
  built.path = object;
  built.level = outcome->level;
  built.level_reason = outcome->level_reason;
  built.toolchain = toolchain_text(toolkit, flags);
  built.resources = read_resource_usage(outcome->err + outcome->out);
  return built;
}

}  // namespace tensorpath
