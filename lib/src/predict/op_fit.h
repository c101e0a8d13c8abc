// Reduces operator tables to surfaces (op_surface.h): one CSV per GPU and operator in, few numbers
// with their own held-out error out. A plumbing command: `tensorpath validate --fit-ops DIR`.
#pragma once

#include "csv.h"
#include "op_surface.h"

#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/catalog.h>

namespace tensorpath::perf {

// One measured operator call: the data-sheet times of its two halves, and what scales its rates.
struct OpSample {
  double compute_ms = 0;     // FLOPs over the data-sheet rate
  double memory_ms = 0;      // bytes over the data-sheet bandwidth
  double expert_row_ms = 0;  // MoE: compute of one padding row in every expert hit
  double io_element_ms = 0;  // MoE: one byte per token and hidden element
  double tiles = 1;          // GEMM: output tiles; decode attention: requests x KV heads
  double depth = 1;          // GEMM: reduction length
  double measured_ms = 0;
  std::size_t shape = 0;  // hash of the static shape: what is held out together
};

enum class OpKind { kGemm, kMoe, kDecode, kContext };

// Fits a surface by log residuals, q by trial; the error is on rows and on held-out shapes.
[[nodiscard]] Surface fit_surface(OpKind kind, const std::vector<OpSample>& samples);

// DIR holds <gpu>.<operator>.csv with operator one of gemm, moe, generation_attention,
// context_attention, custom_allreduce. GPUs are those of the catalog.
[[nodiscard]] Expected<OpSurfaces> fit_ops(const std::string& directory, const Catalog& catalog);

}  // namespace tensorpath::perf
