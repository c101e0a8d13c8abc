// Tensors of a case: their shapes and layouts, and their contents from the case's key.
#include "regime.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include <tensorpath/base/parallel.h>
#include <tensorpath/ops/cases.h>

namespace tensorpath {
namespace {

// Vector loads of 16 bytes stay aligned from row to row where the tensor is not element-aligned.
constexpr std::int64_t kAlignment = 16;
// More than any case needs; a formula gone wrong asks for more.
constexpr std::int64_t kMostElements = std::int64_t{1} << 32;

// Padding that is read by mistake poisons the result: all ones is NaN in every floating type.
constexpr unsigned char kPadding = 0xFF;

void set_layout(const TensorSpec& spec, const Case& one, TensorData& tensor) {
  tensor.pitch = tensor.columns;
  const int bits = bits_of(tensor.dtype);
  if (bits < 8) return;
  const std::int64_t per_vector = kAlignment * 8 / bits;
  Random random(derive_key(one.key, "layout " + tensor.name));
  if (spec.strided && one.strided) {
    tensor.pitch = spec.element_aligned
                       ? tensor.columns + random.between(1, 31)
                       : (tensor.columns + per_vector - 1) / per_vector * per_vector +
                             per_vector * random.between(1, 4);
  }
  if (spec.element_aligned && one.offset && per_vector > 1) {
    tensor.offset_elements = random.between(1, per_vector - 1);
  }
}

std::int64_t power_law(Random& random, std::int64_t below) {
  const double rank = std::exp(random.uniform() * std::log(static_cast<double>(below) + 1)) - 1;
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(rank), 0, below - 1);
}

void fill_unique(Random& random, std::int64_t below, std::vector<double>& values) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(below));
  std::iota(all.begin(), all.end(), 0);
  for (std::size_t i = 0; i < values.size() && i < all.size(); ++i) {
    std::swap(
        all[i],
        all[static_cast<std::size_t>(random.between(static_cast<std::int64_t>(i), below - 1))]);
    values[i] = static_cast<double>(all[i]);
  }
}

// The extremes are there whenever there is room: one of length 1, one of the full length.
void fill_lengths(Random& random, std::int64_t below, std::vector<double>& values) {
  for (double& value : values) value = static_cast<double>(random.between(1, below));
  values.front() = static_cast<double>(below);
  if (values.size() > 2) values[values.size() / 2] = 1;
}

void fill_offsets(Random& random, std::int64_t below, std::vector<double>& values) {
  for (double& value : values) value = static_cast<double>(random.between(0, below));
  std::sort(values.begin(), values.end());
  // An empty group among them, and the whole range covered.
  if (values.size() > 3) values[2] = values[1];
  values.front() = 0;
  values.back() = static_cast<double>(below);
}

void fill_probabilities(Random& random, std::int64_t columns, std::vector<double>& values) {
  for (std::size_t row = 0; row < values.size(); row += static_cast<std::size_t>(columns)) {
    double sum = 0;
    for (std::int64_t i = 0; i < columns; ++i) {
      double& value = values[row + static_cast<std::size_t>(i)];
      value = std::exp(2 * random.normal());
      sum += value;
    }
    for (std::int64_t i = 0; i < columns; ++i) values[row + static_cast<std::size_t>(i)] /= sum;
  }
}

void fill_weights(Random& random, Regime regime, std::vector<double>& values) {
  for (double& value : values) {
    value = regime == Regime::kProbe ? static_cast<double>(random.between(2, 3))
                                     : 1.25 + 0.25 * random.normal();
  }
}

// Finite patterns only: an operator with a special rule for others says so by kValues.
std::vector<std::uint64_t> random_bits(Random& random, DType dtype, std::int64_t size) {
  const int width = bits_of(dtype);
  std::vector<std::uint64_t> bits(static_cast<std::size_t>(size));
  for (std::uint64_t& word : bits) {
    do {
      word = width == 64 ? random.bits() : random.bits() & ((1ULL << width) - 1);
    } while (!std::isfinite(decode(dtype, word)));
  }
  return bits;
}

struct Filling {
  const OperatorSpec& spec;
  const TensorSpec& tensor_spec;
  const Case& one;
  std::int64_t below;
  std::int64_t reduction;
  bool wide;
};

std::vector<double> draw(const Filling& filling, const TensorData& tensor, const Key& key) {
  Random random(key);
  const TensorSpec& spec = filling.tensor_spec;
  std::vector<double> values(static_cast<std::size_t>(tensor.size));
  if (values.empty()) return values;
  const std::int64_t below = filling.below;
  switch (spec.fill) {
    case Fill::kWeight:
      fill_weights(random, filling.one.regime, values);
      break;
    case Fill::kIndex:
      for (double& value : values) {
        value = static_cast<double>(filling.one.zipf ? power_law(random, below)
                                                     : random.between(0, below - 1));
      }
      break;
    case Fill::kUnique:
      fill_unique(random, below, values);
      break;
    case Fill::kLength:
      fill_lengths(random, below, values);
      break;
    case Fill::kOffsets:
      fill_offsets(random, below, values);
      break;
    case Fill::kUniform:
      for (double& value : values) value = random.uniform();
      break;
    case Fill::kProbability:
      fill_probabilities(random, tensor.columns, values);
      break;
    case Fill::kScale:
      for (double& value : values) value = spec.around * std::exp2(6 * random.uniform() - 3);
      break;
    default: {
      // The regimes take turns, so that this counts the cases of one.
      const auto turn =
          filling.one.id / std::max<std::int64_t>(std::ssize(filling.spec.regimes), 1);
      Drawing drawing{filling.one.regime, tensor.dtype, spec.limit,
                      filling.reduction,  filling.wide, turn};
      if (!spec.specials && drawing.regime == Regime::kSpecial) drawing.regime = Regime::kNormal;
      draw_values(drawing, key, tensor.columns, values);
      if (spec.positive) {
        for (double& value : values) value = std::fabs(value);
      }
    }
  }
  if (spec.skip) {
    for (double& value : values) {
      if (random.chance(0.125)) value = static_cast<double>(*spec.skip);
    }
  }
  return values;
}

// Every row, on all processors; one after the other where two rows may share a byte.
template <typename Body>
void for_rows(const TensorData& tensor, Body body) {
  const std::int64_t step =
      bits_of(tensor.dtype) < 8
          ? tensor.rows
          : std::max<std::int64_t>(kPart / std::max<std::int64_t>(tensor.columns, 1), 1);
  if (tensor.rows == 0) return;
  parallel_for((tensor.rows + step - 1) / step, [&](std::int64_t part) {
    const std::int64_t end = std::min(tensor.rows, (part + 1) * step);
    for (std::int64_t row = part * step; row < end; ++row) body(row);
  });
}

void store_values(TensorData& tensor, std::vector<double>& values) {
  const double largest = largest_finite(tensor.dtype);
  for_rows(tensor, [&](std::int64_t row) {
    double* const from = values.data() + row * tensor.columns;
    for (std::int64_t i = 0; i < tensor.columns; ++i) {
      // A draw near the largest number must not round up to infinity.
      if (std::isfinite(from[i])) from[i] = std::clamp(from[i], -largest, largest);
    }
    const std::int64_t first = row * tensor.pitch;
    if (bits_of(tensor.dtype) >= 8) {
      encode_all(tensor.dtype, from, tensor.columns,
                 tensor.storage.data() + bytes_of(tensor.dtype, first));
      return;
    }
    for (std::int64_t i = 0; i < tensor.columns; ++i) {
      store_bits(tensor.dtype, tensor.storage.data(), first + i, encode(tensor.dtype, from[i]));
    }
  });
}

void fill(const Filling& filling, TensorData& tensor) {
  const Key key = derive_key(filling.one.key, "contents " + tensor.name);
  tensor.storage.assign(static_cast<std::size_t>(bytes_of(tensor.dtype, tensor.storage_elements())),
                        kPadding);
  if (filling.tensor_spec.fill == Fill::kBits) {
    Random random(key);
    const std::vector<std::uint64_t> bits = random_bits(random, tensor.dtype, tensor.size);
    for (std::int64_t i = 0; i < tensor.size; ++i) {
      store_bits(tensor.dtype, tensor.storage.data(), tensor.place_of(i),
                 bits[static_cast<std::size_t>(i)]);
    }
  } else {
    std::vector<double> values = draw(filling, tensor, key);
    store_values(tensor, values);
  }
  read_storage(tensor);
}

}  // namespace

Expected<TensorData> shape_tensor(const OperatorSpec& spec, const TensorSpec& tensor_spec,
                                  const Domain& domain, const Case& one) {
  TensorData tensor;
  tensor.name = tensor_spec.name;
  tensor.dtype = spec.dtype_of(tensor_spec, domain.dtype);
  Symbols symbols = one.dims;
  symbols["sizeof(T)"] = bytes_of(domain.dtype, 1);
  for (const auto& [name, value] : domain.attributes) {
    symbols[name] = static_cast<std::int64_t>(value);
  }
  for (const Expression& formula : tensor_spec.shape) {
    const auto dim = formula.evaluate(symbols);
    if (!dim) return tl::unexpected(dim.error());
    if (*dim < 0 || *dim > kMostElements ||
        tensor.size > kMostElements / std::max<std::int64_t>(*dim, 1)) {
      return fail(ExitCode::kUsage, fmt::format("{}.{}: a dim of {} elements is out of range",
                                                spec.name, tensor.name, *dim));
    }
    tensor.shape.push_back(*dim);
    tensor.size *= *dim;
  }
  tensor.columns = tensor.shape.back();
  tensor.rows = tensor.columns == 0 ? 0 : tensor.size / tensor.columns;
  set_layout(tensor_spec, one, tensor);
  return tensor;
}

Expected<CaseData> materialise(const OperatorSpec& spec, const Domain& domain, const Case& one) {
  CaseData data;
  Symbols symbols = one.dims;
  for (const auto& [name, value] : domain.attributes) {
    symbols[name] = static_cast<std::int64_t>(value);
  }
  const std::int64_t reduction = spec.reduction.evaluate(symbols).value_or(1);
  bool wide = one.id % 2 == 0;
  const auto make = [&](const TensorSpec& tensor_spec, bool filled) -> Expected<TensorData> {
    auto tensor = shape_tensor(spec, tensor_spec, domain, one);
    if (!tensor || !filled) return tensor;
    const auto below = tensor_spec.below.evaluate(symbols);
    if (!below) return tl::unexpected(below.error());
    fill({spec, tensor_spec, one, std::max<std::int64_t>(*below, 1),
          std::max<std::int64_t>(reduction, 1), wide},
         *tensor);
    if (tensor_spec.fill == Fill::kValues) wide = !wide;
    return tensor;
  };
  for (const TensorSpec& input : spec.inputs) {
    auto tensor = make(input, true);
    if (!tensor) return tl::unexpected(tensor.error());
    data.inputs.push_back(std::move(*tensor));
  }
  for (const TensorSpec& output : spec.outputs) {
    auto tensor = make(output, output.inout);
    if (!tensor) return tl::unexpected(tensor.error());
    data.outputs.push_back(std::move(*tensor));
  }
  return data;
}

void read_storage(TensorData& tensor) {
  tensor.values.resize(static_cast<std::size_t>(tensor.size));
  tensor.bits.resize(static_cast<std::size_t>(tensor.size));
  for_rows(tensor, [&](std::int64_t row) {
    const std::int64_t first = row * tensor.columns;
    std::uint64_t* const bits = tensor.bits.data() + first;
    double* const values = tensor.values.data() + first;
    for (std::int64_t i = 0; i < tensor.columns; ++i) {
      bits[i] = load_bits(tensor.dtype, tensor.storage.data(), row * tensor.pitch + i);
    }
    if (bits_of(tensor.dtype) >= 8) {
      decode_all(tensor.dtype, tensor.storage.data() + bytes_of(tensor.dtype, row * tensor.pitch),
                 tensor.columns, values);
      return;
    }
    for (std::int64_t i = 0; i < tensor.columns; ++i) values[i] = decode(tensor.dtype, bits[i]);
  });
}

}  // namespace tensorpath
