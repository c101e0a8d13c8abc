// tensorpath doctor: what the tool finds on this machine, what it lacks, and how to mend it.
#include "command.h"
#include "cuda_devices.h"
#include "dispatch.h"
#include "process.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include <fmt/format.h>

#include <tensorpath/harness/operator_directory.h>
#include <tensorpath/harness/toolchain.h>
#include <tensorpath/ops.h>
#include <tensorpath/sandbox.h>
#include <tensorpath/version.h>

namespace tensorpath::cli {
namespace {

// A price older than this is called old: cloud list prices move about once a quarter.
constexpr long kOldPriceDays = 90;

struct DoctorOptions {
  std::string today;
};

struct Check {
  enum class State { kOk, kAbsent, kMissing };  // kMissing: something required

  std::string name;
  State state = State::kOk;
  std::string found;
  std::string hint;
};

std::string environment_or(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : value;
}

long clock_today() {
  const auto now = std::chrono::system_clock::now();
  return std::chrono::duration_cast<std::chrono::hours>(now.time_since_epoch()).count() / 24;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// nvcc has its version on a later line, the one with "release"; compilers on the first.
std::string version_line(const std::string& text) {
  const std::size_t release = text.find("release");
  if (release == std::string::npos) return first_line(text);
  const std::size_t before = text.rfind('\n', release);
  return first_line(text.substr(before == std::string::npos ? 0 : before + 1));
}

std::string count_of(std::size_t count, std::string_view one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

Check check_data(const Session& session) {
  Check check{"data", Check::State::kOk, "", ""};
  for (const std::string& directory : session.search_path()) {
    check.found += (check.found.empty() ? "" : ", ") + directory;
    if (directory_exists(directory)) continue;
    check.found += " (does not exist)";
    check.state = Check::State::kMissing;
    check.hint = "name directories that are there with --data DIR and in TENSORPATH_DATA";
  }
  if (check.found.empty()) {
    check.state = Check::State::kMissing;
    check.hint = "name a data directory with --data DIR or in TENSORPATH_DATA";
  }
  return check;
}

Check check_catalog(const Expected<Catalog>& catalog) {
  if (!catalog) {
    return {"catalog", Check::State::kMissing, first_line(catalog.error().to_string()),
            "mend the file, or leave its directory out of --data and TENSORPATH_DATA"};
  }
  Check check{"catalog", Check::State::kOk, "", ""};
  check.found = fmt::format(
      "{}, {}, {}, {}", count_of(catalog->gpus().size(), "GPU"),
      count_of(catalog->models().size(), "model"), count_of(catalog->engines().size(), "engine"),
      count_of(catalog->formats().size() + catalog->kv_formats().size(), "format"));
  if (catalog->gpus().empty() || catalog->models().empty() || catalog->engines().empty() ||
      catalog->formats().empty()) {
    check.state = Check::State::kMissing;
    check.hint = "a data directory holds gpus/, models/, engines/ and formats/";
  }
  return check;
}

Check check_prices(const Catalog& catalog, long today) {
  if (catalog.prices().empty()) {
    return {"prices", Check::State::kAbsent, "none", "plans have no cost: add some with --prices"};
  }
  std::size_t old = 0;
  std::string newest;
  for (const Price& price : catalog.prices()) {
    const auto day = days_of_date(price.date);
    if (!day || today - *day > kOldPriceDays) ++old;
    newest = std::max(newest, price.date);
  }
  Check check{"prices", Check::State::kOk, "", ""};
  check.found =
      fmt::format("{}, the newest of {}", count_of(catalog.prices().size(), "price"), newest);
  if (old > 0) {
    check.state = Check::State::kAbsent;
    check.found += fmt::format("; {} older than {} days", old, kOldPriceDays);
    check.hint = "give today's with --prices FILE or in the workload's cost section";
  }
  return check;
}

Check check_calibration(const Session& session) {
  std::size_t files = 0;
  for (const std::string& directory : session.search_path()) {
    const std::string calibration = path_join(directory, "calibration");
    for (const char* suffix : {".yaml", ".json", ".csv"}) {
      files += list_files(calibration, suffix).size();
    }
  }
  if (files == 0) {
    return {"calibration", Check::State::kAbsent, "none",
            "predictions are 'modeled'; fit some with 'tensorpath validate --calibrate'"};
  }
  return {"calibration", Check::State::kOk, count_of(files, "file"), ""};
}

Check check_tool(const std::string& name, const std::vector<std::string>& programs,
                 const std::string& hint) {
  for (const std::string& program : programs) {
    const std::string path =
        program.front() == '/' ? (file_exists(program) ? program : "") : find_program(program);
    if (path.empty()) continue;
    const auto text = output_of({path, "--version"});
    const std::string version = text ? version_line(*text) : "";
    return {name, Check::State::kOk, version.empty() ? path : path + ": " + version, ""};
  }
  return {name, Check::State::kAbsent, "none", hint};
}

Check check_operators(const Expected<Operators>& operators) {
  if (!operators) {
    const Diagnostic& first = operators.error().diagnostics.front();
    return {"operators", Check::State::kAbsent, first_line(operators.error().to_string()),
            "needed to verify kernels" + (first.hint.empty() ? "" : "; " + first.hint)};
  }
  return {"operators", Check::State::kOk, count_of(operators->all().size(), "operator"), ""};
}

// What --ops compiles is kept.
Check check_compiled_operators() {
  const std::string path = operator_cache_path();
  if (const Status fit = check_operator_cache(path); !fit) {
    const Diagnostic& first = fit.error().diagnostics.front();
    return {"compiled operators", Check::State::kAbsent, first.message,
            "needed only for forge --ops; " + first.hint};
  }
  const std::size_t objects = list_files(path, ".so").size();
  return {"compiled operators", Check::State::kOk, count_of(objects, "object") + " at " + path, ""};
}

Check check_worker() {
  const std::string path = worker_path();
  if (!path.empty()) return {"worker", Check::State::kOk, path, ""};
  return {"worker", Check::State::kAbsent, "no tensorpath-worker",
          "needed to verify kernels: put it beside tensorpath or into libexec/tensorpath"};
}

// Candidates are built with this one, whatever else is on PATH.
Check check_host_compiler() {
  const std::string path = host_compiler();
  if (path.empty()) {
    return {"host compiler", Check::State::kAbsent, "none",
            "needed only to build and verify C++ kernels: install g++ (Debian, Ubuntu: apt-get "
            "install g++)"};
  }
  return check_tool("host compiler", {path}, "");
}

Check check_sanitizers() {
  std::string lacking;
  std::string path;
  for (const std::string library : {"libasan.so", "libubsan.so", "libtsan.so"}) {
    const std::string found = sanitizer_runtime(library);
    if (found.empty()) lacking += (lacking.empty() ? "" : ", ") + library;
    if (!found.empty()) path = found.substr(0, found.rfind('/'));
  }
  if (lacking.empty()) {
    return {"sanitizers", Check::State::kOk, "address, undefined, thread in " + path, ""};
  }
  return {"sanitizers", Check::State::kAbsent, "no " + lacking,
          "needed for the sanitize gate of C++ kernels: install the runtimes of g++'s version "
          "(Debian, Ubuntu: they come with g++), or verify with --no-sanitizers"};
}

Check check_sandbox() {
  const SandboxSupport support = probe_sandbox();
  if (support.user_namespaces && support.seccomp) {
    return {"sandbox", Check::State::kOk, "strict: namespaces and seccomp", ""};
  }
  const std::string level =
      support.landlock && support.seccomp
          ? fmt::format("best-effort only: Landlock (ABI {}) and seccomp", support.landlock_abi)
          : "best-effort only: limits, no isolation of files";
  return {"sandbox", Check::State::kAbsent,
          level + (support.reason.empty() ? "" : "; " + support.reason),
          "needed to verify kernels that are not trusted: allow user namespaces "
          "(kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0, "
          "kernel.apparmor_restrict_unprivileged_userns=0; in a container a seccomp profile that "
          "lets unshare and mount pass), or verify with --sandbox best-effort"};
}

Check check_cuda(const CudaDevices& devices) {
  const std::string hint =
      "needed only to measure or to run kernels on this machine's GPUs: install NVIDIA's driver, "
      "and in a container pass the devices through";
  if (!devices.has_driver) return {"cuda driver", Check::State::kAbsent, "none", hint};
  if (!devices.starts) {
    return {"cuda driver", Check::State::kAbsent, "libcuda.so.1 does not start",
            "see what nvidia-smi says; " + hint};
  }
  return {"cuda driver", Check::State::kOk,
          fmt::format("CUDA {}, {}", devices.version, count_of(devices.devices.size(), "device")),
          ""};
}

Check check_hf_cache() {
  const std::string home = environment_or("HOME", "");
  const std::string hf_home = environment_or("HF_HOME", path_join(home, ".cache/huggingface"));
  const std::string hub = environment_or("HF_HUB_CACHE", path_join(hf_home, "hub"));
  if (!directory_exists(hub)) {
    return {"hugging face cache", Check::State::kAbsent, "none at " + hub,
            "needed only for models named by their Hugging Face id"};
  }
  std::size_t models = 0;
  for (const std::string& name : list_directories(hub)) models += name.rfind("models--", 0) == 0;
  return {"hugging face cache", Check::State::kOk, count_of(models, "model") + " at " + hub, ""};
}

Check check_manual() {
  const bool pages = file_exists(installed_path("share/man/man1/tensorpath.1")) ||
                     file_exists(installed_path("share/man/man1/tensorpath.1.gz"));
  const bool reader = !find_program("man").empty() || !find_program("mandoc").empty();
  if (pages && reader) {
    return {"manual", Check::State::kOk, installed_path("share/man"), ""};
  }
  return {"manual", Check::State::kAbsent, pages ? "pages, but neither man nor mandoc" : "no pages",
          "every option is also in --help"};
}

std::string_view name_of(Check::State state) {
  switch (state) {
    case Check::State::kOk:
      return "ok";
    case Check::State::kAbsent:
      return "absent";
    default:
      return "MISSING";
  }
}

void print_checks(const Session& session, const std::vector<Check>& checks,
                  const std::vector<CudaDevice>& devices, bool ready) {
  if (session.format == OutputFormat::kJson || session.format == OutputFormat::kYaml) {
    Json document = {{"schema", "tensorpath.doctor/v1"},
                     {"tool", {{"name", "tensorpath"}, {"version", kVersion}}},
                     {"ready", ready},
                     {"checks", Json::array()},
                     {"devices", Json::array()}};
    for (const Check& check : checks) {
      document["checks"].push_back({{"name", check.name},
                                    {"state", name_of(check.state)},
                                    {"found", check.found},
                                    {"hint", check.hint}});
    }
    for (const CudaDevice& device : devices) {
      document["devices"].push_back({{"name", device.name}, {"memory_bytes", device.memory_bytes}});
    }
    print_document(session, document);
    return;
  }
  Table table({{"Check", Column::Align::kLeft, 3},
               {"State", Column::Align::kLeft, 2},
               {"Found", Column::Align::kLeft, 1}});
  for (const Check& check : checks) {
    table.add_row({check.name, std::string(name_of(check.state)), check.found});
  }
  for (const CudaDevice& device : devices) {
    table.add_row({"device", "ok", device.name + ", " + human_bytes(device.memory_bytes)});
  }
  print_table(session, table);
  if (session.format != OutputFormat::kTable || session.quiet) return;
  for (const Check& check : checks) {
    if (check.hint.empty()) continue;
    print("\n" + wrap_text(check.name + ": " + check.hint, session.terminal_width()));
  }
  print(ready ? "\n\nReady: nothing required is missing.\n"
              : "\n\nNot ready: something required is missing.\n");
}

ExitCode run_doctor(const Session& session, const DoctorOptions& options) {
  long today = clock_today();
  if (!options.today.empty()) {
    const auto day = days_of_date(options.today);
    if (!day) {
      return report(fail(ExitCode::kUsage,
                         fmt::format("--today: '{}' is not a date", options.today),
                         "write it as YYYY-MM-DD")
                        .value());
    }
    today = *day;
  }
  const auto catalog = session.load_catalog();
  const CudaDevices cuda = list_cuda_devices();
  std::vector<Check> checks = {check_data(session), check_catalog(catalog)};
  if (catalog) checks.push_back(check_prices(*catalog, today));
  checks.push_back(check_calibration(session));
  checks.push_back(check_manual());
  checks.push_back(check_hf_cache());
  checks.push_back(check_operators(load_operators(session)));
  checks.push_back(check_compiled_operators());
  checks.push_back(check_worker());
  checks.push_back(check_host_compiler());
  checks.push_back(check_sanitizers());
  checks.push_back(check_sandbox());
  checks.push_back(check_tool("cuda compiler", {"nvcc", "/usr/local/cuda/bin/nvcc"},
                              "needed only to build CUDA kernels: install NVIDIA's CUDA toolkit "
                              "(nvcc)"));
  checks.push_back(check_cuda(cuda));
  const bool ready = std::none_of(checks.begin(), checks.end(), [](const Check& check) {
    return check.state == Check::State::kMissing;
  });
  print_checks(session, checks, cuda.devices, ready);
  return ready ? ExitCode::kDone : ExitCode::kEnvironment;
}

}  // namespace

void add_doctor(CLI::App& app, Session& session) {
  CLI::App* command =
      app.add_subcommand("doctor", "Check what the tool finds on this machine and what it lacks");
  auto options = std::make_shared<DoctorOptions>();
  add_format_option(*command, session);
  command->add_option("--today", options->today, "Judge the age of prices as of this date")
      ->type_name("YYYY-MM-DD");
  command->callback([&session, options] {
    session.run = [&session, options] { return run_doctor(session, *options); };
  });
}

}  // namespace tensorpath::cli
