#include "kernels_here.h"

#include "dispatch.h"
#include "process.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include <tensorpath/harness/ceilings.h>
#include <tensorpath/harness/toolchain.h>

namespace tensorpath::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHost = "host";

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string host_compiler_version() {
  const std::string path = host_compiler();
  if (path.empty()) return {};
  return first_line(output_of({path, "--version"}).value_or(""));
}

// "nvcc 13.0.88", out of "Cuda compilation tools, release 13.0, V13.0.88".
std::string cuda_compiler_version() {
  std::string nvcc = find_program("nvcc");
  if (nvcc.empty() && file_exists("/usr/local/cuda/bin/nvcc")) nvcc = "/usr/local/cuda/bin/nvcc";
  if (nvcc.empty()) return {};
  const std::string text = output_of({nvcc, "--version"}).value_or("");
  const std::size_t at = text.find(", V");
  return at == std::string::npos ? std::string() : "nvcc " + first_line(text.substr(at + 3));
}

std::string cuda_device_name() {
  std::error_code error;
  for (fs::directory_iterator gpu("/proc/driver/nvidia/gpus", error), end; !error && gpu != end;
       gpu.increment(error)) {
    const std::string text = read_file((gpu->path() / "information").string()).value_or("");
    const std::size_t at = text.find("Model:");
    const std::size_t from = at == std::string::npos ? at : text.find_first_not_of(" \t", at + 6);
    return from == std::string::npos ? std::string() : first_line(text.substr(from));
  }
  return {};
}

}  // namespace

void add_registry_option(CLI::App& command, std::vector<std::string>& directories) {
  command.add_option("--registry", directories, "Look for kernels in DIR; repeatable")
      ->type_name("DIR")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

std::vector<std::string> registry_roots(const Session& session,
                                        const std::vector<std::string>& directories) {
  std::vector<std::string> roots = directories;
  if (roots.empty()) {
    const char* named = std::getenv("TENSORPATH_REGISTRY");
    roots.emplace_back(named == nullptr || *named == '\0' ? ".tensorpath/kernels" : named);
  }
  for (const std::string& data : session.search_path()) {
    roots.push_back(path_join(data, "kernels/verified"));
    // A source tree has its kernels beside its data.
    roots.push_back(path_join(data, "../kernels/verified"));
  }
  return roots;
}

Expected<registry::Registry> load_registry(const Session& session,
                                           const std::vector<std::string>& directories,
                                           bool cases) {
  for (const std::string& directory : directories) {
    if (!directory_exists(directory)) {
      return fail(ExitCode::kUsage,
                  fmt::format("there is no registry {}: no such directory", quote_input(directory)),
                  "--registry takes a directory with <op>/<kernel>/entry.json in it");
    }
  }
  auto loaded =
      registry::load(registry_roots(session, directories), {user_cache_path("registry"), cases});
  if (!session.quiet) {
    for (const Diagnostic& warning : loaded.warnings) {
      std::fputs(("warning: " + warning.to_string() + "\n").c_str(), stderr);
    }
  }
  return loaded;
}

registry::Toolchain toolchain_here(const std::string& language, const std::string& gpu) {
  registry::Toolchain here;
  if (gpu == kHost) {
    if (language == "cpp") here.compiler = host_compiler_version();
    here.device = host_processor();
    return here;
  }
  if (language == "cuda") here.compiler = cuda_compiler_version();
  here.driver = first_line(read_file("/sys/module/nvidia/version", 1U << 10).value_or(""));
  here.device = cuda_device_name();
  return here;
}

registry::Now MachineNow::now_for(const registry::Entry& entry) {
  const std::string kind = entry.language + " " + entry.gpu;
  auto known = std::find_if(toolchains_.begin(), toolchains_.end(),
                            [&](const auto& pair) { return pair.first == kind; });
  if (known == toolchains_.end()) {
    toolchains_.emplace_back(kind, toolchain_here(entry.language, entry.gpu));
    known = toolchains_.end() - 1;
  }
  registry::Now now{known->second, {}};
  if (operators_ == nullptr) return now;
  // Not find(): an operator that is not there is no mistake here.
  const auto& all = operators_->all();
  const auto op = std::lower_bound(
      all.begin(), all.end(), entry.op,
      [](const OperatorSpec& spec, const std::string& name) { return spec.name < name; });
  if (op != all.end() && op->name == entry.op) now.op_digest = op->digest;
  return now;
}

std::vector<std::string> MachineNow::stale(const registry::Entry& entry) {
  return registry::stale(entry, now_for(entry));
}

}  // namespace tensorpath::cli
