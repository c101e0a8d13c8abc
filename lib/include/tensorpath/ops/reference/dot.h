// Inner products: of matrix products, convolutions, attention scores.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include <tensorpath/ops/reference/sum.h>

namespace tensorpath::reference {

// Sums of the products x[i] y[i] and of their magnitudes.
struct Products {
  double value = 0;
  double magnitude = 0;
};

// In sixteen lanes, so that every machine gives the same bits.
[[gnu::always_inline]] inline Products add_products(const double* x, const double* y,
                                                    std::int64_t n) {
  using Numbers __attribute__((vector_size(32))) = double;
  using Words __attribute__((vector_size(32))) = std::int64_t;
  constexpr std::int64_t kWidth = 4;
  constexpr std::int64_t kVectors = 4;
  constexpr std::int64_t kLanes = kWidth * kVectors;
  const Words no_sign = Words{} + INT64_MAX;
  Numbers values[kVectors] = {};
  Numbers magnitudes[kVectors] = {};
  const std::int64_t whole = n - n % kLanes;
  for (std::int64_t i = 0; i < whole; i += kLanes) {
#pragma GCC unroll 4
    for (std::int64_t k = 0; k < kVectors; ++k) {
      Numbers a;
      Numbers b;
      std::memcpy(&a, x + i + k * kWidth, sizeof a);
      std::memcpy(&b, y + i + k * kWidth, sizeof b);
      const Numbers product = a * b;
      values[k] += product;
      magnitudes[k] += (Numbers)((Words)product & no_sign);
    }
  }
  Products sums;
  for (std::int64_t k = 0; k < kVectors; ++k) {
    for (std::int64_t lane = 0; lane < kWidth; ++lane) {
      sums.value += values[k][lane];
      sums.magnitude += magnitudes[k][lane];
    }
  }
  for (std::int64_t i = whole; i < n; ++i) {
    sums.value += x[i] * y[i];
    sums.magnitude += std::fabs(x[i] * y[i]);
  }
  return sums;
}
#if defined(__x86_64__)
__attribute__((target("avx2"))) inline Products add_products_avx2(const double* x, const double* y,
                                                                  std::int64_t n) {
  return add_products(x, y, n);
}
#endif
inline Products products_of(const double* x, const double* y, std::int64_t n) {
#if defined(__x86_64__)
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  if (has_avx2) return add_products_avx2(x, y, n);
#endif
  return add_products(x, y, n);
}

// Then every partial sum is an integer, and small ones are exact.
inline bool are_integers(const double* x, const double* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    if (x[i] * y[i] != std::nearbyint(x[i] * y[i])) return false;
  }
  return true;
}

// The columns of a row-major matrix of `rows` rows, one after the other, for dot().
class Columns {
 public:
  Columns(const Call& call, const Tensor& matrix, std::int64_t rows, std::int64_t columns)
      : values_(static_cast<std::size_t>(rows * columns)), shape_{columns, rows} {
    constexpr std::int64_t kBlock = 16;
    call.for_each((columns + kBlock - 1) / kBlock, [&](std::int64_t block) {
      const std::int64_t end = std::min(columns, (block + 1) * kBlock);
      for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t column = block * kBlock; column < end; ++column) {
          values_[static_cast<std::size_t>(column * rows + row)] = matrix[row * columns + column];
        }
      }
    });
    tensor_ = {matrix.name, values_.data(), nullptr, rows * columns, shape_, 2};
  }
  Columns(const Columns&) = delete;
  Columns& operator=(const Columns&) = delete;
  [[nodiscard]] const Tensor& tensor() const { return tensor_; }

 private:
  std::vector<double> values_;
  std::int64_t shape_[2];
  Tensor tensor_{};
};

// Sum over i < n of a[i] * b[i], from the given first elements on: what matrix products are made
// of, and fast. A bias is one term more: it may be what the sum starts from as well as what is
// added last.
template <typename Number>
Number dot(const Call& call, const Tensor& a, std::int64_t begin_a, const Tensor& b,
           std::int64_t begin_b, std::int64_t n, const Number* bias = nullptr) {
  Sum<Number> sum(call);
  for (std::int64_t i = 0; i < n; ++i) {
    sum.add(a.at<Number>(begin_a + i) * b.at<Number>(begin_b + i));
  }
  if (bias != nullptr) sum.add(*bias);
  return sum.total();
}
template <>
inline Exact dot<Exact>(const Call& call, const Tensor& a, std::int64_t begin_a, const Tensor& b,
                        std::int64_t begin_b, std::int64_t n, const Exact* bias) {
  const double* x = a.values + begin_a;
  const double* y = b.values + begin_b;
  const double start = bias != nullptr ? bias->value : 0;
  const Products products = products_of(x, y, n);
  const double value = start + products.value;
  const double magnitude = std::fabs(start) + products.magnitude;
  if (!std::isfinite(value)) return {value, 0};
  if (magnitude > kLargest) {
    return unpromised(value, is_near(value, magnitude - std::fabs(value)));
  }
  if (magnitude <= 1 / call.accumulate_unit && start == std::nearbyint(start) &&
      are_integers(x, y, n)) {
    return {value, 0};
  }
  const std::int64_t terms = bias != nullptr ? n + 1 : n;
  return {value, (call.accumulate_unit * sum_growth(terms) + kUnit) * magnitude +
                     static_cast<double>(terms) * kSmallestNormal +
                     (bias != nullptr ? bias->error : 0)};
}

}  // namespace tensorpath::reference
