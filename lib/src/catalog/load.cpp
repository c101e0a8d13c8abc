// Loading the data directories: every file of every kind, then the names that cross files.
#include "read.h"

#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/format.h>

#include <tensorpath/base/file.h>

namespace tensorpath {
namespace {

using catalog::name_key;
using catalog::other_names;
using catalog::Reading;
using catalog::Reference;

void add_all(Diagnostics& diagnostics, const Error& error) {
  for (const Diagnostic& diagnostic : error.diagnostics) {
    diagnostics.add(diagnostic.where, diagnostic.message, diagnostic.hint);
  }
}

// The documents of DIR/<kind>; those that do not parse are reported and left out.
std::vector<YamlNode> read_documents(const std::string& directory, Diagnostics& diagnostics) {
  std::vector<YamlNode> documents;
  for (const std::string& file : list_files(directory, ".yml")) {
    diagnostics.add({path_join(directory, file), 0, 0}, "catalog files end in .yaml",
                    "rename it, or move it elsewhere");
  }
  for (const std::string& file : list_files(directory, ".yaml")) {
    auto document = read_yaml_file(path_join(directory, file));
    if (!document) {
      add_all(diagnostics, document.error());
    } else if (!document->is_map()) {
      diagnostics.add(document->where,
                      fmt::format("the file is {}, expected a mapping", document->kind_name()),
                      "tensorpath-catalog(5) describes the keys");
    } else {
      documents.push_back(std::move(*document));
    }
  }
  return documents;
}

// Within one directory a name means one thing; across directories the first one wins.
template <typename T>
class DirectoryNames {
 public:
  void claim(const T& value, const SourceLocation& where, Diagnostics& diagnostics) {
    claim_one(value.name, value.name, where, diagnostics);
    for (const std::string_view other : other_names(value)) {
      claim_one(other, value.name, where, diagnostics);
    }
  }

 private:
  void claim_one(std::string_view name, const std::string& owner, const SourceLocation& where,
                 Diagnostics& diagnostics) {
    const auto [place, added] = owners_.emplace(name_key(name), std::make_pair(owner, where.file));
    const auto& [first_owner, first_file] = place->second;
    if (!added && (first_owner != owner || first_file != where.file)) {
      diagnostics.add(where, fmt::format("the name '{}' is taken by '{}'", name, first_owner),
                      fmt::format("see {}", first_file));
    }
  }

  std::map<std::string, std::pair<std::string, std::string>> owners_;
};

template <typename T>
void add_values(const std::vector<YamlNode>& documents,
                T (*read)(const YamlNode& document, Reading& reading), std::vector<T>& values,
                Reading& reading) {
  DirectoryNames<T> names;
  const auto known = static_cast<std::ptrdiff_t>(values.size());
  for (const YamlNode& document : documents) {
    T value = read(document, reading);
    names.claim(value, document.where, reading.diagnostics);
    const auto end = values.begin() + known;
    if (std::none_of(values.begin(), end, [&](const T& v) { return v.name == value.name; })) {
      values.push_back(std::move(value));
    }
  }
}

bool is_kv_format(const YamlNode& document) {
  const YamlNode* schema = document.find("schema");
  return schema != nullptr && schema->scalar == catalog::kKvFormatSchema;
}

// What an engine may leave out by kind rather than by name.
constexpr std::array<std::string_view, 5> kModelTraits = {"mla", "moe", "mxfp4", "sliding_window",
                                                          "gqa"};

struct Resolution {
  bool known = false;
  std::string_view what;
  std::string hint;
};

template <typename T>
Resolution resolve_in(const std::vector<T>& values, std::string_view what, std::string_view name) {
  const bool known = catalog::find_named(values, name) != nullptr;
  return {known, what, known ? std::string() : catalog::name_hint(name, values)};
}

Resolution resolve(const Catalog& catalog, const Reference& reference) {
  const std::string& name = reference.name;
  switch (reference.kind) {
    case Reference::Kind::kGpu:
      return resolve_in(catalog.gpus(), "GPU", name);
    case Reference::Kind::kFormat:
      return resolve_in(catalog.formats(), "weight format", name);
    case Reference::Kind::kKvFormat:
      return resolve_in(catalog.kv_formats(), "KV format", name);
    case Reference::Kind::kModelOrTrait:
      break;
  }
  const bool is_trait =
      std::find(kModelTraits.begin(), kModelTraits.end(), name) != kModelTraits.end();
  return is_trait ? Resolution{true, "", ""}
                  : resolve_in(catalog.models(), "model or kind of model", name);
}

void check_references(const Catalog& catalog, Reading& reading) {
  for (const Reference& reference : reading.references) {
    const Resolution resolution = resolve(catalog, reference);
    if (!resolution.known) {
      reading.diagnostics.add(reference.where,
                              fmt::format("unknown {} '{}'", resolution.what, reference.name),
                              resolution.hint);
    }
  }
}

}  // namespace

// Readings of one load, kept together so that all mistakes are told at once.
class CatalogLoad {
 public:
  explicit CatalogLoad(Catalog& catalog) : catalog_(catalog) {}

  void add_directory(const std::string& directory, int precedence) {
    if (!directory_exists(directory)) {
      reading_.diagnostics.add({directory, 0, 0}, "there is no such data directory",
                               "check --data and TENSORPATH_DATA");
      return;
    }
    add_values(documents(directory, "gpus"), catalog::read_gpu, catalog_.gpus_, reading_);
    add_values(documents(directory, "models"), catalog::read_model, catalog_.models_, reading_);
    add_values(documents(directory, "engines"), catalog::read_engine, catalog_.engines_, reading_);
    auto formats = documents(directory, "formats");
    const auto kv = std::stable_partition(formats.begin(), formats.end(),
                                          [](const YamlNode& n) { return !is_kv_format(n); });
    const std::vector<YamlNode> kv_formats(std::make_move_iterator(kv),
                                           std::make_move_iterator(formats.end()));
    formats.erase(kv, formats.end());
    add_values(formats, catalog::read_format, catalog_.formats_, reading_);
    add_values(kv_formats, catalog::read_kv_format, catalog_.kv_formats_, reading_);
    for (const YamlNode& document : documents(directory, "pricing")) {
      add_prices(document, precedence);
    }
  }

  void add_prices(const YamlNode& document, int precedence) {
    for (Price& price : catalog::read_prices(document, reading_)) {
      price.precedence = precedence;
      prices_.push_back(std::move(price));
    }
  }

  void add_error(const Error& error) { add_all(reading_.diagnostics, error); }

  // Resolves the names across files; the catalog is whole when this succeeds.
  [[nodiscard]] Status finish() {
    check_references(catalog_, reading_);
    if (!reading_.diagnostics.empty()) {
      return tl::unexpected(reading_.diagnostics.to_error());
    }
    for (Price& price : prices_) {
      price.gpu = catalog_.find_gpu(price.gpu)->name;
    }
    catalog_.prices_.insert(catalog_.prices_.begin(), std::make_move_iterator(prices_.begin()),
                            std::make_move_iterator(prices_.end()));
    for (Engine& engine : catalog_.engines_) {
      for (FormatSupport& support : engine.formats) {
        support.format = catalog_.find_format(support.format)->name;
      }
      for (FormatSupport& support : engine.kv_formats) {
        support.format = catalog_.find_kv_format(support.format)->name;
      }
    }
    for (Model& model : catalog_.models_) {
      model.native_format = catalog_.find_format(model.native_format)->name;
      for (Checkpoint& checkpoint : model.checkpoints) {
        checkpoint.format = catalog_.find_format(checkpoint.format)->name;
      }
    }
    return {};
  }

 private:
  std::vector<YamlNode> documents(const std::string& directory, std::string_view kind) {
    return read_documents(path_join(directory, kind), reading_.diagnostics);
  }

  Catalog& catalog_;
  Reading reading_;
  std::vector<Price> prices_;
};

Expected<Catalog> Catalog::load(const std::vector<std::string>& data_directories) {
  Catalog result;
  CatalogLoad load(result);
  int precedence = 0;
  for (const std::string& directory : data_directories) {
    load.add_directory(directory, precedence--);
  }
  if (const Status status = load.finish(); !status) {
    return tl::unexpected(status.error());
  }
  if (result.gpus_.empty() && result.models_.empty() && result.engines_.empty() &&
      result.formats_.empty()) {
    return fail(ExitCode::kEnvironment,
                fmt::format("no catalog files in {}",
                            data_directories.empty()
                                ? std::string("any data directory")
                                : fmt::format("{}", fmt::join(data_directories, ", "))),
                "point --data or TENSORPATH_DATA at a directory with gpus/, models/, engines/, "
                "formats/ and pricing/");
  }
  return result;
}

Status Catalog::add_prices(const std::string& path) {
  auto document = read_yaml_file(path);
  if (!document) {
    return tl::unexpected(document.error());
  }
  int precedence = 1;
  for (const Price& price : prices_) {
    precedence = std::max(precedence, price.precedence + 1);
  }
  CatalogLoad load(*this);
  load.add_prices(*document, precedence);
  return load.finish();
}

Status check_catalog_text(std::string_view text, const std::string& file_name) {
  auto document = parse_yaml(text, file_name);
  if (!document) {
    return tl::unexpected(document.error());
  }
  if (!document->is_map()) {
    return fail_at(document->where,
                   fmt::format("the file is {}, expected a mapping", document->kind_name()));
  }
  const YamlNode* schema = document->find("schema");
  const std::string name = schema == nullptr ? "" : schema->scalar;
  Reading reading;
  if (name == catalog::kGpuSchema) {
    (void)catalog::read_gpu(*document, reading);
  } else if (name == catalog::kModelSchema) {
    (void)catalog::read_model(*document, reading);
  } else if (name == catalog::kEngineSchema) {
    (void)catalog::read_engine(*document, reading);
  } else if (name == catalog::kFormatSchema) {
    (void)catalog::read_format(*document, reading);
  } else if (name == catalog::kKvFormatSchema) {
    (void)catalog::read_kv_format(*document, reading);
  } else if (name == catalog::kPricesSchema) {
    (void)catalog::read_prices(*document, reading);
  } else {
    const std::vector<std::string> schemas = {
        std::string(catalog::kGpuSchema),      std::string(catalog::kModelSchema),
        std::string(catalog::kEngineSchema),   std::string(catalog::kFormatSchema),
        std::string(catalog::kKvFormatSchema), std::string(catalog::kPricesSchema)};
    return fail_at(schema == nullptr ? document->where : schema->where,
                   fmt::format("'{}' is no schema of a catalog file", name),
                   suggestion(name, schemas));
  }
  if (!reading.diagnostics.empty()) {
    return tl::unexpected(reading.diagnostics.to_error());
  }
  return {};
}

}  // namespace tensorpath
