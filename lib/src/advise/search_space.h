// The search space: which (GPU, engine, formats, parallel layout) combinations exist for a model.
// Support is looked up here, so that prediction only sees what an engine release has a path for;
// what has none is counted once, layout by layout, as kUnsupported.
#pragma once

#include <vector>

#include <tensorpath/advise.h>

namespace tensorpath::advise {

// Parallel layouts worth a look: TP inside the link domain and dividing the heads, PP where links
// are slow or nodes must be crossed, attention DP and EP for mixture-of-experts models.
[[nodiscard]] std::vector<Layout> parallel_layouts(const Gpu& gpu, const Model& model,
                                                   const Engine& engine, int max_gpus);

// Why no engine runs a layout so split; empty when it can be. GPU, model, engine and the four
// numbers of the layout must be set.
[[nodiscard]] std::string layout_problem(const Layout& layout);

// Whether weights of `model` can be had or made in `format`: its own format, a format it has a
// checkpoint in, or any format when the original weights are 16 bit or wider.
[[nodiscard]] bool format_exists_for(const Model& model, const Format& format);

// Why the engine has no path for the combination; empty when it has one.
[[nodiscard]] std::string unsupported_reason(const Gpu& gpu, const Model& model,
                                             const Engine& engine, const Format& weight,
                                             const KvFormat& kv);

// Share of the 16-bit model's quality that is kept. Weights in the format they were published in
// are the original, whatever their width.
[[nodiscard]] double quality_of(const Model& model, const Format& weight, const KvFormat& kv);

// Drafting methods for the model on that engine, "none" first.
[[nodiscard]] std::vector<Speculation> speculations(const Model& model, const Engine& engine);

[[nodiscard]] const Checkpoint* find_checkpoint(const Model& model, const Format& format);

}  // namespace tensorpath::advise
