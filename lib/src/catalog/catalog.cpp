// Looking things up in a loaded catalog, and models that come from outside of it.
#include "hf_cache.h"
#include "names.h"

#include <fmt/format.h>

#include <tensorpath/base/file.h>

namespace tensorpath {
namespace {

template <typename T>
Expected<const T*> found_or_suggest(const T* found, std::string_view kind, std::string_view name,
                                    const std::vector<T>& values) {
  if (found != nullptr) {
    return found;
  }
  return fail(ExitCode::kUsage, fmt::format("unknown {} {}", kind, quote_input(name)),
              catalog::name_hint(name, values));
}

}  // namespace

const Gpu* Catalog::find_gpu(std::string_view name) const {
  return catalog::find_named(gpus_, name);
}

const Model* Catalog::find_model(std::string_view name) const {
  if (const Model* model = catalog::find_named(models_, name); model != nullptr) {
    return model;
  }
  const std::string key = catalog::name_key(name);
  for (const auto& entry : loaded_models_) {
    if (catalog::name_key(entry.second->name) == key) {
      return entry.second.get();
    }
  }
  return nullptr;
}

const Engine* Catalog::find_engine(std::string_view name) const {
  return catalog::find_named(engines_, name);
}

const Format* Catalog::find_format(std::string_view name) const {
  return catalog::find_named(formats_, name);
}

const KvFormat* Catalog::find_kv_format(std::string_view name) const {
  return catalog::find_named(kv_formats_, name);
}

Expected<const Gpu*> Catalog::gpu(std::string_view name) const {
  return found_or_suggest(find_gpu(name), "GPU", name, gpus_);
}

Expected<const Engine*> Catalog::engine(std::string_view name) const {
  return found_or_suggest(find_engine(name), "engine", name, engines_);
}

Expected<const Format*> Catalog::format(std::string_view name) const {
  return found_or_suggest(find_format(name), "weight format", name, formats_);
}

Expected<const Model*> Catalog::model(std::string_view name) {
  if (const Model* known = find_model(name); known != nullptr) {
    return known;
  }
  auto config = catalog::config_of_path(std::string(name));
  if (!config) {
    config = catalog::config_of_cached_id(name);
  }
  if (!config && directory_exists(std::string(name))) {
    return fail(ExitCode::kUsage,
                fmt::format("the directory {} holds no config.json", quote_input(name)));
  }
  if (!config) {
    const std::string hint = catalog::name_hint(name, models_);
    return fail(ExitCode::kUsage, fmt::format("unknown model {}", quote_input(name)),
                fmt::format("{}{}or give the path of a Hugging Face config.json", hint,
                            hint.empty() ? "" : "; "));
  }
  const auto loaded = loaded_models_.find(config->path);
  if (loaded != loaded_models_.end()) {
    return loaded->second.get();
  }
  auto model = model_from_hf_config(config->path);
  if (!model) {
    return tl::unexpected(model.error());
  }
  // Later look-ups go by this name, so it must not be that of another model.
  const std::string wanted = catalog::canonical(config->name);
  model->name = wanted;
  for (int copy = 2; find_model(model->name) != nullptr; ++copy) {
    model->name = fmt::format("{}-{}", wanted, copy);
  }
  if (!config->id.empty()) {
    model->huggingface = config->id;
    model->title = config->id;
  }
  const auto added =
      loaded_models_.emplace(config->path, std::make_unique<Model>(std::move(*model)));
  return added.first->second.get();
}

}  // namespace tensorpath
