// What exists: GPUs, models, engines, formats, prices. All of it is data files under data/ (and
// whatever --data DIR adds, first match wins); a person adds a row without touching C++.
// Every figure in those files has a source and a date; a file that lacks one does not load.
// Sizes are bytes (GiB = 2^30, GB = 10^9); rates are dense; bandwidths are per direction.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/units.h>

namespace tensorpath {

// Where figures came from. `figures` names the keys it stands for; "*" is all the others.
struct SourceNote {
  std::vector<std::string> figures;
  std::string text;  // document, vendor page or measurement
  std::string url;
  std::string date;  // YYYY-MM or YYYY-MM-DD: when it was read or published
};

// Arithmetic types a GPU may have matrix units for.
enum class Dtype : std::uint8_t { kFp32, kBf16, kFp16, kFp8, kInt8, kFp4, kCount };
[[nodiscard]] std::string_view to_string(Dtype dtype);

struct Gpu {
  std::string name;   // canonical: h100_sxm
  std::string title;  // NVIDIA H100 SXM 80 GB
  std::vector<std::string> aliases;
  std::string vendor;  // nvidia | amd | cpu
  std::string
      architecture;    // sm_80, sm_86, sm_89, sm_90, sm_100, sm_103, sm_120, gfx942, gfx950, x86_64
  std::string family;  // ampere, ada, hopper, blackwell, cdna3, cdna4, cpu
  std::string market;  // datacenter | workstation | consumer | cpu
  double hbm_bytes = 0;    // what the driver reports, not the label on the box
  double hbm_bytes_s = 0;  // data-sheet bandwidth
  double l2_bytes = 0;
  int sm_count = 0;
  // FLOP/s with dense operands; 0 where the device has no matrix unit for the type.
  std::array<double, static_cast<std::size_t>(Dtype::kCount)> dense_flop_s{};
  std::string link_kind;         // nvlink | xgmi | pcie | none
  double link_bytes_s = 0;       // scale-up, per GPU and direction
  int link_domain_gpus = 1;      // GPUs that reach each other over it
  double scale_out_bytes_s = 0;  // network per GPU and direction
  double power_w = 0;            // board power limit
  int gpus_per_node = 8;
  std::vector<SourceNote> sources;

  [[nodiscard]] double flop_s(Dtype dtype) const {
    return dense_flop_s[static_cast<std::size_t>(dtype)];
  }
  [[nodiscard]] bool has(Dtype dtype) const { return flop_s(dtype) > 0; }
};

// One attention scheme for the whole model. MLA when kv_lora_rank > 0.
struct Attention {
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int kv_lora_rank = 0;
  int q_lora_rank = 0;
  int rope_head_dim = 0;  // MLA: the part beside the latent
  int nope_head_dim = 0;
  int v_head_dim = 0;
  int window_tokens = 0;    // sliding window; 0 is none
  int windowed_layers = 0;  // how many of the layers slide
  [[nodiscard]] bool is_mla() const { return kv_lora_rank > 0; }
};

struct Moe {
  int experts = 0;  // routed; 0 is dense
  int experts_per_token = 0;
  int shared_experts = 0;
  int expert_ffn = 0;          // intermediate size of one expert
  int shared_ffn = 0;          // of all shared experts together
  int first_dense_layers = 0;  // layers with the dense FFN before the experts start
};

// Where a checkpoint in one format is to be had.
struct Checkpoint {
  std::string format;  // catalog name of the format
  std::string repo;    // Hugging Face id
  bool gated = false;  // needs HF_TOKEN; often not, though the original does
  std::string note;
};

struct Model {
  std::string name;  // canonical: llama-3.1-70b
  std::string title;
  std::vector<std::string> aliases;  // other names, Hugging Face ids of quantised copies included
  std::string huggingface;           // id of the original weights
  std::string native_format;         // what the original weights are stored in: bf16, fp8, mxfp4
  std::string tokenizer;  // models that share one have equal token counts: llama-3, qwen2, ...
  std::string license;
  bool gated = false;
  int layers = 0;
  int hidden = 0;
  int ffn = 0;            // dense FFN intermediate size; 0 when every layer is MoE
  bool gated_ffn = true;  // SwiGLU: three matrices; else two
  int vocab = 0;
  bool tied_embeddings = false;
  bool attention_bias = false;
  int max_context_tokens = 0;
  int mtp_layers = 0;  // multi-token-prediction layers shipped with the weights
  Attention attention;
  Moe moe;
  std::vector<Checkpoint> checkpoints;
  std::vector<SourceNote> sources;

  // Parameter counts from the shapes (norms and biases included where they matter).
  [[nodiscard]] double embedding_params() const;  // input embedding, plus lm_head if untied
  [[nodiscard]] double attention_params_per_layer() const;
  [[nodiscard]] double dense_ffn_params_per_layer() const;
  [[nodiscard]] double expert_params() const;  // one routed expert
  [[nodiscard]] double shared_expert_params_per_layer() const;
  [[nodiscard]] int moe_layers() const;
  [[nodiscard]] double total_params() const;
  [[nodiscard]] double active_params() const;  // read for one token, embeddings apart from lm_head
};

// How weights are stored and what computes on them.
struct Format {
  std::string name;  // fp8, awq_4, nvfp4, gguf_q4_k_m, ...
  std::string title;
  std::vector<std::string> aliases;
  double bits_per_param = 16;  // of covered tensors, scales and zero points included
  std::string covers;  // "linear": every linear layer but lm_head; "experts": routed experts only;
                       // "all": embeddings too
  Dtype compute = Dtype::kBf16;  // type of the matrix units used when they exist
  bool weight_only = false;      // activations stay 16-bit even where units exist
  double quality = 1;            // share of the 16-bit model's quality that is kept
  Provenance quality_provenance = Provenance::kAssumed;
  std::vector<SourceNote> sources;
};

struct KvFormat {
  std::string name;  // bf16, fp8, int8
  std::vector<std::string> aliases;
  double bytes_per_element = 2;  // scales included
  double quality = 1;
  Provenance quality_provenance = Provenance::kAssumed;
  std::vector<SourceNote> sources;
};

// How an engine gets from HBM to KV-cache bytes. DESIGN: "Memory".
struct MemoryRule {
  std::string kind;  // utilisation (vLLM) | free_fraction (TensorRT-LLM) | static_fraction (SGLang)
                     // | whole_context (llama.cpp)
  double fraction = 0.9;
  double runtime_bytes = 0;  // CUDA context, libraries, NCCL, outside of what scales with the model
  double graph_bytes = 0;    // captured graphs, per GPU
};

// One (engine, format) path: on which architectures it runs, and whether it computes natively
// there.
struct FormatSupport {
  std::string format;
  std::vector<std::string> native;       // architectures with the format's own matrix rate
  std::vector<std::string> weight_only;  // architectures where it runs at the 16-bit rate
  std::string note;
};

// Defaults that an engine derives from the size of the GPU. Tiers are tried in file order; the
// first that fits wins, else the engine's own defaults hold.
struct SchedulerTier {
  std::string architecture;    // empty: any
  double below_hbm_bytes = 0;  // the tier holds for GPUs with less than this
  int max_batch = 0;
  int max_batched_tokens = 0;
  double memory_fraction = 0;  // 0: MemoryRule::fraction holds
};

struct Engine {
  std::string name;  // vllm, tensorrt_llm, sglang, llama_cpp
  std::string title;
  std::vector<std::string> aliases;
  std::string release;  // the one that flags, defaults and images are for
  std::string image;    // container image with its tag
  std::vector<std::string> architectures;
  std::vector<FormatSupport> formats;
  std::vector<FormatSupport> kv_formats;
  std::vector<std::string> unsupported_models;  // canonical names or "mla", "moe", "mxfp4"
  MemoryRule memory;
  int default_max_batch = 256;
  int default_max_batched_tokens = 8192;
  std::vector<SchedulerTier> scheduler_tiers;
  bool chunked_prefill = true;
  bool prefix_cache = true;
  bool pools_windowed_kv = false;  // KV of sliding-window layers is capped to the window
  bool supports_tp = true;         // splits heads over GPUs, not only layers
  bool supports_pp = true;
  bool supports_ep = true;
  bool supports_attention_dp = false;
  bool supports_disaggregation = false;
  std::vector<std::string> speculative;  // eagle3, mtp, ngram, ...
  double simplicity = 1;                 // 0..1, how little there is to operate
  std::vector<SourceNote> sources;

  // Whether the engine has a path, and how it computes: kNone when there is none.
  enum class Path : std::uint8_t { kNone, kNative, kWeightOnly };
  [[nodiscard]] Path path(std::string_view format, std::string_view architecture) const;
  [[nodiscard]] Path kv_path(std::string_view kv_format, std::string_view architecture) const;
  // What this release does when nothing is asked of it on that GPU; every field filled in.
  [[nodiscard]] SchedulerTier defaults_on(const Gpu& gpu) const {
    for (const SchedulerTier& tier : scheduler_tiers) {
      const bool fits = (tier.architecture.empty() || tier.architecture == gpu.architecture) &&
                        gpu.hbm_bytes < tier.below_hbm_bytes;
      if (!fits) continue;
      SchedulerTier found = tier;
      if (found.memory_fraction <= 0) found.memory_fraction = memory.fraction;
      return found;
    }
    return {{}, 0, default_max_batch, default_max_batched_tokens, memory.fraction};
  }
};

struct Price {
  std::string gpu;
  double usd_per_gpu_hour = 0;
  std::string provider;
  std::string region;      // us-east, eu-west, any, ...
  std::string commitment;  // on_demand | reserved_1y | reserved_3y | spot | owned
  std::string date;        // YYYY-MM-DD
  int min_gpus = 1;        // the least number that one can rent, and the lot it is rented in
  std::string source;
  int precedence = 0;  // a row hides those of lower precedence that fit the same request
};

// The GPUs one pays for where they are rented in lots of min_gpus (a node, an instance): the least
// multiple of it that holds `gpus`; 0 for 0.
[[nodiscard]] int billed_gpus(int gpus, int min_gpus);

class Catalog {
 public:
  // Reads DIR/{gpus,models,engines,formats,pricing} of every directory; for equal names the first
  // directory wins. Errors name file, line and column.
  [[nodiscard]] static Expected<Catalog> load(const std::vector<std::string>& data_directories);

  [[nodiscard]] const std::vector<Gpu>& gpus() const { return gpus_; }
  [[nodiscard]] const std::vector<Model>& models() const { return models_; }
  [[nodiscard]] const std::vector<Engine>& engines() const { return engines_; }
  [[nodiscard]] const std::vector<Format>& formats() const { return formats_; }
  [[nodiscard]] const std::vector<KvFormat>& kv_formats() const { return kv_formats_; }
  [[nodiscard]] const std::vector<Price>& prices() const { return prices_; }

  // By canonical name or alias, ignoring case and the difference of '-', '_', '.' and ' '.
  [[nodiscard]] const Gpu* find_gpu(std::string_view name) const;
  [[nodiscard]] const Model* find_model(std::string_view name) const;
  [[nodiscard]] const Engine* find_engine(std::string_view name) const;
  [[nodiscard]] const Format* find_format(std::string_view name) const;
  [[nodiscard]] const KvFormat* find_kv_format(std::string_view name) const;

  // As find_*, with an Error that suggests the nearest name.
  [[nodiscard]] Expected<const Gpu*> gpu(std::string_view name) const;
  // A catalog name or alias, a path of a Hugging Face config.json (or of its directory), or a
  // Hugging Face id in the local cache (HF_HOME, HF_HUB_CACHE). Parsed models are kept for the
  // catalog's life; their name is the directory's or the id's.
  [[nodiscard]] Expected<const Model*> model(std::string_view name);
  [[nodiscard]] Expected<const Engine*> engine(std::string_view name) const;
  [[nodiscard]] Expected<const Format*> format(std::string_view name) const;

  // What is on offer in that region (or "any") under that commitment, in file order: only the rows
  // of the highest precedence, so prices added by the user hide shipped ones.
  [[nodiscard]] std::vector<const Price*> offers(const Gpu& gpu, std::string_view region,
                                                 std::string_view commitment) const;
  // The price at which `gpus` GPUs cost least in that region (or "any") and under that commitment,
  // whole lots billed; null when there is none.
  [[nodiscard]] const Price* price(const Gpu& gpu, std::string_view region,
                                   std::string_view commitment, int gpus) const;
  // Reads more prices (a file of the data/pricing schema); they come before the shipped ones.
  [[nodiscard]] Status add_prices(const std::string& path);

 private:
  friend class CatalogLoad;  // the reading of the directories, in src/catalog/load.cpp

  std::vector<Gpu> gpus_;
  std::vector<Model> models_;
  std::vector<Engine> engines_;
  std::vector<Format> formats_;
  std::vector<KvFormat> kv_formats_;
  std::vector<Price> prices_;
  std::map<std::string, std::unique_ptr<Model>> loaded_models_;  // by path of the config.json
};

// Reads the text of one catalog file by its `schema` line and reports what is wrong with it, short
// of names that other files define.
[[nodiscard]] Status check_catalog_text(std::string_view text, const std::string& file_name);

// A Hugging Face config.json (dense, GQA, MoE, MLA, sliding window) as a Model. Errors name the
// key.
[[nodiscard]] Expected<Model> model_from_hf_config(const std::string& path);

// YYYY-MM-DD to days since 1970-01-01; nullopt when malformed.
[[nodiscard]] std::optional<long> days_of_date(std::string_view date);

}  // namespace tensorpath
