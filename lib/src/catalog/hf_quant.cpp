#include "hf_quant.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include <fmt/format.h>

namespace tensorpath::catalog {
namespace {

constexpr std::string_view kOtherFormatHint =
    "give the config.json of the original weights and choose a weight format in the workload";

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

std::string text_of(const YamlNode& map, std::string_view key) {
  const YamlNode* found = map.is_map() ? map.find(key) : nullptr;
  return found != nullptr && found->is_scalar() ? lower(found->scalar) : std::string();
}

std::optional<double> number_of(const YamlNode& map, std::string_view key) {
  const YamlNode* found = map.is_map() ? map.find(key) : nullptr;
  return found != nullptr ? yaml_number(*found) : std::nullopt;
}

// Whether the list of skipped modules leaves attention alone, so that the experts are what is
// quantised.
bool skips_attention(const YamlNode& quantization) {
  for (const std::string_view key : {"ignore", "modules_to_not_convert", "exclude_modules"}) {
    const YamlNode* list = quantization.find(key);
    if (list == nullptr || !list->is_sequence()) continue;
    const bool found = std::any_of(
        list->items.begin(), list->items.end(),
        [](const YamlNode& item) { return item.scalar.find("self_attn") != std::string::npos; });
    if (found) return true;
  }
  return false;
}

std::string no_format(const YamlNode& at, const std::string& what, Diagnostics& diagnostics) {
  diagnostics.add(at.where, fmt::format("quantization {} has no format in the catalog", what),
                  std::string(kOtherFormatHint));
  return {};
}

// compressed-tensors: the first group's weight scheme stands for all of them.
std::string format_of_groups(const YamlNode& quantization, Diagnostics& diagnostics) {
  const std::string packing = text_of(quantization, "format");
  if (packing.find("nvfp4") != std::string::npos) return "nvfp4";
  if (packing.find("mxfp4") != std::string::npos) return "mxfp4";
  const YamlNode* groups = quantization.find("config_groups");
  if (groups == nullptr || !groups->is_map() || groups->entries.empty()) {
    return no_format(quantization, "'compressed-tensors' without config_groups", diagnostics);
  }
  const YamlNode* weights = groups->entries.front().second.is_map()
                                ? groups->entries.front().second.find("weights")
                                : nullptr;
  if (weights == nullptr || !weights->is_map()) {
    return no_format(*groups, "'compressed-tensors' whose first group has no weights", diagnostics);
  }
  const std::string type = text_of(*weights, "type");
  const double bits = number_of(*weights, "num_bits").value_or(0);
  const double group = number_of(*weights, "group_size").value_or(0);
  if (type == "float" && bits == 8) return "fp8";
  if (type == "float" && bits == 4) return group == 32 ? "mxfp4" : "nvfp4";
  if (type == "int" && bits == 8) return "int8";
  if (type == "int" && bits == 4) return skips_attention(quantization) ? "int4_experts" : "gptq_4";
  return no_format(*weights, fmt::format("'compressed-tensors' of {} bits '{}'", bits, type),
                   diagnostics);
}

std::string format_of_algorithm(const YamlNode& at, const std::string& algorithm,
                                Diagnostics& diagnostics) {
  if (algorithm.find("nvfp4") != std::string::npos) return "nvfp4";
  if (algorithm.find("mxfp4") != std::string::npos) return "mxfp4";
  if (algorithm.starts_with("fp8")) return "fp8";
  if (algorithm == "w4a16_awq") return "awq_4";
  if (algorithm.starts_with("w4a16")) return "gptq_4";
  if (algorithm.starts_with("w8a8")) return "int8";
  return no_format(at, fmt::format("algorithm '{}'", algorithm), diagnostics);
}

// ModelOpt writes quant_algo at the top, or under `quantization` in a file of its own.
std::string format_of_quant_algo(const YamlNode& quantization, Diagnostics& diagnostics) {
  const YamlNode* inner = quantization.find("quantization");
  const YamlNode& holder = inner != nullptr && inner->is_map() ? *inner : quantization;
  const std::string algorithm = text_of(holder, "quant_algo");
  if (algorithm.empty()) {
    // None: ModelOpt's way to say that only the KV cache is quantised.
    const YamlNode* found = holder.find("quant_algo");
    if (found != nullptr && found->is_null()) return "bf16";
    return no_format(holder, "'modelopt' without quant_algo", diagnostics);
  }
  return format_of_algorithm(holder, algorithm, diagnostics);
}

std::string format_of_quark(const YamlNode& quantization, Diagnostics& diagnostics) {
  const YamlNode* global = quantization.find("global_quant_config");
  const YamlNode* weight = global != nullptr && global->is_map() ? global->find("weight") : nullptr;
  const std::string dtype = weight != nullptr ? text_of(*weight, "dtype") : std::string();
  if (dtype.starts_with("fp8")) return "fp8";
  if (dtype == "fp4" || dtype == "mxfp4") return "mxfp4";
  if (dtype == "int8") return "int8";
  return no_format(quantization, fmt::format("'quark' with weights of '{}'", dtype), diagnostics);
}

}  // namespace

std::string format_of_quantization(const YamlNode& quantization, Diagnostics& diagnostics) {
  if (!quantization.is_map()) {
    diagnostics.add(quantization.where, fmt::format("quantization_config is {}, expected a mapping",
                                                    quantization.kind_name()));
    return {};
  }
  const std::string method = text_of(quantization, "quant_method");
  const double bits =
      number_of(quantization, "bits").value_or(number_of(quantization, "w_bit").value_or(4));
  if (method == "fp8" || method == "fbgemm_fp8") return "fp8";
  if (method == "mxfp4" || method == "gpt_oss_mxfp4") return "mxfp4";
  if (method == "awq" && bits == 4) return "awq_4";
  if ((method == "gptq" || method == "auto-round") && bits == 4) return "gptq_4";
  if (method == "gptq" && bits == 8) return "int8";
  if (method == "compressed-tensors") return format_of_groups(quantization, diagnostics);
  if (method == "quark") return format_of_quark(quantization, diagnostics);
  if (method.starts_with("modelopt") || quantization.find("quant_algo") != nullptr) {
    return format_of_quant_algo(quantization, diagnostics);
  }
  if (method.empty()) {
    diagnostics.add(quantization.where, "quantization_config.quant_method is missing",
                    std::string(kOtherFormatHint));
    return {};
  }
  const bool has_bits = method == "awq" || method == "gptq";
  return no_format(quantization,
                   has_bits ? fmt::format("method '{}' of {} bits", method, bits)
                            : fmt::format("method '{}'", method),
                   diagnostics);
}

std::string format_of_modelopt(const YamlNode& document, Diagnostics& diagnostics) {
  if (!document.is_map()) {
    diagnostics.add(document.where,
                    fmt::format("the file holds {}, expected a mapping", document.kind_name()));
    return {};
  }
  return format_of_quant_algo(document, diagnostics);
}

std::string format_of_dtype(std::string_view torch_dtype) {
  const std::string dtype = lower(torch_dtype);
  if (dtype.ends_with("float16") && !dtype.ends_with("bfloat16")) return "fp16";
  if (dtype.ends_with("float32")) return "fp32";
  return "bf16";
}

}  // namespace tensorpath::catalog
