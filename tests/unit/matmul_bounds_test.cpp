// The bound of matmul holds wherever a kernel adds the bias: before the products or after them.
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
std::int64_t refused(const Trial& trial, bool bias_first) {
  const auto input = [&](std::size_t tensor, std::int64_t i) {
    return static_cast<float>(trial.data.inputs[tensor].values[static_cast<std::size_t>(i)]);
  };
  std::vector<TensorData> written = trial.data.outputs;
  TensorData& y = written.front();
  y.storage.resize(static_cast<std::size_t>(bytes_of(DType::kFp32, y.storage_elements())));
  for (std::int64_t i = 0; i < kRows; ++i) {
    for (std::int64_t j = 0; j < kColumns; ++j) {
      float sum = bias_first ? input(2, j) : 0;
      for (std::int64_t p = 0; p < kTerms; ++p) {
        sum += input(0, i * kTerms + p) * input(1, p * kColumns + j);
      }
      if (!bias_first) sum += input(2, j);
      store_bits(DType::kFp32, y.storage.data(), i * y.pitch + j,
                 encode(DType::kFp32, static_cast<double>(sum)));
    }
  }
  read_storage(y);
  return compare(trial.spec, trial.domain, trial.one, trial.data, trial.truth, written)->wrong;
}

}  // namespace

TEST_CASE("sums may start from the bias or end with it") {
  const Trial trial = trial_with_large_biases();
  CHECK(refused(trial, true) == 0);
  CHECK(refused(trial, false) == 0);
}
