#include "torch_worker.h"

#include "cuda_session.h"
#include "own_kernels.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include <tensorpath/base/file.h>

namespace tensorpath {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> kPyTorch = {"torch-eager", "torch-compile",
                                                      "torch-graph"};
constexpr std::array<std::string_view, 2> kVendors = {"cublaslt", "cudnn"};
// Python and PyTorch from a cold disk.
constexpr double kProbeSeconds = 180;
// One shape compiled with everything that its compiler tries.
constexpr double kCompileSeconds = 900;
constexpr int kThreads = 2048;  // PyTorch starts some for each core, several times
constexpr int kOpenFiles = 1 << 14;
constexpr std::uint64_t kTmpBytes = 8ULL << 30;
constexpr std::size_t kOutputBytes = 8U << 20;  // its compiler tells what it tried

std::string environment_of(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<std::string> split_path(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(':', begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

Expected<std::string> find_python() {
  const std::string wanted = environment_of("TENSORPATH_PYTHON");
  if (!wanted.empty()) {
    if (wanted.front() == '/' && ::access(wanted.c_str(), X_OK) == 0) return wanted;
    return fail(ExitCode::kEnvironment,
                fmt::format("TENSORPATH_PYTHON names no program: {}", quote_input(wanted)),
                "it is the absolute path of a Python that has PyTorch");
  }
  for (const std::string& directory : split_path(environment_of("PATH"))) {
    std::string path = path_join(directory, "python3");
    if (directory.front() == '/' && ::access(path.c_str(), X_OK) == 0) return path;
  }
  return fail(ExitCode::kEnvironment, "there is no python3 on PATH",
              "name one that has PyTorch in TENSORPATH_PYTHON");
}

void add_to_view(std::vector<ViewEntry>& view, const fs::path& path) {
  std::error_code error;
  const fs::path clean = path.lexically_normal();
  // The toolchain's view has /usr.
  if (clean.string().rfind("/usr/", 0) == 0 || !fs::exists(clean, error)) return;
  if (fs::is_symlink(clean, error)) return;
  const bool there = std::any_of(view.begin(), view.end(), [&](const ViewEntry& entry) {
    return entry.source == clean.string();
  });
  if (!there) view.push_back({clean.string(), {}, false, false});
}

// Of an installation its programs, packages and headers; no more of what lies in the same place.
void add_prefix(std::vector<ViewEntry>& view, const fs::path& prefix) {
  if (prefix.empty() || prefix == "/") return;
  for (const char* part : {"bin", "lib", "lib64", "include", "pyvenv.cfg"}) {
    add_to_view(view, prefix / part);
  }
}

// "home = /opt/python/bin" of a virtual environment: where its interpreter is from.
fs::path home_of(const fs::path& prefix) {
  const auto text = read_file((prefix / "pyvenv.cfg").string(), 1U << 16);
  const std::string key = "home = ";
  const std::size_t at = text ? text->find(key) : std::string::npos;
  if (at == std::string::npos) return {};
  const std::size_t begin = at + key.size();
  return text->substr(begin, text->find('\n', begin) - begin);
}

std::vector<ViewEntry> python_view(const fs::path& python) {
  std::vector<ViewEntry> view;
  const fs::path prefix = python.parent_path().parent_path();
  add_prefix(view, prefix);
  add_prefix(view, home_of(prefix).parent_path());
  std::error_code error;
  add_prefix(view, fs::canonical(python, error).parent_path().parent_path());
  for (const std::string& path : split_path(environment_of("PYTHONPATH"))) {
    if (path.front() == '/') add_to_view(view, path);
  }
  const std::string home = environment_of("HOME");
  if (!home.empty() && home.front() == '/') add_to_view(view, fs::path(home) / ".local/lib");
  return view;
}

std::vector<std::string> python_environment(const fs::path& python) {
  std::vector<std::string> environment = {
      fmt::format("PATH={}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                  python.parent_path().string()),
      "PYTHONDONTWRITEBYTECODE=1", "USER=tensorpath",
      // As a user has it: all kernels of PyTorch at once would take most of a minute.
      "CUDA_MODULE_LOADING=LAZY", "TORCHINDUCTOR_COMPILE_THREADS=1"};
  if (const std::string path = environment_of("PYTHONPATH"); !path.empty()) {
    environment.push_back("PYTHONPATH=" + path);
  }
  if (const std::string home = environment_of("HOME"); !home.empty()) {
    environment.push_back("PYTHONUSERBASE=" + home + "/.local");
  }
  const auto drivers = driver_directories();
  if (!drivers.empty()) environment.push_back("TRITON_LIBCUDA_PATH=" + drivers.front());
  return environment;
}

// What it printed last, on either stream: Python ends with the exception.
std::string last_line(const SandboxOutcome& outcome) {
  std::string text = outcome.out.empty() ? outcome.err : outcome.out;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const std::size_t end = text.rfind('\n');
  return end == std::string::npos ? text : text.substr(end + 1);
}

void set_variable(std::vector<std::string>& environment, const std::string& variable) {
  const std::string name = variable.substr(0, variable.find('=') + 1);
  std::erase_if(environment, [&](const std::string& one) { return one.rfind(name, 0) == 0; });
  environment.push_back(variable);
}

}  // namespace

std::vector<std::string> pytorch_arms() { return {kPyTorch.begin(), kPyTorch.end()}; }

bool is_library_arm(std::string_view name) {
  const auto among = [&](const auto& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  return among(kPyTorch) || among(kVendors);
}

std::string verified_as(std::string_view name) {
  const bool vendor = std::find(kVendors.begin(), kVendors.end(), name) != kVendors.end();
  return vendor ? std::string(name) : std::string(kPyTorch.front());
}

Expected<WorkerProgram> find_torch_worker(const std::string& worker) {
  std::error_code error;
  const fs::path program = fs::canonical(fs::path(worker).parent_path() / "torch-worker", error);
  if (error || !file_exists((program / "__main__.py").string())) {
    return fail(ExitCode::kEnvironment, "torch-worker is not installed beside tensorpath-worker");
  }
  const auto python = find_python();
  if (!python) return tl::unexpected(python.error());
  WorkerProgram out;
  out.command = {*python, program.string()};
  out.view = python_view(*python);
  out.view.push_back({program.string(), {}, false, false});
  out.environment = python_environment(*python);
  out.lay_out_s = kCompileSeconds;
  return out;
}

void start_instead(const WorkerProgram& program, SandboxSpec& spec) {
  spec.argv = program.command;
  spec.view.insert(spec.view.end(), program.view.begin(), program.view.end());
  for (const std::string& variable : program.environment) set_variable(spec.environment, variable);
  spec.limits.processes = kThreads;
  spec.limits.open_files = kOpenFiles;
  spec.limits.tmp_bytes = kTmpBytes;
  spec.limits.output_bytes = kOutputBytes;
}

Expected<std::string> probe_torch(const CudaToolkit& toolkit, const VerifyOptions& options) {
  auto program = find_torch_worker(options.worker);
  if (!program) return tl::unexpected(program.error());
  program->command.emplace_back("--probe");
  SandboxSpec spec = gpu_sandbox(toolkit, options.worker);
  start_instead(*program, spec);
  spec.limits.wall_s = kProbeSeconds;
  const auto outcome = run_sandboxed(spec, options.sandbox);
  if (!outcome) return tl::unexpected(outcome.error());
  if (outcome->end == SandboxEnd::kExited && outcome->exit_code == 0) return outcome->out;
  std::string why = outcome->start_error;
  if (why.empty()) why = last_line(*outcome);
  if (why.empty()) why = to_string(outcome->end);
  return fail(ExitCode::kEnvironment,
              fmt::format("PyTorch does not work with {}: {}", program->command.front(), why),
              "name the absolute path of a Python that has it in TENSORPATH_PYTHON");
}

Expected<Built> build_torch(const Subject& subject, const std::string& device) {
  auto program = find_torch_worker(subject.options.worker);
  if (!program) return tl::unexpected(program.error());
  const LibraryArm& arm = *subject.options.library;
  if (const Status made = make_directories(subject.scratch); !made) {
    return tl::unexpected(made.error());
  }
  const std::string baseline = path_join(subject.scratch, "baseline.py");
  const std::string kernels = path_join(subject.scratch, "own_kernels.ptx");
  const std::string* source = subject.candidate.find("baseline.py");
  if (source == nullptr) return fail(ExitCode::kUsage, "a library's baseline has no baseline.py");
  for (const auto& [path, text] :
       {std::pair<const std::string&, std::string_view>{baseline, *source},
        {kernels, cuda::kOwnKernels}}) {
    if (const Status written = write_file_atomic(path, text); !written) {
      return tl::unexpected(written.error());
    }
  }
  for (const std::string& path : {baseline, kernels}) {
    program->view.push_back({path, {}, false, false});
  }
  // Kept from process to process: each round has a new one, and none compiles what was compiled.
  if (!arm.cache.empty()) {
    if (const Status made = make_directories(arm.cache); !made) return tl::unexpected(made.error());
    if (const Status given = give_to_sandbox(arm.cache); !given) {
      return tl::unexpected(given.error());
    }
    program->view.push_back({arm.cache, {}, true, false});
    program->environment.push_back("TORCHINDUCTOR_CACHE_DIR=" + arm.cache);
    program->environment.push_back("TRITON_CACHE_DIR=" + path_join(arm.cache, "triton"));
  }
  for (const std::string& word :
       {std::string("--device"), device, std::string("--baseline"), baseline,
        std::string("--kernels"), kernels, std::string("--arm"), arm.name, std::string("--dtype"),
        std::string(name_of(subject.task.domain.dtype))}) {
    program->command.push_back(word);
  }
  Built built;
  built.path = baseline;
  built.toolchain = arm.name;
  built.program = std::move(*program);
  return built;
}

}  // namespace tensorpath
