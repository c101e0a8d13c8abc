// data/gpus/*.yaml: one GPU (or the local CPU) each.
#include "read.h"

#include <fmt/format.h>

namespace tensorpath {

std::string_view to_string(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFp32:
      return "fp32";
    case Dtype::kBf16:
      return "bf16";
    case Dtype::kFp16:
      return "fp16";
    case Dtype::kFp8:
      return "fp8";
    case Dtype::kInt8:
      return "int8";
    case Dtype::kFp4:
      return "fp4";
    case Dtype::kCount:
      break;
  }
  return "?";
}

namespace catalog {
namespace {

constexpr double kMiB = 1024.0 * 1024.0;
constexpr double kTera = 1e12;

// Every dtype has its key, and null says that there is no unit: a forgotten one is not a zero.
void read_rates(const YamlNode& node, Gpu& gpu, Diagnostics& diagnostics) {
  MapReader rates(node, "dense_tflops", diagnostics);
  for (std::size_t i = 0; i < gpu.dense_flop_s.size(); ++i) {
    const std::string key(to_string(static_cast<Dtype>(i)));
    if (node.find(key) == nullptr) {
      diagnostics.add(node.where, fmt::format("'dense_tflops.{}' is missing", key),
                      "write the dense rate in TFLOP/s, or null if the device has no such unit");
    }
    gpu.dense_flop_s[i] = rates.number(key, {0, 1e6, true}).value_or(0) * kTera;
  }
  rates.finish();
}

void read_link(const YamlNode& node, Gpu& gpu, Diagnostics& diagnostics) {
  MapReader link(node, "link", diagnostics);
  gpu.link_kind = required_word(link, "kind", "what joins the GPUs of a node",
                                {"nvlink", "xgmi", "pcie", "none"});
  gpu.link_bytes_s =
      required_number(link, "gb_s_per_direction", "GB/s per GPU and direction", {0, 1e5}) * kGB;
  gpu.link_domain_gpus =
      required_int(link, "domain_gpus", "how many GPUs reach each other over the link");
  link.finish();
  if (gpu.link_kind != "none" && !gpu.link_kind.empty() && gpu.link_bytes_s <= 0) {
    diagnostics.add(link.where("gb_s_per_direction"), "a link needs a bandwidth above 0",
                    "or write kind: none");
  }
}

}  // namespace

Gpu read_gpu(const YamlNode& document, Reading& reading) {
  MapReader map(document, "", reading.diagnostics);
  Gpu gpu;
  read_schema(map, kGpuSchema);
  gpu.name = read_name(map);
  gpu.title = required_text(map, "title", "the name that people read");
  gpu.aliases = map.text_list("aliases");
  gpu.vendor = required_word(map, "vendor", "who makes it", {"nvidia", "amd", "intel", "cpu"});
  gpu.architecture = required_text(map, "architecture", "sm_90, gfx942, x86_64, ...");
  gpu.family = required_text(map, "family", "hopper, cdna3, cpu, ...");
  gpu.market = required_word(map, "market", "where it is sold",
                             {"datacenter", "workstation", "consumer", "cpu"});
  gpu.hbm_bytes =
      required_number(map, "hbm_bytes", "memory in bytes as the driver reports it", {kMiB, 1e14});
  gpu.hbm_bytes_s =
      required_number(map, "hbm_gb_s", "memory bandwidth in GB/s", {0, 1e6, true}) * kGB;
  gpu.l2_bytes =
      required_number(map, "l2_mib", "last cache before memory, in MiB", {0, 1e6}) * kMiB;
  gpu.sm_count = required_int(map, "sm_count", "multiprocessors, compute units or cores");
  if (const YamlNode* rates = required_map(map, "dense_tflops", "{fp32, bf16, fp16, fp8, ...}")) {
    read_rates(*rates, gpu, reading.diagnostics);
  }
  if (const YamlNode* link = required_map(map, "link", "{kind, gb_s_per_direction, domain_gpus}")) {
    read_link(*link, gpu, reading.diagnostics);
  }
  gpu.scale_out_bytes_s =
      required_number(map, "scale_out_gb_s", "network GB/s per GPU and direction", {0, 1e5}) * kGB;
  gpu.power_w = required_number(map, "power_w", "board power limit in watts", {0, 1e5, true});
  gpu.gpus_per_node = required_int(map, "gpus_per_node", "GPUs in one machine");
  gpu.sources = read_sources(document, map);
  map.finish();
  return gpu;
}

}  // namespace catalog
}  // namespace tensorpath
