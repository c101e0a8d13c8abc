// Measured operator efficiency, reduced to a few numbers per GPU, operator and data type.
// An operator takes norm(compute, memory) + launch, where compute and memory are the data-sheet
// times over an efficiency and norm is (a^q + b^q)^(1/q). Fitted by fit_ops (op_fit.h), kept in
// data/calibration/ops.yaml, read by compile and by breakdown.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/base/yaml.h>
#include <tensorpath/catalog.h>

namespace tensorpath::perf {

struct FitError {
  int rows = 0;
  double median = 0, p90 = 0;                    // |predicted / measured - 1|, rows fitted
  double held_out_median = 0, held_out_p90 = 0;  // shapes left out of the fit
};

struct Surface {
  double compute_efficiency = 0.6;
  double memory_efficiency = 0.75;
  double launch_us = 5;
  double half_tiles = 0;            // GEMM: output tiles at which half of the SMs' rate is lost
  double half_depth = 0;            // GEMM: reduction length at which half of the rate is lost
  double rows_per_expert = 0;       // MoE: padding rows of each expert that is hit
  double io_bytes_per_element = 0;  // MoE: activation traffic per token and hidden element
  int norm = 4;                     // q: 1, 2, 4 or 8
  FitError error;
};

struct CollectiveSurface {
  // All-reduce of a few bytes on 2, 4 and 8 GPUs.
  std::array<double, 3> latency_us = {5, 6, 8};
  double bandwidth_efficiency = 0.7;  // of the link, for 2 (n - 1) / n of the message
  FitError error;

  [[nodiscard]] double latency_on(int gpus) const;
};

// All that was measured on one GPU.
struct GpuSurfaces {
  std::string gpu;
  std::string architecture;
  std::string family;
  std::map<std::string, Surface> gemm;    // by data type: bf16, fp8, fp8_block, nvfp4
  std::map<std::string, Surface> moe;     // bf16, fp8, fp8_block, nvfp4, mxfp4_16, mxfp4_8, int4_16
  std::map<std::string, Surface> decode;  // by KV data type: bf16, fp8
  std::map<std::string, Surface> context;  // bf16
  CollectiveSurface all_reduce;
  std::string source;
};

class OpSurfaces {
 public:
  std::vector<GpuSurfaces> gpus;
  // Architecture or family -> GPU whose surfaces stand in where a GPU has no data.
  std::map<std::string, std::string> borrow;

  // The surfaces for a GPU: its own, its architecture's, its family's, those it borrows. `exact`
  // tells whether they were measured on that GPU.
  [[nodiscard]] const GpuSurfaces& of(const Gpu& gpu, bool* exact = nullptr) const;
};

// The surface of `type`, or the nearest the GPU has: fp8 for fp8_block, bf16 for anything.
[[nodiscard]] const Surface& surface_of(const std::map<std::string, Surface>& surfaces,
                                        std::string_view type);

[[nodiscard]] Expected<OpSurfaces> parse_ops(const YamlNode& root);
[[nodiscard]] Json to_json(const OpSurfaces& surfaces);

// (a^q + b^q)^(1/q) for q in {1, 2, 4, 8}: square roots only.
[[nodiscard]] double norm(double a, double b, int q);

}  // namespace tensorpath::perf
