// The bound of matmul holds wherever a kernel adds the bias, where a large term comes first, and
// where an activation follows a sum so large that its rounding errors decide its sign.
#include "catch.h"

#include <cmath>

#include <tensorpath/ops.h>

using namespace tensorpath;

namespace {

constexpr std::int64_t kRows = 4;
constexpr std::int64_t kColumns = 32;
constexpr std::int64_t kTerms = 64;

struct Trial {
  OperatorSpec spec;
  Domain domain;
  Case one;
  CaseData data;
  Truth truth;
};

// Biases a thousand times larger than the products beside them.
Trial trial_with_large_biases() {
  const auto operators = Operators::load({TENSORPATH_SOURCE_DIR "/kernels/ops"}).value();
  Trial trial;
  trial.spec = **operators.find("matmul");
  trial.domain =
      make_domain(trial.spec, DType::kFp32, {}, {{"bias", 1}, {"activation", 0}}).value();
  trial.one.dims = {{"m", kRows}, {"n", kColumns}, {"k", kTerms}};
  trial.data = materialise(trial.spec, trial.domain, trial.one).value();
  for (double& bias : trial.data.inputs[2].values) {
    bias = static_cast<double>(static_cast<float>(1500 + bias));
  }
  trial.truth = compute_truth(trial.spec, trial.domain, trial.one, trial.data).value();
  return trial;
}

// Elements refused of a kernel that keeps its sums in fp32.
std::int64_t refused(const Trial& trial, bool biased, bool bias_first) {
  const auto input = [&](std::size_t tensor, std::int64_t i) {
    return static_cast<float>(trial.data.inputs[tensor].values[static_cast<std::size_t>(i)]);
  };
  std::vector<TensorData> written = trial.data.outputs;
  TensorData& y = written.front();
  y.storage.resize(static_cast<std::size_t>(bytes_of(DType::kFp32, y.storage_elements())));
  for (std::int64_t i = 0; i < kRows; ++i) {
    for (std::int64_t j = 0; j < kColumns; ++j) {
      float sum = biased && bias_first ? input(2, j) : 0;
      for (std::int64_t p = 0; p < kTerms; ++p) {
        sum += input(0, i * kTerms + p) * input(1, p * kColumns + j);
      }
      if (biased && !bias_first) sum += input(2, j);
      store_bits(DType::kFp32, y.storage.data(), i * y.pitch + j,
                 encode(DType::kFp32, static_cast<double>(sum)));
    }
  }
  read_storage(y);
  return compare(trial.spec, trial.domain, trial.one, trial.data, trial.truth, written)->wrong;
}

// Products of 1e30 that cancel but for the last one, and an activation of their sum.
Trial trial_of_huge_products(double activation, double last) {
  const auto operators = Operators::load({TENSORPATH_SOURCE_DIR "/kernels/ops"}).value();
  Trial trial;
  trial.spec = **operators.find("matmul");
  trial.domain =
      make_domain(trial.spec, DType::kFp32, {}, {{"bias", 0}, {"activation", activation}}).value();
  trial.one.dims = {{"m", 1}, {"n", 1}, {"k", kTerms}};
  trial.data = materialise(trial.spec, trial.domain, trial.one).value();
  for (std::size_t p = 0; p < kTerms; ++p) {
    trial.data.inputs[0].values[p] = p + 2 < kTerms ? 1e15 : 0;
    trial.data.inputs[1].values[p] = p % 2 == 0 ? 1e15 : -1e15;
  }
  trial.data.inputs[0].values.back() = last;
  trial.truth = compute_truth(trial.spec, trial.domain, trial.one, trial.data).value();
  return trial;
}

bool accepts(const Trial& trial, double y) {
  std::vector<TensorData> written = trial.data.outputs;
  written.front().storage.resize(4);
  store_bits(DType::kFp32, written.front().storage.data(), 0, encode(DType::kFp32, y));
  read_storage(written.front());
  return compare(trial.spec, trial.domain, trial.one, trial.data, trial.truth, written)->passed();
}

}  // namespace

TEST_CASE("sums may start from the bias or end with it") {
  const Trial trial = trial_with_large_biases();
  CHECK(refused(trial, true, true) == 0);
  CHECK(refused(trial, true, false) == 0);
}

TEST_CASE("a large first term, just above a power of two, is no reason to refuse a plain sum") {
  // Thousands of such sums: a bound of three standard deviations refuses some of them.
  Trial trial = trial_with_large_biases();
  trial.domain =
      make_domain(trial.spec, DType::kFp32, {}, {{"bias", 0}, {"activation", 0}}).value();
  Random random(Key{5});
  std::int64_t wrong = 0;
  for (int round = 0; round < 200; ++round) {
    for (double& a : trial.data.inputs[0].values) a = static_cast<float>(random.normal());
    for (double& b : trial.data.inputs[1].values) b = static_cast<float>(random.normal());
    for (std::int64_t i = 0; i < kRows; ++i) {
      trial.data.inputs[0].values[static_cast<std::size_t>(i * kTerms)] = 1024;
    }
    for (std::size_t j = 0; j < kColumns; ++j) trial.data.inputs[1].values[j] = 1.0625;
    trial.truth = compute_truth(trial.spec, trial.domain, trial.one, trial.data).value();
    wrong += refused(trial, false, false);
  }
  CHECK(wrong == 0);
}

TEST_CASE("an activation takes a huge sum of unknown sign for either") {
  for (const double activation : {2.0, 3.0}) {
    // -1e21, which rounding errors of 1e22 and more drown.
    const Trial drowned = trial_of_huge_products(activation, 1e6);
    CHECK(accepts(drowned, 1e22));
    CHECK(accepts(drowned, 0));
    // -1e30 is negative in whatever order, and so its activation is zero.
    const Trial clear = trial_of_huge_products(activation, 1e15);
    CHECK(accepts(clear, 0));
    CHECK_FALSE(accepts(clear, 1e22));
  }
}
