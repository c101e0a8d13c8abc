// tensorpath devices: what kernels can run on here, and what it can do at most.
#include "cuda_devices.h"
#include "forge_options.h"

#include <algorithm>

#include <fmt/format.h>

#include <tensorpath/harness/ceilings.h>
#include <tensorpath/harness/gpu_ceilings.h>

namespace tensorpath::cli {
namespace {

struct DeviceOptions {
  bool calibrate = false;
  int threads = 0;
  std::string sandbox = "strict";
};

std::string gb_s(double bytes_s) { return human_number(bytes_s / 1e9); }

Table host_table(const std::vector<HostCeilings>& ceilings) {
  Table table({{"threads", Column::Align::kRight, 6},
               {"read GB/s", Column::Align::kRight, 5},
               {"copy GB/s", Column::Align::kRight, 4},
               {"cache GB/s", Column::Align::kRight, 2},
               {"fp32 GFLOP/s", Column::Align::kRight, 5},
               {"empty call us", Column::Align::kRight, 3},
               {"measured", Column::Align::kLeft, 1}});
  for (const HostCeilings& one : ceilings) {
    table.add_row({std::to_string(one.threads), gb_s(one.read_bytes_s), gb_s(one.copy_bytes_s),
                   gb_s(one.cache_bytes_s), human_number(one.fp32_flops_s / 1e9),
                   human_number(one.empty_call_s * 1e6), utc_text(one.measured_at).substr(0, 10)});
  }
  return table;
}

std::string with_spread(const Repeated& one, double unit) {
  if (one.median <= 0) return {};
  return fmt::format("{} +-{:.1f}%", human_number(one.median / unit), one.spread_percent / 2);
}

// A row for each thing: rates of many types would make a wide table.
Table gpu_table(const GpuCeilings& one) {
  Table table({{"GPU", Column::Align::kLeft, 5},
               {"median", Column::Align::kRight, 6},
               {"best", Column::Align::kRight, 4}});
  const auto add = [&](const std::string& what, const Repeated& value, double unit) {
    if (value.median <= 0) return;
    table.add_row({what, with_spread(value, unit), human_number(value.best / unit)});
  };
  add("read GB/s", one.read_bytes_s, 1e9);
  add("copy GB/s", one.copy_bytes_s, 1e9);
  add("L2 GB/s", one.l2_bytes_s, 1e9);
  add("stream launch us", one.stream_launch_s, 1e-6);
  add("graph node us", one.graph_node_s, 1e-6);
  add("fp32 FMA TFLOP/s", one.fp32_flops_s, 1e12);
  for (const auto& [dtype, rate] : one.mma_sync_flops_s) {
    add(fmt::format("{} mma.sync TFLOP/s", dtype), rate, 1e12);
  }
  for (const auto& [dtype, rate] : one.wgmma_flops_s) {
    add(fmt::format("{} wgmma TFLOP/s", dtype), rate, 1e12);
  }
  return table;
}

void print_gpu(const Session& session, const GpuCeilings& one) {
  if (session.format == OutputFormat::kTable) {
    const auto clock = [](const Json& state, const char* key) {
      return state.is_object() && state.contains(key) ? state[key].dump() : std::string("?");
    };
    const std::string head = fmt::format("{}, {}, driver {}, measured {}; SM {} to {} MHz\n",
                                         one.name, one.uuid.empty() ? "no UUID" : one.uuid,
                                         one.driver.empty() ? one.driver_interface : one.driver,
                                         utc_text(one.measured_at).substr(0, 10),
                                         clock(one.before, "sm_mhz"), clock(one.after, "sm_mhz"));
    print("\n" + wrap_text(head, session.terminal_width()));
  }
  print_table(session, gpu_table(one));
}

Status calibrate_gpus(const Session& session, const DeviceOptions& options, std::size_t count,
                      const std::string& directory) {
  if (count == 0) return {};
  auto worker = require_worker();
  if (!worker) return tl::unexpected(worker.error());
  GpuCeilingOptions gpu;
  gpu.worker = std::move(*worker);
  gpu.sandbox = options.sandbox == "strict" ? SandboxMode::kStrict : SandboxMode::kBestEffort;
  if (!session.quiet) {
    gpu.on_step = [](const std::string& step) { std::fputs((step + "\n").c_str(), stderr); };
  }
  for (; gpu.gpu < static_cast<int>(count); ++gpu.gpu) {
    const auto measured = measure_gpu_ceilings(gpu, wall_now());
    if (!measured) return tl::unexpected(measured.error());
    if (Status stored = store_ceilings(*measured, directory); !stored) return stored;
  }
  return {};
}

Expected<HostCeilings> calibrate(const Session& session, const DeviceOptions& options) {
  const auto operators = load_operators(session);
  if (!operators) return tl::unexpected(operators.error());
  auto worker = require_worker();
  if (!worker) return tl::unexpected(worker.error());
  std::string kernels;
  for (const std::string& directory : kernel_directories(session, "ceilings")) {
    if (kernels.empty() && directory_exists(directory)) kernels = directory;
  }
  if (kernels.empty()) {
    return fail(ExitCode::kEnvironment, "the kernels that measure a device were not found",
                "an installation has them in share/tensorpath/kernels/ceilings");
  }
  CeilingOptions ceiling;
  ceiling.worker = std::move(*worker);
  ceiling.threads = options.threads;
  ceiling.sandbox = options.sandbox == "strict" ? SandboxMode::kStrict : SandboxMode::kBestEffort;
  if (!session.quiet) {
    ceiling.on_step = [](const std::string& step) { std::fputs((step + "\n").c_str(), stderr); };
  }
  return measure_host_ceilings(*operators, kernels, ceiling, wall_now());
}

// Those that were measured of a GPU with the name of one that is here.
std::vector<GpuCeilings> gpus_here(const std::string& directory, const CudaDevices& here) {
  std::vector<GpuCeilings> gpus = list_gpu_ceilings(directory);
  std::erase_if(gpus, [&](const GpuCeilings& gpu) {
    return std::none_of(here.devices.begin(), here.devices.end(),
                        [&](const CudaDevice& one) { return one.name == gpu.name; });
  });
  return gpus;
}

ExitCode run_devices(const Session& session, const DeviceOptions& options) {
  const std::string directory = ceilings_directory();
  if (directory.empty()) {
    return report(fail(ExitCode::kEnvironment, "there is no place for what was measured",
                       "set HOME or XDG_DATA_HOME")
                      .value());
  }
  const CudaDevices cuda = list_cuda_devices();
  if (options.calibrate) {
    const auto measured = calibrate(session, options);
    if (!measured) return report(measured.error());
    if (const Status stored = store_ceilings(*measured, directory); !stored) {
      return report(stored.error());
    }
    if (const Status stored = calibrate_gpus(session, options, cuda.devices.size(), directory);
        !stored) {
      return report(stored.error());
    }
  }
  const std::vector<HostCeilings> ceilings = list_ceilings(directory);
  const std::vector<GpuCeilings> gpus = gpus_here(directory, cuda);
  if (session.format == OutputFormat::kJson || session.format == OutputFormat::kYaml) {
    Json list = Json::array();
    Json host = {{"device", "host"},
                 {"processor", host_processor()},
                 {"isa_level", host_level()},
                 {"ceilings", Json::array()}};
    for (const HostCeilings& one : ceilings) host["ceilings"].push_back(to_json(one));
    list.push_back(std::move(host));
    for (const CudaDevice& one : cuda.devices) {
      Json device = {{"device", "cuda"},
                     {"name", one.name},
                     {"memory_bytes", one.memory_bytes},
                     {"ceilings", Json::array()}};
      for (const GpuCeilings& gpu : gpus) {
        if (gpu.name == one.name) device["ceilings"].push_back(to_json(gpu));
      }
      list.push_back(std::move(device));
    }
    print_document(session, {{"schema", "tensorpath.devices/v1"}, {"devices", list}});
    return ExitCode::kDone;
  }
  if (session.format == OutputFormat::kTable) {
    print(fmt::format("host: {}, {}\n", host_processor(), host_level()));
    for (const CudaDevice& one : cuda.devices) {
      print(fmt::format("cuda: {}, {}\n", one.name, human_bytes(one.memory_bytes)));
    }
  }
  if (!ceilings.empty()) {
    if (session.format == OutputFormat::kTable) print("\n");
    print_table(session, host_table(ceilings));
    for (const GpuCeilings& one : gpus) print_gpu(session, one);
  } else if (!session.quiet) {
    std::fputs("nothing was measured here yet: tensorpath devices --calibrate\n", stderr);
  }
  return ExitCode::kDone;
}

}  // namespace

void add_devices(CLI::App& app, Session& session) {
  CLI::App* devices =
      app.add_subcommand("devices", "What kernels can run on here, and what it can do at most");
  auto options = std::make_shared<DeviceOptions>();
  devices->add_flag("--calibrate", options->calibrate,
                    "Measure bandwidths, rates and the cost of a call, of the processor and of "
                    "each NVIDIA GPU; some seconds, on a GPU up to a minute");
  devices
      ->add_option("--threads", options->threads,
                   "To measure with; default: the cores but one, at most 4")
      ->check(CLI::Range(1, 64));
  devices->add_option("--sandbox", options->sandbox, "strict needs namespaces; default: strict")
      ->check(CLI::IsMember({"strict", "best-effort"}));
  add_format_option(*devices, session);
  devices->callback([&session, options] {
    session.run = [&session, options] { return run_devices(session, *options); };
  });
}

}  // namespace tensorpath::cli
