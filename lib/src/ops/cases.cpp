// Domains, and the cases drawn inside them.
#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include <tensorpath/ops/cases.h>

namespace tensorpath {
namespace {

// What a dim that is not fixed is drawn to be.
enum class Pick : std::uint8_t { kTypical, kOne, kPrime, kOffVector, kLarge, kRandom };
constexpr std::array<Pick, 6> kPicks = {Pick::kTypical,   Pick::kOne,   Pick::kPrime,
                                        Pick::kOffVector, Pick::kLarge, Pick::kRandom};
constexpr std::array<std::int64_t, 13> kPrimes = {2,   3,   7,    13,   31,   61,  127,
                                                  251, 509, 1021, 2039, 4093, 8191};
// Each regime must meet the one shape there is at least once, whatever it costs.
constexpr std::int64_t kMostWork = std::int64_t{1} << 34;  // flops of all cases of a list

Symbols with_attributes(const Domain& domain, Symbols symbols) {
  for (const auto& [name, value] : domain.attributes) {
    symbols[name] = static_cast<std::int64_t>(value);
  }
  symbols["sizeof(T)"] = bytes_of(domain.dtype, 1);
  return symbols;
}

std::int64_t log_uniform(Random& random, std::int64_t least, std::int64_t most) {
  const double low = std::log(static_cast<double>(std::max<std::int64_t>(least, 1)));
  const double high = std::log(static_cast<double>(std::max<std::int64_t>(most, 1)));
  return static_cast<std::int64_t>(std::llround(std::exp(low + (high - low) * random.uniform())));
}

std::int64_t picked(Pick pick, const DimSpec& spec, const DimRange& range, Random& random) {
  switch (pick) {
    case Pick::kTypical:
      return spec.typical;
    case Pick::kOne:
      return range.least;
    case Pick::kPrime:
      return kPrimes[static_cast<std::size_t>(random.between(0, kPrimes.size() - 1))];
    case Pick::kOffVector:
      return 8 * random.between(1, 128) + (random.chance(0.5) ? 1 : -1);
    case Pick::kLarge:
      return range.most;
    default:
      return log_uniform(random, range.least, std::min<std::int64_t>(range.most, 1 << 16));
  }
}

// The range of a dim once those before it are known; empty when nothing fits.
struct Bounds {
  std::int64_t least;
  std::int64_t most;
  std::int64_t multiple;
  [[nodiscard]] std::int64_t nearest(std::int64_t value) const {
    value = std::clamp(value, least, most) / multiple * multiple;
    return value < least ? value + multiple : value;
  }
  [[nodiscard]] bool holds(std::int64_t value) const {
    return value >= least && value <= most && value % multiple == 0;
  }
};

Expected<Bounds> bounds_of(const DimSpec& spec, const DimRange& range, const Symbols& symbols) {
  const auto multiple = spec.multiple_of.evaluate(symbols);
  const auto most = spec.at_most.evaluate(symbols);
  if (!multiple) return tl::unexpected(multiple.error());
  if (!most) return tl::unexpected(most.error());
  const Bounds bounds{range.least, std::min(range.most, *most),
                      std::max<std::int64_t>(*multiple, 1)};
  const std::int64_t nearest = bounds.least <= bounds.most ? bounds.nearest(bounds.least) : 0;
  if (bounds.least > bounds.most || !bounds.holds(nearest)) {
    return fail(ExitCode::kUsage,
                fmt::format("{} has no value between {} and {} that is a multiple of {}", spec.name,
                            range.least, std::min(range.most, *most), bounds.multiple));
  }
  return bounds;
}

std::int64_t work_of(const OperatorSpec& spec, const Domain& domain, const Symbols& dims) {
  return spec.flops.evaluate(with_attributes(domain, dims)).value_or(INT64_MAX);
}

std::int64_t largest_tensor(const OperatorSpec& spec, const Domain& domain, const Symbols& dims) {
  std::int64_t largest = 0;
  Case one;
  one.dims = dims;
  for (const auto* tensors : {&spec.inputs, &spec.outputs}) {
    for (const TensorSpec& tensor : *tensors) {
      const auto shaped = shape_tensor(spec, tensor, domain, one);
      largest = std::max(largest, shaped ? shaped->size : INT64_MAX);
    }
  }
  return largest;
}

bool fits(const OperatorSpec& spec, const Domain& domain, const Symbols& dims) {
  return work_of(spec, domain, dims) <= spec.most_flops &&
         largest_tensor(spec, domain, dims) <= spec.most_elements;
}

// Draws dims one after the other; `cap` bounds those that are free.
Expected<Symbols> draw_dims(const OperatorSpec& spec, const Domain& domain,
                            const std::vector<Pick>& picks, std::int64_t cap, Random& random) {
  Symbols symbols = with_attributes(domain, {});
  Symbols dims;
  for (std::size_t i = 0; i < spec.dims.size(); ++i) {
    DimRange range = domain.dims[i];
    if (!range.fixed()) range.most = std::max(range.least, std::min(range.most, cap));
    auto bounds = bounds_of(spec.dims[i], range, symbols);
    // The cap may leave no multiple; the constraint matters more.
    if (!bounds) bounds = bounds_of(spec.dims[i], domain.dims[i], symbols);
    if (!bounds) return tl::unexpected(bounds.error());
    const std::int64_t value = bounds->nearest(
        range.fixed() ? range.least : picked(picks[i % picks.size()], spec.dims[i], range, random));
    dims[spec.dims[i].name] = value;
    symbols[spec.dims[i].name] = value;
  }
  return dims;
}

// Shrinks the free dims until the case is small enough to check forty of.
Expected<Symbols> draw_small_enough(const OperatorSpec& spec, const Domain& domain,
                                    const std::vector<Pick>& picks, Random& random) {
  for (std::int64_t cap = std::int64_t{1} << 30;; cap /= 2) {
    auto dims = draw_dims(spec, domain, picks, cap, random);
    if (!dims || cap <= 1 || fits(spec, domain, *dims)) return dims;
  }
}

std::vector<Regime> regimes_of(const OperatorSpec& spec) {
  std::vector<Regime> regimes;
  const std::vector<std::string> names = regime_names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::find(spec.regimes.begin(), spec.regimes.end(), names[i]) != spec.regimes.end()) {
      regimes.push_back(static_cast<Regime>(i));
    }
  }
  return regimes;
}

Status check_attributes(const OperatorSpec& spec,
                        const std::vector<std::pair<std::string, double>>& given) {
  for (const auto& [name, value] : given) {
    const AttributeSpec* attribute = spec.find_attribute(name);
    if (attribute == nullptr) {
      std::vector<std::string> names;
      for (const AttributeSpec& known : spec.attributes) names.push_back(known.name);
      return fail(ExitCode::kUsage,
                  fmt::format("{} has no attribute {}", spec.name, quote_input(name)),
                  suggestion(name, names));
    }
    const auto& choices = attribute->choices;
    if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
      return fail(ExitCode::kUsage, fmt::format("{}: {} cannot be {}", spec.name, name, value),
                  fmt::format("one of: {}", fmt::join(choices, ", ")));
    }
  }
  return {};
}

Status check_dims(const OperatorSpec& spec, const std::vector<DimRange>& given) {
  std::set<std::string_view> seen;
  for (const DimRange& range : given) {
    const DimSpec* dim = spec.find_dim(range.name);
    if (dim == nullptr) {
      std::vector<std::string> names;
      for (const DimSpec& known : spec.dims) names.push_back(known.name);
      return fail(ExitCode::kUsage,
                  fmt::format("{} has no dim {}", spec.name, quote_input(range.name)),
                  suggestion(range.name, names));
    }
    if (!seen.insert(range.name).second) {
      return fail(ExitCode::kUsage, fmt::format("{}: {} is given twice", spec.name, range.name));
    }
    if (range.least > range.most) {
      return fail(ExitCode::kUsage,
                  fmt::format("{}: {} from {} to {} is no range", spec.name, range.name,
                              range.least, range.most),
                  "the smaller number comes first");
    }
    if (range.least < dim->least || range.most > dim->most) {
      return fail(ExitCode::kUsage, fmt::format("{}: {} must lie between {} and {}", spec.name,
                                                range.name, dim->least, dim->most));
    }
  }
  return {};
}

// Whether the dims that are fixed can be what they are fixed to, given those above them.
Status check_multiples(const OperatorSpec& spec, const Domain& domain) {
  Random random(Key{});
  const auto probe = draw_dims(spec, domain, {Pick::kTypical}, std::int64_t{1} << 40, random);
  if (!probe) return tl::unexpected(probe.error());
  for (std::size_t i = 0; i < domain.dims.size(); ++i) {
    const DimRange& range = domain.dims[i];
    if (range.fixed() && probe->find(range.name)->second != range.least) {
      return fail(ExitCode::kUsage,
                  fmt::format("{}: {} = {} is not a multiple of {}", spec.name, range.name,
                              range.least, spec.dims[i].multiple_of.text()));
    }
  }
  return {};
}

// A shape of a real run becomes a case as it is: it has every dim, and lies inside the domain.
Status complete_shape(const OperatorSpec& spec, const Domain& domain, WeightedShape& shape) {
  std::vector<DimRange> given;
  for (const auto& [name, value] : shape.dims) given.push_back({name, value, value});
  if (Status checked = check_dims(spec, given); !checked) return checked;
  Domain only = domain;
  only.shapes.clear();
  for (DimRange& range : only.dims) {
    const auto found = shape.dims.find(range.name);
    if (found == shape.dims.end()) {
      if (!range.fixed()) {
        return fail(ExitCode::kUsage, fmt::format("{}: a shape has no {}", spec.name, range.name),
                    "every shape names each dim that is not fixed");
      }
      shape.dims[range.name] = range.least;
      continue;
    }
    if (found->second < range.least || found->second > range.most) {
      return fail(ExitCode::kUsage,
                  fmt::format("{}: a shape has {} = {}, and the task is about {} to {}", spec.name,
                              range.name, found->second, range.least, range.most));
    }
    range.least = range.most = found->second;
  }
  return check_multiples(spec, only);
}

Case make_case(const Key& seed, int number, Symbols dims, Regime regime) {
  Case one;
  one.id = number;
  one.dims = std::move(dims);
  one.regime = regime;
  one.key = derive_key(seed, fmt::format("case {}", number));
  Random random(derive_key(one.key, "layout"));
  one.strided = random.chance(0.5);
  one.offset = random.chance(0.5);
  one.zipf = random.chance(0.5);
  return one;
}

}  // namespace

Expected<Domain> make_domain(const OperatorSpec& spec, DType dtype,
                             const std::vector<DimRange>& given,
                             const std::vector<std::pair<std::string, double>>& attributes,
                             std::vector<WeightedShape> shapes) {
  if (std::find(spec.dtypes.begin(), spec.dtypes.end(), dtype) == spec.dtypes.end()) {
    std::vector<std::string> names;
    for (const DType known : spec.dtypes) names.emplace_back(name_of(known));
    return fail(ExitCode::kUsage, fmt::format("{} is not defined in {}", spec.name, name_of(dtype)),
                fmt::format("one of: {}", fmt::join(names, ", ")));
  }
  if (const Status checked = check_dims(spec, given); !checked) {
    return tl::unexpected(checked.error());
  }
  if (const Status checked = check_attributes(spec, attributes); !checked) {
    return tl::unexpected(checked.error());
  }
  Domain domain;
  domain.dtype = dtype;
  for (const DimSpec& dim : spec.dims) {
    const auto found = std::find_if(given.begin(), given.end(),
                                    [&](const DimRange& range) { return range.name == dim.name; });
    domain.dims.push_back(found != given.end() ? *found
                                               : DimRange{dim.name, dim.typical, dim.typical});
  }
  for (const AttributeSpec& attribute : spec.attributes) {
    const auto found = std::find_if(attributes.begin(), attributes.end(), [&](const auto& entry) {
      return entry.first == attribute.name;
    });
    domain.attributes.emplace_back(attribute.name,
                                   found != attributes.end() ? found->second : attribute.standard);
  }
  if (const Status checked = check_multiples(spec, domain); !checked) {
    return tl::unexpected(checked.error());
  }
  for (WeightedShape& shape : shapes) {
    if (const Status checked = complete_shape(spec, domain, shape); !checked) {
      return tl::unexpected(checked.error());
    }
  }
  domain.shapes = std::move(shapes);
  return domain;
}

Symbols symbols_of(const OperatorSpec& spec, const Domain& domain, const Case& one) {
  Symbols symbols = with_attributes(domain, one.dims);
  for (const auto* tensors : {&spec.inputs, &spec.outputs}) {
    for (const TensorSpec& tensor : *tensors) {
      if (!tensor.strided) continue;
      const auto shaped = shape_tensor(spec, tensor, domain, one);
      if (shaped) symbols[tensor.name + "_stride"] = shaped->pitch;
    }
  }
  return symbols;
}

Expected<std::vector<Case>> draw_cases(const OperatorSpec& spec, const Domain& domain,
                                       const Key& seed, int count) {
  Random random(derive_key(seed, "shapes"));
  const std::vector<Regime> regimes = regimes_of(spec);
  std::vector<Case> cases;
  const auto add = [&](Symbols dims, Regime regime) {
    cases.push_back(make_case(seed, static_cast<int>(cases.size()) + 1, std::move(dims), regime));
  };
  for (const WeightedShape& shape : domain.shapes) add(shape.dims, Regime::kNormal);
  std::int64_t work = 0;
  for (int i = 0; i < count || i < static_cast<int>(regimes.size()); ++i) {
    const auto round = static_cast<std::size_t>(i) / regimes.size();
    std::vector<Pick> picks;
    for (std::size_t d = 0; d < spec.dims.size(); ++d) {
      // The first rounds walk the picks together, later ones mix them.
      const std::size_t turn = round < 3 ? static_cast<std::size_t>(i) + round
                                         : static_cast<std::size_t>(random.between(0, 5));
      picks.push_back(kPicks[turn % kPicks.size()]);
    }
    auto dims = draw_small_enough(spec, domain, picks, random);
    if (!dims) return tl::unexpected(dims.error());
    const std::int64_t cost = work_of(spec, domain, *dims);
    if (round > 0 && work > kMostWork - std::min(cost, kMostWork)) break;
    work += std::min(cost, kMostWork);
    add(std::move(*dims), regimes[static_cast<std::size_t>(i) % regimes.size()]);
  }
  // The order tells nothing either.
  for (std::size_t i = cases.size(); i > 1; --i) {
    std::swap(cases[i - 1],
              cases[static_cast<std::size_t>(random.between(0, static_cast<std::int64_t>(i) - 1))]);
  }
  return cases;
}

Expected<std::vector<WeightedShape>> timed_shapes(const OperatorSpec& spec, const Domain& domain) {
  if (!domain.shapes.empty()) return domain.shapes;
  std::vector<WeightedShape> shapes;
  Random random(Key{});  // none of these picks draws
  for (const Pick pick : {Pick::kOne, Pick::kTypical, Pick::kLarge}) {
    auto dims = draw_small_enough(spec, domain, {pick}, random);
    if (!dims) return tl::unexpected(dims.error());
    const bool there = std::any_of(shapes.begin(), shapes.end(),
                                   [&](const WeightedShape& shape) { return shape.dims == *dims; });
    if (!there) shapes.push_back({std::move(*dims), 1});
  }
  return shapes;
}

Expected<std::vector<Case>> smoke_cases(const OperatorSpec& spec, const Domain& domain) {
  const Key key = derive_key(Key{}, "public cases of " + spec.name);
  constexpr std::array<Regime, 3> kPublic = {Regime::kNormal, Regime::kProbe, Regime::kOffset};
  const std::vector<Regime> regimes = regimes_of(spec);
  std::vector<Case> cases;
  for (const Symbols& shape : spec.smoke) {
    Symbols symbols = with_attributes(domain, {});
    Symbols dims;
    for (std::size_t i = 0; i < spec.dims.size(); ++i) {
      const auto bounds = bounds_of(spec.dims[i], domain.dims[i], symbols);
      if (!bounds) return tl::unexpected(bounds.error());
      const std::string& name = spec.dims[i].name;
      dims[name] = bounds->nearest(shape.find(name)->second);
      symbols[name] = dims[name];
    }
    const Regime wanted = kPublic[cases.size() % kPublic.size()];
    const bool known = std::find(regimes.begin(), regimes.end(), wanted) != regimes.end();
    cases.push_back(make_case(key, static_cast<int>(cases.size()) + 1, std::move(dims),
                              known ? wanted : regimes.front()));
  }
  return cases;
}

Json to_json(const std::vector<Case>& cases) {
  Json list = Json::array();
  for (const Case& one : cases) {
    Json dims = Json::object();
    for (const auto& [name, value] : one.dims) dims[name] = value;
    list.push_back({{"id", one.id},
                    {"dims", dims},
                    {"regime", name_of(one.regime)},
                    {"strided", one.strided},
                    {"offset", one.offset},
                    {"zipf", one.zipf},
                    {"key", to_hex(one.key)}});
  }
  return list;
}

}  // namespace tensorpath
