// What elementwise operators, norms, reductions and moves accept: values worked by hand, what other
// legal implementations write, and what is none.
#include "catch.h"

#include <cmath>
#include <limits>
#include <map>

#include <tensorpath/ops.h>

using namespace tensorpath;

namespace {

using Values = std::vector<double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::numeric_limits<double>::quiet_NaN();

// One case with contents of one's own.
class Trial {
 public:
  Trial(const std::string& op, DType dtype, const Symbols& dims,
        const std::map<std::string, Values>& contents,
        const std::map<std::string, double>& attributes = {}) {
    static const Operators all = Operators::load({TENSORPATH_SOURCE_DIR "/kernels/ops"}).value();
    spec_ = all.find(op).value();
    std::vector<DimRange> given;
    for (const auto& [name, value] : dims) given.push_back({name, value, value});
    domain_ = make_domain(*spec_, dtype, given, {attributes.begin(), attributes.end()}).value();
    one_.dims = dims;
    data_ = materialise(*spec_, domain_, one_).value();
    for (const auto& [name, values] : contents) set(name, values);
    truth_ = compute_truth(*spec_, domain_, one_, data_).value();
  }

  [[nodiscard]] const Values& truth(const std::string& output) const {
    return truth_[place(output)].values;
  }

  // Whether these results pass, the other outputs as the truth has them; rounded to their type.
  [[nodiscard]] bool accepts(const std::string& output, const Values& values) const {
    std::vector<TensorData> written = write_truth(*spec_, data_, truth_);
    TensorData& tensor = written[place(output)];
    REQUIRE(tensor.values.size() == values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      tensor.bits[i] = encode(tensor.dtype, values[i]);
      tensor.values[i] = decode(tensor.dtype, tensor.bits[i]);
    }
    return compare(*spec_, domain_, one_, data_, truth_, written).value().passed();
  }

 private:
  [[nodiscard]] std::size_t place(const std::string& output) const {
    std::size_t i = 0;
    while (spec_->outputs[i].name != output) ++i;
    return i;
  }
  void set(const std::string& name, const Values& values) {
    bool found = false;
    for (auto* tensors : {&data_.inputs, &data_.outputs}) {
      for (TensorData& tensor : *tensors) {
        if (tensor.name != name) continue;
        found = true;
        REQUIRE(static_cast<std::size_t>(tensor.size) == values.size());
        tensor.values.resize(values.size());
        tensor.bits.resize(values.size());
        for (std::size_t i = 0; i < values.size(); ++i) {
          tensor.bits[i] = encode(tensor.dtype, values[i]);
          tensor.values[i] = decode(tensor.dtype, tensor.bits[i]);
        }
      }
    }
    REQUIRE(found);
  }

  const OperatorSpec* spec_ = nullptr;
  Domain domain_;
  Case one_;
  CaseData data_;
  Truth truth_;
};

// Of y = op(x) for one x.
bool accepts(const std::string& op, DType dtype, double x, double y,
             const std::map<std::string, double>& attributes = {}) {
  return Trial(op, dtype, {{"rows", 1}, {"hidden", 1}}, {{"x", {x}}}, attributes).accepts("y", {y});
}
bool accepts32(const std::string& op, double x, double y) {
  return accepts(op, DType::kFp32, x, y);
}

double stored(DType dtype, double value) { return decode(dtype, encode(dtype, value)); }

}  // namespace

TEST_CASE("elementwise functions have their values, to a few ulps and no more") {
  struct Point {
    const char* op;
    double x;
    double y;
  };
  const std::vector<Point> points = {
      {"silu", 1, 0.7310585786300049},      {"silu", -3, -0.14227761953270035},
      {"sigmoid", -2, 0.11920292202211755}, {"sigmoid", -80, 1.8048513878454153e-35},
      {"tanh", 0.5, 0.46211715726000973},   {"tanh", 1e-6, 9.999999999996667e-07},
      {"gelu", 1, 0.8413447460685429},      {"gelu", -0.5, -0.15426876936299344},
      {"exp", 1, 2.718281828459045},        {"exp", -50, 1.9287498479639178e-22},
      {"log", 10, 2.302585092994046},       {"log", 1.0009765625, 9.760859730554589e-04},
      {"sqrt", 2, 1.4142135623730951},
  };
  for (const Point& point : points) {
    INFO(point.op << "(" << point.x << ")");
    CHECK(accepts32(point.op, point.x, point.y));
    // An exponential loses an ulp with each unit of its argument.
    const double wrong = 3e-6 + 5e-7 * std::fabs(point.x);
    CHECK_FALSE(accepts32(point.op, point.x, point.y * (1 + wrong)));
    CHECK_FALSE(accepts32(point.op, point.x, 0));
    CHECK_FALSE(accepts32(point.op, point.x, kNan));
  }
  CHECK(accepts("gelu", DType::kFp32, 1, 0.8411919906082768, {{"approximate", 1}}));
  CHECK_FALSE(accepts("gelu", DType::kFp32, 1, 0.8411919906082768));
  CHECK_FALSE(accepts("gelu", DType::kBf16, -2.5, -0.01513672, {{"approximate", 0}}));
}

TEST_CASE("NaN, infinity and the signs of zero follow each operator's rule") {
  for (const char* op : {"silu", "sigmoid", "tanh", "gelu", "exp", "log", "sqrt", "relu", "abs"}) {
    INFO(op);
    CHECK(accepts32(op, kNan, kNan));
    CHECK_FALSE(accepts32(op, kNan, 0));
  }
  for (const char* op : {"silu", "gelu", "exp", "log", "sqrt", "relu", "abs"}) {
    INFO(op);
    CHECK(accepts32(op, kInfinity, kInfinity));
    CHECK_FALSE(accepts32(op, kInfinity, 1));
    CHECK_FALSE(accepts32(op, kInfinity, -kInfinity));
  }
  // The formula gives -inf * 0; its limit is as good.
  for (const char* op : {"silu", "gelu"}) {
    INFO(op);
    CHECK(accepts32(op, -kInfinity, kNan));
    CHECK(accepts32(op, -kInfinity, 0));
    CHECK_FALSE(accepts32(op, -kInfinity, -1));
    CHECK_FALSE(accepts32(op, -kInfinity, -kInfinity));
  }
  CHECK(accepts32("exp", -kInfinity, 0));
  CHECK(accepts32("sigmoid", -kInfinity, 0));
  CHECK(accepts32("tanh", -kInfinity, -1));
  CHECK(accepts32("abs", -kInfinity, kInfinity));
  for (const char* op : {"log", "sqrt"}) {
    INFO(op);
    CHECK(accepts32(op, -1, kNan));
    CHECK(accepts32(op, -kInfinity, kNan));
    CHECK_FALSE(accepts32(op, -1, 0));
  }
  CHECK(accepts32("log", 0.0, -kInfinity));
  CHECK(accepts32("log", -0.0, -kInfinity));
  CHECK_FALSE(accepts32("log", 0.0, -88));
  CHECK(accepts32("sqrt", -0.0, -0.0));
}

TEST_CASE("what overflows in the last operation is infinite") {
  CHECK(accepts32("exp", 100, kInfinity));
  CHECK_FALSE(accepts32("exp", 100, 3.4e38));
  CHECK_FALSE(accepts32("exp", 100, kNan));
  CHECK(accepts32("exp", 800, kInfinity));
  CHECK_FALSE(accepts32("exp", 800, 0));
  CHECK(accepts("exp", DType::kFp16, 12, kInfinity));
  CHECK_FALSE(accepts("exp", DType::kFp16, 12, 65504));
  for (const char* op : {"elementwise_add", "elementwise_mul"}) {
    INFO(op);
    const Trial big(op, DType::kFp32, {{"rows", 1}, {"hidden", 1}}, {{"a", {3e38}}, {"b", {3e38}}});
    CHECK(big.accepts("y", {kInfinity}));
    CHECK_FALSE(big.accepts("y", {3.4e38}));
    CHECK_FALSE(big.accepts("y", {0}));
  }
}

TEST_CASE("large arguments leave no licence") {
  for (const double x : {20.0, 100.0, 1e4, 1e20, 3e37}) {
    INFO(x);
    for (const char* op : {"silu", "gelu"}) {
      INFO(op);
      for (const double approximate : {0.0, 1.0}) {
        const bool gelu = std::string(op) == "gelu";
        std::map<std::string, double> attributes;
        if (gelu) attributes["approximate"] = approximate;
        CHECK(accepts(op, DType::kFp32, x, x, attributes));
        CHECK_FALSE(accepts(op, DType::kFp32, x, x * 1.00001, attributes));
        CHECK(accepts(op, DType::kFp32, -x, gelu ? 0 : -x * std::exp(-x), attributes));
        CHECK_FALSE(accepts(op, DType::kFp32, -x, -1e-3, attributes));
        CHECK_FALSE(accepts(op, DType::kFp32, -x, kNan, attributes));
        CHECK_FALSE(accepts(op, DType::kFp32, -x, -kInfinity, attributes));
      }
    }
    CHECK(accepts32("sigmoid", x, 1));
    CHECK_FALSE(accepts32("sigmoid", x, 1.00001));
    CHECK_FALSE(accepts32("sigmoid", -x, 1e-3));
    CHECK_FALSE(accepts32("tanh", -x, -0.9999));
  }
}

TEST_CASE("in the tail of gelu both what fp32 leaves and the true value are right") {
  for (const double approximate : {0.0, 1.0}) {
    CHECK(accepts("gelu", DType::kFp32, -8.25, 0, {{"approximate", approximate}}));
    CHECK_FALSE(accepts("gelu", DType::kFp32, -8.25, -1e-6, {{"approximate", approximate}}));
  }
  CHECK(accepts("gelu", DType::kFp32, -8.25, -6.4919e-16));
  CHECK_FALSE(accepts("gelu", DType::kFp32, -3, 0));
}

TEST_CASE("denormals may be read as zero where something is computed") {
  CHECK(accepts32("sqrt", 1e-40, 1e-20));
  CHECK(accepts32("sqrt", 1e-40, 0));
  CHECK_FALSE(accepts32("sqrt", 1e-40, 1e-19));
  CHECK(accepts32("sqrt", -1e-40, kNan));
  CHECK(accepts32("sqrt", -1e-40, -0.0));
  CHECK(accepts32("log", 1e-40, -92.10340371976183));
  CHECK(accepts32("log", 1e-40, -kInfinity));
  CHECK_FALSE(accepts32("log", 1e-40, -87));
  CHECK_FALSE(accepts32("log", 1e-40, kInfinity));
  // What selects keeps them.
  CHECK(accepts32("relu", 1e-40, 1e-40));
  CHECK_FALSE(accepts32("relu", 1e-40, 0));
  CHECK_FALSE(accepts32("abs", -1e-40, 0));
  // fp16's own denormals are ordinary numbers in fp32.
  CHECK_FALSE(accepts("sqrt", DType::kFp16, 0x1p-24, 0));
}

TEST_CASE("swiglu gates with the first half, rounding the gate or not") {
  const Symbols dims = {{"rows", 1}, {"hidden", 2}};
  const Trial trial("swiglu", DType::kFp32, dims, {{"x", {1, -3, 10, 20}}});
  CHECK(trial.accepts("y", {7.310585786300049, -2.845552390654007}));
  CHECK_FALSE(trial.accepts("y", {10 * 0.99995, -20 * 3.0}));
  const double gate = 1.7265625;
  const double up = 3.453125;
  const double silu = gate / (1 + std::exp(-gate));
  const Trial bf16("swiglu", DType::kBf16, {{"rows", 1}, {"hidden", 1}}, {{"x", {gate, up}}});
  CHECK(bf16.accepts("y", {silu * up}));
  CHECK(bf16.accepts("y", {stored(DType::kBf16, silu) * up}));
  CHECK_FALSE(bf16.accepts("y", {silu * up * 1.02}));
}

TEST_CASE("sums are as good as a running sum of equal terms, and no worse") {
  const std::int64_t hidden = 4096;
  const float term = 0.1F;
  float running = 0;
  for (std::int64_t i = 0; i < hidden; ++i) running += term;
  const Values row(static_cast<std::size_t>(hidden), static_cast<double>(term));
  const Trial trial("sum_last", DType::kFp32, {{"rows", 1}, {"hidden", hidden}}, {{"x", row}});
  const double exact = static_cast<double>(term) * static_cast<double>(hidden);
  // Far outside the random walk of 4,096 terms: each is rounded the same way.
  REQUIRE(std::fabs(static_cast<double>(running) - exact) > 128 * 0x1p-24 * exact);
  CHECK(trial.accepts("y", {static_cast<double>(running)}));
  CHECK(trial.accepts("y", {exact}));
  CHECK_FALSE(trial.accepts("y", {exact * (1 + 0x1p-10)}));
  // Terms that sum exactly in any order leave no room at all.
  const Trial whole("sum_last", DType::kFp32, {{"rows", 1}, {"hidden", 4}}, {{"x", {1, 2, 3, 5}}});
  CHECK(whole.accepts("y", {11}));
  CHECK_FALSE(whole.accepts("y", {11.000002}));
  const Trial mean("mean_last", DType::kFp32, {{"rows", 1}, {"hidden", 4}}, {{"x", {1, 2, 3, 5}}});
  CHECK(mean.accepts("y", {2.75}));
  CHECK_FALSE(mean.accepts("y", {2.750001}));
  const Trial limits("sum_last", DType::kFp32, {{"rows", 3}, {"hidden", 2}},
                     {{"x", {kInfinity, 1, kInfinity, -kInfinity, kNan, 1}}});
  CHECK(limits.accepts("y", {kInfinity, kNan, kNan}));
  CHECK_FALSE(limits.accepts("y", {kInfinity, kInfinity, kNan}));
}

TEST_CASE("the largest of a row is exact, and NaN is larger than all") {
  const Trial trial("max_last", DType::kBf16, {{"rows", 3}, {"hidden", 3}},
                    {{"x", {-3, -1, -2, 1, kNan, 2, -kInfinity, -kInfinity, -kInfinity}}});
  CHECK(trial.accepts("y", {-1, kNan, -kInfinity}));
  CHECK_FALSE(trial.accepts("y", {-1.0078125, kNan, -kInfinity}));
  CHECK_FALSE(trial.accepts("y", {-1, 2, -kInfinity}));
}

TEST_CASE("softmax of large, masked and hopeless rows") {
  const Symbols dims = {{"rows", 1}, {"hidden", 3}};
  const auto row = [&](const Values& x) {
    return Trial("softmax", DType::kFp32, dims, {{"x", x}});
  };
  CHECK(row({0, 0, 0}).accepts("y", {1 / 3.0, 1 / 3.0, 1 / 3.0}));
  CHECK(
      row({1, 2, 3}).accepts("y", {0.09003057317038046, 0.24472847105479764, 0.6652409557748218}));
  CHECK_FALSE(row({1, 2, 3}).accepts("y", {0.0900316, 0.24472847, 0.66524096}));
  CHECK(row({3e38, -3e38, 0}).accepts("y", {1, 0, 0}));
  CHECK_FALSE(row({3e38, -3e38, 0}).accepts("y", {1, 0, 1e-6}));
  CHECK_FALSE(row({3e38, -3e38, 0}).accepts("y", {kNan, 0, 0}));
  CHECK(row({-kInfinity, 1, 1}).accepts("y", {0, 0.5, 0.5}));
  CHECK_FALSE(row({-kInfinity, 1, 1}).accepts("y", {1e-7, 0.5, 0.5}));
  for (const Values& x :
       {Values{kNan, 1, 2}, Values{kInfinity, 1, 2}, Values{-kInfinity, -kInfinity, -kInfinity}}) {
    CHECK(row(x).accepts("y", {kNan, kNan, kNan}));
    CHECK_FALSE(row(x).accepts("y", {kNan, 0, 0}));
  }
}

TEST_CASE("fused_add_rmsnorm normalises the sum as stored (vLLM) or as it was (FlashInfer)") {
  const Symbols dims = {{"rows", 1}, {"hidden", 3}};
  const Values x = {1.0078125, -2.015625, 0.33203125};
  const Values residual = {0.0029296875, 1.0, 100.5};
  const Values weight = {1.5, 0.75, 1.25};
  const Trial trial("fused_add_rmsnorm", DType::kBf16, dims,
                    {{"x", x}, {"residual", residual}, {"weight", weight}});
  Values sums;
  Values rounded;
  for (std::size_t i = 0; i < 3; ++i) {
    sums.push_back(x[i] + residual[i]);
    rounded.push_back(stored(DType::kBf16, sums.back()));
  }
  REQUIRE(sums != rounded);
  const auto normalised = [&](const Values& row) {
    double squares = 0;
    for (const double value : row) squares += value * value;
    Values y;
    for (std::size_t i = 0; i < 3; ++i) {
      y.push_back(row[i] / std::sqrt(squares / 3 + 1e-6) * weight[i]);
    }
    return y;
  };
  CHECK(trial.accepts("residual", rounded));
  CHECK_FALSE(trial.accepts("residual", residual));
  CHECK(trial.accepts("y", normalised(rounded)));
  CHECK(trial.accepts("y", normalised(sums)));
  CHECK_FALSE(trial.accepts("y", normalised(x)));
  CHECK_FALSE(trial.accepts("y", normalised(residual)));
  // The sum overflows fp16: stored it is infinite, before that it was a number.
  const Trial big("fused_add_rmsnorm", DType::kFp16, {{"rows", 1}, {"hidden", 2}},
                  {{"x", {40000, 1}}, {"residual", {40000, 1}}, {"weight", {1, 1}}});
  CHECK(big.accepts("residual", {kInfinity, 2}));
  CHECK_FALSE(big.accepts("residual", {65504, 2}));
  CHECK(big.accepts("y", {kNan, 0}));
  CHECK(big.accepts("y", {std::sqrt(2.0), 3.5355339e-5}));
  CHECK_FALSE(big.accepts("y", {1, 0}));
  CHECK_FALSE(big.accepts("y", {kNan, 1}));
}

TEST_CASE("layernorm centres, and does not by the difference of two means") {
  const Symbols dims = {{"rows", 1}, {"hidden", 4}};
  const Trial trial("layernorm", DType::kFp32, dims,
                    {{"x", {1, 2, 3, 6}}, {"weight", {1, 1, 2, 1}}, {"bias", {0, 0, 0, 0.5}}});
  // Mean 3, variance (4 + 1 + 0 + 9) / 4.
  const double scale = 1 / std::sqrt(3.5 + 1e-5);
  CHECK(trial.accepts("y", {-2 * scale, -scale, 0, 3 * scale + 0.5}));
  CHECK_FALSE(trial.accepts("y", {-2 * scale, -scale, 1e-5, 3 * scale + 0.5}));
  // Divided by n - 1 it is another operator.
  const double sample = 1 / std::sqrt(14 / 3.0 + 1e-5);
  CHECK_FALSE(trial.accepts("y", {-2 * sample, -sample, 0, 3 * sample + 0.5}));

  const std::size_t n = 64;
  Values row;
  for (std::size_t i = 0; i < n; ++i) row.push_back(1000 + 0.01 * static_cast<double>(i * i % 37));
  std::vector<float> x;
  for (const double value : row) x.push_back(static_cast<float>(value));
  const Values ones(n, 1);
  const Trial far("layernorm", DType::kFp32,
                  {{"rows", 1}, {"hidden", static_cast<std::int64_t>(n)}},
                  {{"x", row}, {"weight", ones}, {"bias", Values(n, 0)}});
  float sum = 0;
  float squares = 0;
  for (const float value : x) {
    sum += value;
    squares += value * value;
  }
  const float mean = sum / n;
  const float one_pass = squares / n - mean * mean;
  float two_pass = 0;
  for (const float value : x) two_pass += (value - mean) * (value - mean) / n;
  float welford = 0;
  float running = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const float delta = x[i] - running;
    running += delta / static_cast<float>(i + 1);
    welford += delta * (x[i] - running);
  }
  const auto normalised = [&](float centre, float variance) {
    Values y;
    for (const float value : x) y.push_back((value - centre) / std::sqrt(variance + 1e-5F));
    return y;
  };
  CHECK(far.accepts("y", normalised(mean, two_pass)));
  CHECK(far.accepts("y", normalised(running, welford / n)));
  CHECK_FALSE(far.accepts("y", normalised(mean, one_pass)));
}

TEST_CASE("cross_entropy is the negative logarithm of the target's share") {
  const Symbols dims = {{"rows", 5}, {"vocab", 3}};
  const Trial trial(
      "cross_entropy", DType::kFp32, dims,
      {{"logits", {1, 2, 3, 1e37, -1e37, 0, kNan, 1, 2, kNan, 0, 0, 0, -kInfinity, 0}},
       {"targets", {0, 0, 1, -100, 1}}});
  CHECK(trial.accepts("loss", {2.4076059644443806, 0, kNan, 0, kInfinity}));
  CHECK_FALSE(trial.accepts("loss", {2.40762, 0, kNan, 0, kInfinity}));
  CHECK_FALSE(trial.accepts("loss", {2.4076059644443806, 0, kNan, kNan, kInfinity}));
  CHECK_FALSE(trial.accepts("loss", {2.4076059644443806, 0, 0, 0, kInfinity}));
  CHECK_FALSE(trial.accepts("loss", {2.4076059644443806, kInfinity, kNan, 0, kInfinity}));
}

TEST_CASE("embedding moves rows, its gradient adds to those that were named") {
  const Symbols dims = {{"tokens", 3}, {"vocab", 3}, {"hidden", 2}};
  const Trial moved("embedding", DType::kFp16, dims,
                    {{"ids", {2, 0, 2}}, {"table", {1, -0.0, 3, 4, 5, 6}}});
  CHECK(moved.accepts("y", {5, 6, 1, -0.0, 5, 6}));
  CHECK_FALSE(moved.accepts("y", {5, 6, 1, 0.0, 5, 6}));  // bit for bit
  CHECK_FALSE(moved.accepts("y", {5, 6, 3, 4, 5, 6}));
  const Trial added("embedding_grad", DType::kBf16, dims,
                    {{"ids", {2, 0, 2}},
                     {"grad_out", {1, 2, 3, 4, 5, 6}},
                     {"grad_table", {10, 20, 30, 40, 50, 60}}});
  CHECK(added.accepts("grad_table", {13, 24, 30, 40, 56, 68}));
  CHECK_FALSE(added.accepts("grad_table", {3, 4, 0, 0, 6, 8}));        // overwritten
  CHECK_FALSE(added.accepts("grad_table", {13, 24, 30, 40, 55, 66}));  // a lost update
  CHECK_FALSE(added.accepts("grad_table", {13, 24, 30, 40.00001, 56, 68}));
}

TEST_CASE("transpose swaps rows and columns") {
  const Trial trial("transpose", DType::kFp32, {{"rows", 2}, {"columns", 3}},
                    {{"x", {1, 2, 3, 4, 5, kNan}}});
  CHECK(trial.accepts("y", {1, 4, 2, 5, 3, kNan}));
  CHECK_FALSE(trial.accepts("y", {1, 2, 3, 4, 5, kNan}));
}
