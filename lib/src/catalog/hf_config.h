// A Hugging Face config.json as a Model: dense, GQA, MoE, MLA, sliding windows, old spellings.
// It reads what decides shapes and bytes and ignores the rest; what it cannot know it takes from
// the model class's own defaults (hf_family.h), and refuses rather than guesses.
#pragma once

#include <string>
#include <string_view>

#include <tensorpath/catalog.h>

namespace tensorpath::catalog {

struct HfConfigFiles {
  std::string path;        // of the config.json, for messages and for the name
  std::string text;        // its content
  std::string quant_path;  // of hf_quant_config.json beside it
  std::string quant_text;  // empty when there is none
};

[[nodiscard]] Expected<Model> model_from_hf_text(const HfConfigFiles& files);

}  // namespace tensorpath::catalog
