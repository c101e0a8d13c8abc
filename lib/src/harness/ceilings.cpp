#include "host_timed.h"
#include "scratch.h"
#include "trial.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <unistd.h>

#include <tensorpath/base/file.h>
#include <tensorpath/harness/ceilings.h>
#include <tensorpath/harness/timing.h>

namespace tensorpath {
namespace {

// Beyond any cache that flushing may have missed, and long beside a wake-up.
constexpr std::int64_t kHidden = 4096;
constexpr std::int64_t kColdRows = 4096;  // 64 MiB
constexpr int kSamples = 15;
constexpr int kHotCalls = 32;
constexpr double kFmaOperations = 2.0 * 12 * (1 << 20);  // of a lane, kernels/ceilings/fma
constexpr double kLimit_s = 60;

// A kernel of kernels/ceilings, built for this machine against the operator abs: x in, y out.
class CeilingKernel {
 public:
  static Expected<std::unique_ptr<CeilingKernel>> build(const Operators& operators,
                                                        const std::string& directory,
                                                        const CeilingOptions& options,
                                                        const std::string& scratch,
                                                        std::int64_t rows, const Cores& cores) {
    const auto op = operators.find("abs");
    if (!op) return tl::unexpected(op.error());
    auto kernel = std::make_unique<CeilingKernel>();
    auto domain =
        make_domain(**op, DType::kFp32, {{"rows", rows, rows}, {"hidden", kHidden, kHidden}}, {});
    if (!domain) return tl::unexpected(domain.error());
    kernel->task_.op = *op;
    kernel->task_.domain = std::move(*domain);
    kernel->task_.gpu = "host";
    kernel->task_.architecture = host_level();
    kernel->options_.sandbox = options.sandbox;
    kernel->options_.worker = options.worker;
    Refusal refusal;
    auto candidate = read_candidate(directory, kernel->task_, refusal);
    if (!candidate) return tl::unexpected(candidate.error());
    kernel->candidate_ = std::move(*candidate);
    kernel->subject_ = std::make_unique<Subject>(
        Subject{kernel->task_, kernel->candidate_, kernel->options_, kernel->defences_, scratch});
    if (refusal.failure == Failure::kNone) {
      auto built = make_host_device()->build(*kernel->subject_, Build::kPlain);
      if (!built) return tl::unexpected(built.error());
      refusal = built->refusal;
      kernel->built_ = std::move(*built);
    }
    if (refusal.failure != Failure::kNone) {
      return fail(ExitCode::kEnvironment,
                  fmt::format("{} does not build: {}", quote_input(directory), refusal.detail));
    }
    auto session = start_host_timed(*kernel->subject_, kernel->built_, cores);
    if (!session) return tl::unexpected(session.error());
    kernel->session_ = std::move(*session);
    Case one;
    for (const DimRange& dim : kernel->task_.domain.dims) one.dims[dim.name] = dim.least;
    auto contents = SlotContents::draw(*kernel->subject_, one, Key{}, 1);
    if (!contents) return tl::unexpected(contents.error());
    kernel->contents_ = std::move(*contents);
    auto spec = kernel->contents_->layout(*kernel->subject_);
    if (!spec) return tl::unexpected(spec.error());
    const auto laid = kernel->session_->lay_out(*kernel->contents_, *spec, 1);
    if (!laid) return tl::unexpected(laid.error());
    const auto written = kernel->session_->write(*kernel->contents_, Key{}, 1, 0);
    if (!written) return tl::unexpected(written.error());
    return kernel;
  }

  // The least of a number of samples, seconds a call; calls == 0 is the exchange alone, a median.
  Expected<double> least(int calls, bool cold) {
    std::vector<double> seconds;
    const std::vector<std::uint16_t> order(static_cast<std::size_t>(calls), 0);
    for (int i = 0; i < kSamples; ++i) {
      if (cold) session_->flush(1);
      const auto span = session_->run(order, 0, kLimit_s);
      if (!span) return tl::unexpected(span.error());
      if (span->refusal.failure != Failure::kNone) {
        return fail(ExitCode::kEnvironment, "measuring failed: " + span->refusal.detail);
      }
      seconds.push_back(span->seconds / std::max(calls, 1));
    }
    std::sort(seconds.begin(), seconds.end());
    return calls == 0 ? quantile(seconds, 0.5) : seconds.front();
  }

  // The second number of y: what the kernel says of itself.
  [[nodiscard]] double told() const {
    const CallResult result = session_->result(*contents_, Key{}, 0);
    float value = 0;
    std::memcpy(&value, result.outputs.front().data() + sizeof value, sizeof value);
    return static_cast<double>(value);
  }

  [[nodiscard]] double bytes() const {
    return static_cast<double>(task_.domain.dims.front().least * kHidden) * sizeof(float);
  }

 private:
  KernelTask task_;
  KernelCandidate candidate_;
  VerifyOptions options_;
  Defences defences_;
  std::unique_ptr<Subject> subject_;
  Built built_;
  std::optional<SlotContents> contents_;
  std::unique_ptr<TimedSession> session_;
};

}  // namespace

double Roof::floor_seconds(double bytes, double flops, double cached) const {
  const double moved = std::max(0.0, bytes - cached);
  return std::max({call_s, moved / bytes_s, flops_s > 0 ? flops / flops_s : 0});
}

Roof roof_of(const HostCeilings& ceilings, DType dtype) {
  Roof roof;
  roof.ceilings = to_json(ceilings);
  roof.call_s = ceilings.empty_call_s;
  roof.bytes_s = std::max(ceilings.read_bytes_s, ceilings.copy_bytes_s);
  // Narrower types have units of their own, whose rate was not measured.
  if (dtype == DType::kFp32) roof.flops_s = ceilings.fp32_flops_s;
  return roof;
}

Expected<HostCeilings> measure_host_ceilings(const Operators& operators, const std::string& kernels,
                                             const CeilingOptions& options, WallTime now) {
  const auto scratch = Scratch::make(options.scratch);
  if (!scratch) return tl::unexpected(scratch.error());
  const auto cores = choose_cores(options.threads);
  if (!cores) return tl::unexpected(cores.error());
  HostCeilings out;
  out.processor = host_processor();
  out.isa_level = host_level();
  out.threads = static_cast<int>(cores->worker.size());
  out.measured_at = now;
  const long cache = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
  // A part of the last level, beyond the one before it.
  const std::int64_t cache_bytes =
      std::clamp<std::int64_t>(cache / 4, std::int64_t{4} << 20, std::int64_t{32} << 20);
  const auto measure = [&](const std::string& name, std::int64_t rows, int calls, bool cold,
                           auto&& take) -> Status {
    if (options.on_step) options.on_step("measuring " + name);
    auto kernel = CeilingKernel::build(operators, path_join(kernels, name), options,
                                       path_join(scratch->path(), name), rows, *cores);
    if (!kernel) return tl::unexpected(kernel.error());
    const auto seconds = (*kernel)->least(calls, cold);
    if (!seconds) return tl::unexpected(seconds.error());
    return take(**kernel, *seconds);
  };
  const std::int64_t row_bytes = kHidden * static_cast<std::int64_t>(sizeof(float));
  Status done = measure("read", kColdRows, 1, true, [&](CeilingKernel& kernel, double s) -> Status {
    out.read_bytes_s = kernel.bytes() / s;
    const auto empty = kernel.least(0, false);
    if (!empty) return tl::unexpected(empty.error());
    out.empty_call_s = *empty;
    return {};
  });
  if (done) {
    done = measure("copy", kColdRows, 1, true, [&](CeilingKernel& kernel, double s) -> Status {
      out.copy_bytes_s = 2 * kernel.bytes() / s;
      return {};
    });
  }
  if (done) {
    done = measure("read", cache_bytes / row_bytes, kHotCalls, false,
                   [&](CeilingKernel& kernel, double s) -> Status {
                     out.cache_bytes_s = kernel.bytes() / s;
                     out.cache_bytes = kernel.bytes();
                     return {};
                   });
  }
  if (done) {
    done = measure("fma", 1, 1, false, [&](CeilingKernel& kernel, double s) -> Status {
      out.fp32_flops_s = kFmaOperations * kernel.told() * out.threads / s;
      return {};
    });
  }
  if (!done) return tl::unexpected(done.error());
  return out;
}

Json to_json(const HostCeilings& ceilings) {
  return {{"device", "host"},
          {"processor", ceilings.processor},
          {"isa_level", ceilings.isa_level},
          {"threads", ceilings.threads},
          {"read_gb_s", json_number(ceilings.read_bytes_s / 1e9)},
          {"copy_gb_s", json_number(ceilings.copy_bytes_s / 1e9)},
          {"cache_gb_s", json_number(ceilings.cache_bytes_s / 1e9)},
          {"cache_bytes", ceilings.cache_bytes},
          {"fp32_gflop_s", json_number(ceilings.fp32_flops_s / 1e9)},
          {"empty_call_us", json_number(ceilings.empty_call_s * 1e6)},
          {"measured_at", utc_text(ceilings.measured_at)},
          {"provenance", "measured"}};
}

Expected<HostCeilings> read_host_ceilings(const Json& json, const std::string& file) {
  HostCeilings out;
  try {
    out.processor = json.at("processor").get<std::string>();
    out.isa_level = json.at("isa_level").get<std::string>();
    out.threads = json.at("threads").get<int>();
    out.read_bytes_s = json.at("read_gb_s").get<double>() * 1e9;
    out.copy_bytes_s = json.at("copy_gb_s").get<double>() * 1e9;
    out.cache_bytes_s = json.at("cache_gb_s").get<double>() * 1e9;
    out.cache_bytes = json.at("cache_bytes").get<double>();
    out.fp32_flops_s = json.at("fp32_gflop_s").get<double>() * 1e9;
    out.empty_call_s = json.at("empty_call_us").get<double>() / 1e6;
    const auto time = parse_utc(json.at("measured_at").get<std::string>());
    const bool whole = out.threads > 0 && out.read_bytes_s > 0 && out.copy_bytes_s > 0 &&
                       out.fp32_flops_s > 0 && time;
    if (!whole) return fail_at({file, 0, 0}, "these are no ceilings of a device");
    out.measured_at = *time;
  } catch (const Json::exception& error) {
    return fail_at({file, 0, 0}, fmt::format("these are no ceilings of a device: {}", error.what()),
                   "measure again: tensorpath devices --calibrate");
  }
  return out;
}

std::string ceilings_directory() {
  const char* data = std::getenv("XDG_DATA_HOME");
  if (data != nullptr && *data == '/') return path_join(data, "tensorpath/devices");
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return path_join(home, ".local/share/tensorpath/devices");
  return {};
}

Status store_ceilings(const HostCeilings& ceilings, const std::string& directory) {
  if (Status made = make_directories(directory); !made) return made;
  return write_file_atomic(path_join(directory, fmt::format("host-{}.json", ceilings.threads)),
                           to_text(to_json(ceilings)));
}

std::vector<HostCeilings> list_ceilings(const std::string& directory) {
  std::vector<HostCeilings> all;
  for (const std::string& name : list_files(directory, ".json")) {
    const std::string file = path_join(directory, name);
    const auto json = read_json_file(file);
    if (!json) continue;
    auto found = read_host_ceilings(*json, file);
    // Carried here from another machine, they say nothing of this one.
    if (found && found->processor == host_processor()) all.push_back(std::move(*found));
  }
  std::sort(all.begin(), all.end(),
            [](const HostCeilings& a, const HostCeilings& b) { return a.threads < b.threads; });
  return all;
}

std::optional<HostCeilings> find_ceilings(const std::string& directory, int threads) {
  for (HostCeilings& one : list_ceilings(directory)) {
    if (one.threads == threads) return std::move(one);
  }
  return std::nullopt;
}

}  // namespace tensorpath
