// kernels/ops/<op>.yaml into an OperatorSpec: every mistake in the file at once, each with its
// place.
#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/yaml.h>
#include <tensorpath/ops/cases.h>
#include <tensorpath/ops/operator.h>

namespace tensorpath {
namespace {

template <typename Value>
struct Word {
  std::string_view word;
  Value value;
};

constexpr Word<OperatorKind> kKinds[] = {
    {"arithmetic", OperatorKind::kArithmetic}, {"moving", OperatorKind::kMoving},
    {"selecting", OperatorKind::kSelecting},   {"sampling", OperatorKind::kSampling},
    {"quantising", OperatorKind::kQuantising},
};
constexpr Word<Rule> kRules[] = {
    {"bounded", Rule::kBounded},     {"bitwise", Rule::kBitwise}, {"exact", Rule::kExact},
    {"selection", Rule::kSelection}, {"sample", Rule::kSample},   {"codes", Rule::kCodes},
};
constexpr Word<Fill> kFills[] = {
    {"values", Fill::kValues},   {"weight", Fill::kWeight},           {"index", Fill::kIndex},
    {"unique", Fill::kUnique},   {"length", Fill::kLength},           {"offsets", Fill::kOffsets},
    {"uniform", Fill::kUniform}, {"probability", Fill::kProbability}, {"scale", Fill::kScale},
    {"bits", Fill::kBits},
};
constexpr Word<Invariant::Rule> kInvariants[] = {
    {"row_sum", Invariant::Rule::kRowSum},           {"range", Invariant::Rule::kRange},
    {"unique_rows", Invariant::Rule::kUniqueRows},   {"scale", Invariant::Rule::kScale},
    {"permute_rows", Invariant::Rule::kPermuteRows},
};

template <typename Value, std::size_t n>
std::vector<std::string> words_of(const Word<Value> (&table)[n]) {
  std::vector<std::string> words;
  for (const auto& entry : table) words.emplace_back(entry.word);
  return words;
}

template <typename Value, std::size_t n>
Value read_word(MapReader& map, std::string_view key, const Word<Value> (&table)[n],
                Value otherwise) {
  const auto word = map.word(key, words_of(table));
  if (!word) return otherwise;
  for (const auto& entry : table) {
    if (entry.word == *word) return entry.value;
  }
  return otherwise;
}

// Reads a document into a spec; what is wrong goes into `diagnostics`.
class Reader {
 public:
  explicit Reader(OperatorSpec& spec) : spec_(spec) {}

  void read(const YamlNode& document) {
    MapReader map(document, "", diagnostics);
    read_head(map);
    read_dims(map);
    read_attributes(map);
    read_tensors(map, "inputs", spec_.inputs, false);
    read_tensors(map, "outputs", spec_.outputs, true);
    read_roundings(map);
    read_invariants(map);
    read_work(map);
    read_smoke(map);
    read_baselines(map);
    spec_.serves = map.text_list("serves");
    map.finish();
    if (diagnostics.empty()) try_formulas(document.where.file);
  }

  Diagnostics diagnostics;

 private:
  static std::string required(MapReader& map, std::string_view key, std::string_view what) {
    map.require(key, what);
    return map.text(key).value_or("");
  }

  void read_head(MapReader& map) {
    spec_.name = required(map, "name", "the operator's name, that of its file");
    spec_.summary = required(map, "summary", "what it computes, in a line");
    spec_.family = map.word("family", {"elementwise", "norm", "reduction", "matmul", "attention",
                                       "conv", "move", "select", "quant"})
                       .value_or("");
    map.require("family", "what it is like");
    spec_.source = required(map, "source", "the paper or definition it follows");
    map.require("kind", "what it does to its data");
    spec_.kind = read_word(map, "kind", kKinds, OperatorKind::kArithmetic);
    spec_.nan_rule = required(map, "nan", "what becomes of NaN and infinity");
    map.require("dtypes", "what T may be");
    for (const std::string& name : map.text_list("dtypes")) {
      if (const auto dtype = known_dtype(map, "dtypes", name)) spec_.dtypes.push_back(*dtype);
    }
    if (map.has("dtypes") && spec_.dtypes.empty()) {
      diagnostics.add(map.where("dtypes"), "expected at least one type");
    }
    if (map.has("accumulate")) {
      const auto name = map.text("accumulate").value_or("fp32");
      spec_.accumulate = known_dtype(map, "accumulate", name).value_or(DType::kFp32);
    }
    spec_.regimes = regime_names();
    for (const std::string& name : map.text_list("without_regimes")) {
      const auto found = std::find(spec_.regimes.begin(), spec_.regimes.end(), name);
      if (found == spec_.regimes.end()) {
        diagnostics.add(map.where("without_regimes"),
                        fmt::format("there is no regime {}", quote_input(name)),
                        suggestion(name, regime_names()));
      } else {
        spec_.regimes.erase(found);
      }
    }
    if (spec_.regimes.empty()) {
      diagnostics.add(map.where("without_regimes"), "no regime is left to draw cases of");
    }
  }

  std::optional<DType> known_dtype(MapReader& map, std::string_view key, const std::string& name) {
    const auto dtype = tensorpath::dtype_of(name);
    if (!dtype) {
      diagnostics.add(map.where(key), fmt::format("there is no type {}", quote_input(name)),
                      suggestion(name, dtype_names(), 20));
    }
    return dtype;
  }

  std::string tensor_dtype(MapReader& map) {
    map.require("dtype", "T or the name of a type");
    std::string name = map.text("dtype").value_or("T");
    if (name != "T") (void)known_dtype(map, "dtype", name);
    return name;
  }

  // A formula over the names known so far.
  Expression formula(const YamlNode& node, std::string_view path) {
    if (!node.is_scalar()) {
      diagnostics.add(node.where,
                      fmt::format("{}: expected a formula, found {}", path, node.kind_name()));
      return Expression::constant(1);
    }
    auto parsed = Expression::parse(node.scalar, node.where);
    if (!parsed) {
      for (const Diagnostic& one : parsed.error().diagnostics) {
        diagnostics.add(one.where, one.message, one.hint);
      }
      return Expression::constant(1);
    }
    for (const std::string& name : parsed->names()) {
      if (names_.count(name) == 0) {
        diagnostics.add(node.where,
                        fmt::format("{}: {} is not known here", path, quote_input(name)),
                        suggestion(name, {names_.begin(), names_.end()}));
      }
    }
    return *parsed;
  }
  Expression formula(MapReader& map, std::string_view key, std::int64_t otherwise) {
    const YamlNode* node = map.node(key);
    return node == nullptr || node->is_null() ? Expression::constant(otherwise)
                                              : formula(*node, map.path_of(key));
  }

  template <typename Each>
  void each_entry(MapReader& map, std::string_view key, Each&& each) {
    const YamlNode* node = map.node(key);
    if (node == nullptr || node->is_null()) return;
    if (!node->is_map()) {
      diagnostics.add(node->where,
                      fmt::format("{}: expected a mapping, found {}", key, node->kind_name()));
      return;
    }
    for (const auto& [name, value] : node->entries) {
      if (!valid_name(name)) {
        diagnostics.add(value.where, fmt::format("{} is no name: lower-case letters, digits and _",
                                                 quote_input(name)));
        continue;
      }
      MapReader entry(value, fmt::format("{}.{}", key, name), diagnostics);
      each(name, entry, value);
      entry.finish();
    }
  }

  static bool valid_name(const std::string& name) {
    return !name.empty() && name.size() <= 40 && name.front() >= 'a' && name.front() <= 'z' &&
           name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
  }

  static bool is_integer(double value) { return std::nearbyint(value) == value; }

  // A list whose entries are mappings; null when there is none to read.
  const YamlNode* list_of(MapReader& map, std::string_view key) {
    const YamlNode* node = map.node(key);
    if (node == nullptr || node->is_null() || node->is_sequence()) return node;
    diagnostics.add(node->where,
                    fmt::format("{}: expected a list, found {}", key, node->kind_name()));
    return nullptr;
  }

  void read_dims(MapReader& map) {
    map.require("dims", "the symbols of its shapes");
    each_entry(map, "dims", [&](const std::string& name, MapReader& entry, const YamlNode&) {
      DimSpec dim;
      dim.name = name;
      entry.require("range", "the least and the most it may be");
      if (const YamlNode* range = entry.node("range")) {
        const bool pair = range->is_sequence() && range->items.size() == 2;
        const auto least = pair ? yaml_number(range->items[0]) : std::nullopt;
        const auto most = pair ? yaml_number(range->items[1]) : std::nullopt;
        if (!least || !most || !is_integer(*least) || !is_integer(*most) || *least < 0 ||
            *least > *most || *most > 0x1p40) {
          diagnostics.add(range->where, "expected [least, most], two integers from 0 up");
        } else {
          dim.least = static_cast<std::int64_t>(*least);
          dim.most = static_cast<std::int64_t>(*most);
        }
      }
      entry.require("typical", "what it is where nothing is said");
      dim.typical = entry.integer("typical").value_or(dim.least);
      dim.multiple_of = formula(entry, "multiple_of", 1);
      dim.at_most = formula(entry, "at_most", INT64_MAX);
      if (dim.typical < dim.least || dim.typical > dim.most) {
        diagnostics.add(entry.where("typical"), "it lies outside the range");
      }
      names_.insert(name);
      spec_.dims.push_back(std::move(dim));
    });
  }

  void read_attributes(MapReader& map) {
    each_entry(
        map, "attributes", [&](const std::string& name, MapReader& entry, const YamlNode& value) {
          AttributeSpec attribute;
          attribute.name = name;
          attribute.integer = entry.boolean("integer").value_or(false);
          entry.require("default", "its value where nothing is said");
          attribute.standard = entry.number("default", {-1e18, 1e18}).value_or(0);
          if (spec_.find_dim(name) != nullptr) {
            diagnostics.add(value.where, fmt::format("{} is a dim already", quote_input(name)));
          }
          if (const YamlNode* choices = list_of(entry, "choices")) {
            for (const YamlNode& item : choices->items) {
              const auto choice = yaml_number(item);
              if (!choice) diagnostics.add(item.where, "expected a number");
              attribute.choices.push_back(choice.value_or(0));
            }
          }
          const auto& all = attribute.choices;
          if (attribute.integer && !(is_integer(attribute.standard) &&
                                     std::all_of(all.begin(), all.end(), is_integer))) {
            diagnostics.add(value.where, fmt::format("{} is to be an integer", quote_input(name)));
          }
          if (std::find(all.begin(), all.end(), attribute.standard) == all.end()) {
            attribute.choices.push_back(attribute.standard);
          }
          if (attribute.integer) names_.insert(name);
          spec_.attributes.push_back(std::move(attribute));
        });
  }

  void read_tensors(MapReader& map, std::string_view key, std::vector<TensorSpec>& out,
                    bool output) {
    map.require(key, output ? "what it writes" : "what it reads");
    if (const YamlNode* node = map.node(key);
        node != nullptr && node->is_map() && node->entries.empty()) {
      diagnostics.add(node->where, fmt::format("{}: expected at least one tensor", key));
    }
    each_entry(map, key, [&](const std::string& name, MapReader& entry, const YamlNode&) {
      TensorSpec tensor;
      tensor.name = name;
      tensor.dtype = tensor_dtype(entry);
      entry.require("shape", "its dims, outermost first");
      if (const YamlNode* shape = entry.node("shape")) {
        for (const YamlNode& item : shape->items) {
          tensor.shape.push_back(formula(item, entry.path_of("shape")));
        }
        if (!shape->is_sequence() || shape->items.empty() || shape->items.size() > 6) {
          diagnostics.add(shape->where, "expected a list of one to six dims");
        }
      }
      tensor.strided = entry.boolean("strided").value_or(false);
      tensor.element_aligned = entry.boolean("element_aligned").value_or(false);
      tensor.inout = output && entry.boolean("inout").value_or(false);
      if (output) tensor.rule = read_word(entry, "rule", kRules, Rule::kBounded);
      if (!output || tensor.inout) read_fill(entry, tensor);
      if (spec_.find_input(name) != nullptr || spec_.find_output(name) != nullptr ||
          spec_.find_dim(name) != nullptr || spec_.find_attribute(name) != nullptr) {
        diagnostics.add(entry.where(""), fmt::format("{} is there twice", quote_input(name)));
      }
      out.push_back(std::move(tensor));
    });
  }

  void read_fill(MapReader& entry, TensorSpec& tensor) {
    tensor.fill = read_word(entry, "fill", kFills, Fill::kValues);
    tensor.below = formula(entry, "below", 1);
    tensor.around = entry.number("around", {1e-30, 1e30}).value_or(1);
    tensor.limit = entry.number("limit", {0, 1e39}).value_or(0);
    tensor.positive = entry.boolean("positive").value_or(false);
    tensor.is_static = entry.boolean("static").value_or(false);
    tensor.specials = entry.boolean("specials").value_or(true);
    if (entry.has("skip")) tensor.skip = entry.integer("skip", {-1e18, 1e18});
    const bool bounded = tensor.fill == Fill::kIndex || tensor.fill == Fill::kUnique ||
                         tensor.fill == Fill::kLength || tensor.fill == Fill::kOffsets;
    if (bounded) entry.require("below", "the bound of its integers");
  }

  void read_roundings(MapReader& map) {
    const YamlNode* node = map.node("roundings");
    if (node == nullptr) return;
    MapReader entries(*node, "roundings", diagnostics);
    for (const auto& entry : node->entries) {
      const std::string dtype = entries.text(entry.first).value_or("T");
      if (dtype != "T") (void)known_dtype(entries, entry.first, dtype);
      spec_.roundings.push_back({entry.first, dtype});
    }
    entries.finish();
  }

  void read_invariants(MapReader& map) {
    const YamlNode* node = list_of(map, "invariants");
    if (node == nullptr) return;
    for (const YamlNode& item : node->items) {
      MapReader entry(item, "invariants", diagnostics);
      Invariant invariant;
      entry.require("rule", "what holds");
      invariant.rule = read_word(entry, "rule", kInvariants, Invariant::Rule::kRowSum);
      invariant.name = required(entry, "name", "what holds, in words");
      invariant.output = required(entry, "output", "of which output");
      invariant.inputs = entry.text_list("inputs");
      invariant.value = entry.number("value", {-1e18, 1e18}).value_or(1);
      invariant.by = entry.number("by", {-1e18, 1e18}).value_or(1);
      invariant.low = entry.number("low", {-1e39, 1e39}).value_or(-1e39);
      invariant.high = entry.number("high", {-1e39, 1e39}).value_or(1e39);
      if (spec_.find_output(invariant.output) == nullptr) {
        diagnostics.add(entry.where("output"), "there is no such output");
      }
      for (const std::string& input : invariant.inputs) {
        const TensorSpec* output = spec_.find_output(input);
        if (spec_.find_input(input) == nullptr && (output == nullptr || !output->inout)) {
          diagnostics.add(entry.where("inputs"),
                          fmt::format("there is no input {}", quote_input(input)));
        }
      }
      const bool related = invariant.rule == Invariant::Rule::kScale ||
                           invariant.rule == Invariant::Rule::kPermuteRows;
      if (related && invariant.inputs.empty()) entry.require("inputs", "what is changed");
      entry.finish();
      spec_.invariants.push_back(std::move(invariant));
    }
  }

  void read_work(MapReader& map) {
    map.require("flops", "its floating-point operations, a formula");
    map.require("bytes", "the fewest bytes it moves, a formula");
    spec_.reduction = formula(map, "reduction", 1);
    spec_.flops = formula(map, "flops", 0);
    spec_.bytes = formula(map, "bytes", 0);
    // A case of a quarter million elements takes milliseconds, and forty of them a second or two.
    spec_.most_elements = map.integer("most_elements", {1, 1e9}).value_or(1 << 18);
    spec_.most_flops = map.integer("most_flops", {1, 1e12}).value_or(std::int64_t{1} << 28);
  }

  void read_smoke(MapReader& map) {
    map.require("smoke", "the shapes of the public cases");
    const YamlNode* node = list_of(map, "smoke");
    if (node == nullptr) return;
    if (node->items.empty()) diagnostics.add(node->where, "smoke: expected at least one shape");
    for (const YamlNode& item : node->items) {
      Symbols dims;
      MapReader entry(item, "smoke", diagnostics);
      for (const DimSpec& dim : spec_.dims) {
        const NumberRange range{static_cast<double>(dim.least), static_cast<double>(dim.most)};
        dims[dim.name] = entry.integer(dim.name, range).value_or(dim.typical);
      }
      entry.finish();
      spec_.smoke.push_back(std::move(dims));
    }
  }

  void read_baselines(MapReader& map) {
    const YamlNode* node = map.node("baselines");
    if (node == nullptr) return;
    MapReader entries(*node, "baselines", diagnostics);
    for (const auto& entry : node->entries) {
      spec_.baselines.emplace_back(entry.first, entries.text_list(entry.first));
    }
    entries.finish();
  }

  // Each formula must have a value where the operator is used as it is.
  void try_formulas(const std::string& file) {
    Symbols typical;
    for (const DimSpec& dim : spec_.dims) typical[dim.name] = dim.typical;
    for (const AttributeSpec& attribute : spec_.attributes) {
      if (attribute.integer) {
        typical[attribute.name] = static_cast<std::int64_t>(attribute.standard);
      }
    }
    typical["sizeof(T)"] = spec_.dtypes.empty() ? 4 : bytes_of(spec_.dtypes.front(), 1);
    const auto attempt = [&](const Expression& formula, std::int64_t least, std::string_view what) {
      const auto value = formula.evaluate(typical);
      if (value && *value >= least) return;
      const std::string wrong = value ? fmt::format("{} is {}", quote_input(formula.text()), *value)
                                      : value.error().diagnostics.front().message;
      diagnostics.add({file, 0, 0}, fmt::format("{}, at the typical shape: {}", what, wrong));
    };
    attempt(spec_.reduction, 1, "reduction");
    attempt(spec_.flops, 0, "flops");
    attempt(spec_.bytes, 0, "bytes");
    for (const DimSpec& dim : spec_.dims) {
      attempt(dim.multiple_of, 1, dim.name);
      attempt(dim.at_most, dim.least, dim.name);
    }
    for (const auto* tensors : {&spec_.inputs, &spec_.outputs}) {
      for (const TensorSpec& tensor : *tensors) {
        for (const Expression& formula : tensor.shape) attempt(formula, 0, tensor.name);
      }
    }
  }

  OperatorSpec& spec_;
  std::set<std::string> names_;
};

}  // namespace

std::string_view name_of(OperatorKind kind) { return kKinds[static_cast<std::size_t>(kind)].word; }
std::string_view name_of(Rule rule) { return kRules[static_cast<std::size_t>(rule)].word; }

namespace {

bool needs_judge(const OperatorSpec& spec) {
  return std::any_of(spec.outputs.begin(), spec.outputs.end(), [](const auto& output) {
    return output.rule == Rule::kSelection || output.rule == Rule::kSample ||
           output.rule == Rule::kCodes;
  });
}

void check_reference(const OperatorSpec& spec, const reference::Entry* reference,
                     Diagnostics& diagnostics) {
  const SourceLocation where{spec.file, 0, 0};
  if (reference == nullptr) {
    diagnostics.add(where, fmt::format("the operator {} has no reference", quote_input(spec.name)),
                    fmt::format("write kernels/reference/{}.cpp", spec.name));
  } else if (spec.name != reference->name) {
    diagnostics.add(where, fmt::format("its name is {}, that of its reference {}",
                                       quote_input(spec.name), reference->name));
  } else if (needs_judge(spec) && reference->judge == nullptr) {
    diagnostics.add(where, "an output's rule needs a judge, the reference has none",
                    "register it with TENSORPATH_REFERENCE_WITH_JUDGE");
  }
}

// What could be read of it; the mistakes go into `diagnostics`.
OperatorSpec read_document(const YamlNode& document, std::string_view yaml, const std::string& file,
                           Diagnostics& diagnostics) {
  OperatorSpec spec;
  spec.file = file;
  spec.definition = std::string(yaml);
  Reader reader(spec);
  reader.read(document);
  diagnostics = std::move(reader.diagnostics);
  return spec;
}

void bind(OperatorSpec& spec, const reference::Entry* reference, std::string_view source_digest) {
  spec.reference = reference;
  // Digests of one length each: where one part ends and the next begins is certain.
  spec.digest = sha256_hex(fmt::format("{}{}{}", sha256_hex(spec.definition), source_digest,
                                       reference_headers_digest()));
}

}  // namespace

Expected<OperatorSpec> parse_operator(std::string_view yaml, const std::string& file) {
  const auto document = parse_yaml(yaml, file);
  if (!document) return tl::unexpected(document.error());
  Diagnostics diagnostics;
  OperatorSpec spec = read_document(*document, yaml, file, diagnostics);
  if (!diagnostics.empty()) return tl::unexpected(diagnostics.to_error());
  return spec;
}

Status attach_reference(OperatorSpec& spec, const reference::Entry* reference,
                        std::string_view source_digest) {
  Diagnostics diagnostics;
  check_reference(spec, reference, diagnostics);
  if (!diagnostics.empty()) return tl::unexpected(diagnostics.to_error());
  bind(spec, reference, source_digest);
  return {};
}

Expected<OperatorSpec> read_operator(std::string_view yaml, const std::string& file,
                                     const reference::Entry* reference,
                                     std::string_view source_digest) {
  const auto document = parse_yaml(yaml, file);
  if (!document) return tl::unexpected(document.error());
  Diagnostics diagnostics;
  OperatorSpec spec = read_document(*document, yaml, file, diagnostics);
  check_reference(spec, reference, diagnostics);
  if (!diagnostics.empty()) return tl::unexpected(diagnostics.to_error());
  bind(spec, reference, source_digest);
  return spec;
}

}  // namespace tensorpath
