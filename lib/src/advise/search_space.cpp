#include "search_space.h"

#include <algorithm>

#include <fmt/format.h>

namespace tensorpath::advise {
namespace {

// Past 16 GPUs a replica spans nodes on every system but the rack-scale ones, and no engine's
// tensor parallelism is published beyond it.
constexpr int kMaxTp = 16;
constexpr int kMaxReplicaGpus = 16;

bool contains(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool is_sixteen_bit_or_wider(std::string_view format) {
  return format == "bf16" || format == "fp16" || format == "fp32";
}

// Pipelining pays where the links between GPUs are slow, or where one node is not enough.
bool pipeline_pays(const Gpu& gpu, int tp) {
  return gpu.link_kind == "pcie" || gpu.link_kind == "none" || tp >= gpu.gpus_per_node;
}

void add_expert_layouts(Layout layout, const Model& model, const Engine& engine,
                        std::vector<Layout>& out) {
  out.push_back(layout);
  const int ranks = layout.tp * layout.attn_dp;
  if (ranks > 1 && engine.supports_ep && model.moe.experts % ranks == 0) {
    layout.ep = ranks;
    out.push_back(layout);
  }
}

}  // namespace

std::vector<Layout> parallel_layouts(const Gpu& gpu, const Model& model, const Engine& engine,
                                     int max_gpus) {
  std::vector<Layout> out;
  const bool moe = model.moe.experts > 0;
  const int domain = std::max(1, gpu.link_domain_gpus);
  for (int tp = 1; tp <= std::min(kMaxTp, domain); tp *= 2) {
    for (int pp = 1; pp <= 4; pp *= 2) {
      if (pp > 1 && !pipeline_pays(gpu, tp)) continue;
      for (int dp = 1; dp <= 8; dp *= 2) {
        Layout layout;
        layout.gpu = &gpu;
        layout.model = &model;
        layout.engine = &engine;
        layout.tp = tp;
        layout.pp = pp;
        layout.attn_dp = dp;
        if (layout.gpus() > std::min(max_gpus, kMaxReplicaGpus)) continue;
        if (!layout_problem(layout).empty()) continue;
        if (moe) {
          add_expert_layouts(layout, model, engine, out);
        } else {
          out.push_back(layout);
        }
      }
    }
  }
  return out;
}

std::string layout_problem(const Layout& layout) {
  const Model& model = *layout.model;
  const Engine& engine = *layout.engine;
  const int domain = std::max(1, layout.gpu->link_domain_gpus);
  const int ranks = layout.tp * layout.attn_dp;
  const bool moe = model.moe.experts > 0;
  if (ranks > domain) {
    return fmt::format("{} GPUs of a tensor-parallel group do not fit a link domain of {}", ranks,
                       domain);
  }
  if (model.attention.heads % layout.tp != 0) {
    return fmt::format("tp {} does not divide {} attention heads", layout.tp,
                       model.attention.heads);
  }
  if (layout.tp > 1 && !engine.supports_tp) {
    return engine.title + " has no tensor parallelism";
  }
  if (layout.pp > 1 && (!engine.supports_pp || layout.pp > model.layers)) {
    return fmt::format("{} does not split {} layers into {} pipeline stages", engine.title,
                       model.layers, layout.pp);
  }
  if (layout.attn_dp > 1 && (!moe || !engine.supports_attention_dp)) {
    return fmt::format(
        "attention data parallelism needs a mixture of experts and an engine that has "
        "it: not {} with {}",
        model.title, engine.title);
  }
  if (layout.ep > 1 && (!moe || !engine.supports_ep)) {
    return fmt::format("expert parallelism needs experts and an engine that has it: not {} with {}",
                       model.title, engine.title);
  }
  if (ranks % layout.ep != 0 || (moe && model.moe.experts % layout.ep != 0)) {
    return fmt::format("ep {} must divide tp x attn_dp = {} and {} experts", layout.ep, ranks,
                       model.moe.experts);
  }
  return {};
}

const Checkpoint* find_checkpoint(const Model& model, const Format& format) {
  const auto it = std::find_if(model.checkpoints.begin(), model.checkpoints.end(),
                               [&](const Checkpoint& c) { return c.format == format.name; });
  return it == model.checkpoints.end() ? nullptr : &*it;
}

bool format_exists_for(const Model& model, const Format& format) {
  if (format.name == model.native_format || find_checkpoint(model, format)) return true;
  // Requantising weights that were published in 8 bits or fewer is nobody's supported path;
  // widening them to bf16 is.
  if (!is_sixteen_bit_or_wider(model.native_format)) return format.name == "bf16";
  if (format.covers == "experts") return false;  // needs a model trained that way
  if (is_sixteen_bit_or_wider(format.name)) return format.name == "bf16" || format.name == "fp16";
  return true;
}

std::string unsupported_reason(const Gpu& gpu, const Model& model, const Engine& engine,
                               const Format& weight, const KvFormat& kv) {
  if (!contains(engine.architectures, gpu.architecture)) {
    return fmt::format("{} {} does not run on {}", engine.title, engine.release, gpu.architecture);
  }
  const auto& refused = engine.unsupported_models;
  if (contains(refused, model.name) || (model.attention.is_mla() && contains(refused, "mla")) ||
      (model.moe.experts > 0 && contains(refused, "moe"))) {
    return fmt::format("{} {} does not run {}", engine.title, engine.release, model.title);
  }
  if (engine.path(weight.name, gpu.architecture) == Engine::Path::kNone) {
    return fmt::format("{} {} has no path for {} weights on {}", engine.title, engine.release,
                       weight.name, gpu.architecture);
  }
  if (engine.kv_path(kv.name, gpu.architecture) == Engine::Path::kNone) {
    return fmt::format("{} {} has no path for a {} KV cache on {}", engine.title, engine.release,
                       kv.name, gpu.architecture);
  }
  if (!format_exists_for(model, weight)) {
    return fmt::format("{} is published in {}; nobody supports requantising it to {}", model.title,
                       model.native_format, weight.name);
  }
  return {};
}

double quality_of(const Model& model, const Format& weight, const KvFormat& kv) {
  return (weight.name == model.native_format ? 1.0 : weight.quality) * kv.quality;
}

std::vector<Speculation> speculations(const Model& model, const Engine& engine) {
  std::vector<Speculation> out{Speculation{}};
  // One draft token from the model's own MTP layer: DeepSeek-V3's technical report gives a second
  // token accepted 85 to 90% of the time; the low end is assumed, and the layer's share of a step.
  if (model.mtp_layers > 0 && contains(engine.speculative, "mtp")) {
    Speculation mtp;
    mtp.method = "mtp";
    mtp.draft_tokens = 1;
    mtp.accepted_tokens_per_step = 1.8;
    mtp.draft_cost_share = static_cast<double>(model.mtp_layers) / std::max(1, model.layers);
    out.push_back(mtp);
  }
  return out;
}

}  // namespace tensorpath::advise
