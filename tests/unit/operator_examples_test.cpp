// What operators mean, on examples worked by hand: which element pairs with which, who sees whom.
#include "catch.h"

#include <map>

#include <tensorpath/ops.h>

using namespace tensorpath;

namespace {

using Values = std::vector<double>;
using Named = std::map<std::string, Values>;

// The truth of an operator in fp32 on given dims, attributes and contents of its inputs.
class Example {
 public:
  Example(const std::string& op, const Symbols& dims, const Named& inputs,
          const std::map<std::string, double>& attributes = {}) {
    static const Operators all = Operators::load({TENSORPATH_SOURCE_DIR "/kernels/ops"}).value();
    spec_ = *all.find(op);
    std::vector<DimRange> given;
    for (const auto& [name, value] : dims) given.push_back({name, value, value});
    const auto domain =
        make_domain(*spec_, DType::kFp32, given, {attributes.begin(), attributes.end()});
    REQUIRE(domain);
    const auto cases = draw_cases(*spec_, *domain, Key{1}, 1);
    REQUIRE(cases);
    const Case& one = cases->front();
    CaseData data = materialise(*spec_, *domain, one).value();
    for (const auto& [name, values] : inputs) set(data, name, values);
    truth_ = compute_truth(*spec_, *domain, one, data).value();
  }

  [[nodiscard]] Values of(const std::string& output) const {
    for (std::size_t i = 0; i < truth_.size(); ++i) {
      if (spec_->outputs[i].name == output) return truth_[i].values;
    }
    return {};
  }

 private:
  static void set(CaseData& data, const std::string& name, const Values& values) {
    bool found = false;
    for (auto* tensors : {&data.inputs, &data.outputs}) {
      for (TensorData& tensor : *tensors) {
        if (tensor.name != name) continue;
        found = true;
        REQUIRE(tensor.values.size() == values.size());
        tensor.values = values;
        for (std::size_t i = 0; i < values.size(); ++i) {
          tensor.bits[i] = encode(tensor.dtype, values[i]);
        }
      }
    }
    REQUIRE(found);
  }

  const OperatorSpec* spec_ = nullptr;
  Truth truth_;
};

}  // namespace

TEST_CASE("rope turns pairs of a half apart, or neighbours") {
  const Symbols dims = {
      {"tokens", 1}, {"heads", 1}, {"head_dim", 6}, {"rotary_dim", 4}, {"max_positions", 2}};
  // Position 1 turns the first pair by a right angle and leaves the second.
  const Named inputs = {
      {"x", {1, 2, 3, 4, 5, 6}}, {"positions", {1}}, {"cos_sin_cache", {9, 9, 9, 9, 0, 1, 1, 0}}};
  CHECK(Example("rope", dims, inputs).of("y") == Values{-3, 2, 1, 4, 5, 6});
  CHECK(Example("rope", dims, inputs, {{"interleaved", 1}}).of("y") == Values{-2, 1, 3, 4, 5, 6});
}

TEST_CASE("kv_cache_append writes the slots it is told and nothing else") {
  const Example example(
      "kv_cache_append",
      {{"tokens", 3}, {"kv_heads", 1}, {"head_dim", 2}, {"page_size", 2}, {"blocks", 2}},
      {{"key", {1, 2, 3, 4, 5, 6}},
       {"value", {-1, -2, -3, -4, -5, -6}},
       {"slot_mapping", {2, -1, 1}},
       {"key_cache", {10, 11, 12, 13, 14, 15, 16, 17}},
       {"value_cache", {20, 21, 22, 23, 24, 25, 26, 27}}});
  CHECK(example.of("key_cache") == Values{10, 11, 5, 6, 1, 2, 16, 17});
  CHECK(example.of("value_cache") == Values{20, 21, -5, -6, -1, -2, 26, 27});
}

TEST_CASE("decode_attention follows the block table to the end of the context") {
  constexpr std::int64_t kHead = 16;
  // Two pages of two positions, in reverse order; two query heads share a head of the cache, whose
  // keys all score nothing with the first and pick position 0 with the second.
  Values query(2 * kHead, 0);
  query[kHead] = 1000;
  Values keys(4 * kHead, 0);
  keys[2 * kHead] = 1000;  // block 1, slot 0: position 0
  Values values(4 * kHead, 0);
  const double of_slot[] = {6, 100, 1, 2};  // positions 2, 3, 0, 1
  for (std::size_t slot = 0; slot < 4; ++slot) values[slot * kHead] = of_slot[slot];
  const Example example("decode_attention",
                        {{"batch", 1},
                         {"kv_heads", 1},
                         {"q_heads", 2},
                         {"head_dim", kHead},
                         {"page_size", 2},
                         {"pages", 2}},
                        {{"q", query},
                         {"key_cache", keys},
                         {"value_cache", values},
                         {"block_tables", {1, 0}},
                         {"context_lens", {3}}});
  CHECK(example.of("out")[0] == Approx(3));
  CHECK(example.of("out")[kHead] == Approx(1));
}

TEST_CASE("decode_attention divides scores by the root of head_dim, or takes the given scale") {
  Values query(16, 0);
  query[0] = 1;
  Values keys(2 * 16, 0);
  keys[0] = std::log(3.0) * 4;
  Values values(2 * 16, 0);
  values[0] = 4;
  const Symbols dims = {{"batch", 1},     {"kv_heads", 1},  {"q_heads", 1},
                        {"head_dim", 16}, {"page_size", 2}, {"pages", 1}};
  const Named inputs = {{"q", query},
                        {"key_cache", keys},
                        {"value_cache", values},
                        {"block_tables", {0}},
                        {"context_lens", {2}}};
  CHECK(Example("decode_attention", dims, inputs).of("out")[0] == Approx(3));
  CHECK(Example("decode_attention", dims, inputs, {{"scale", 0.125}}).of("out")[0] ==
        Approx(4 * std::sqrt(3.0) / (1 + std::sqrt(3.0))));
}

TEST_CASE("prefill_attention aligns its mask to the last key") {
  const Symbols dims = {{"batch", 1},     {"kv_heads", 1}, {"q_heads", 1},
                        {"head_dim", 16}, {"keys", 3},     {"queries", 2}};
  Values values(3 * 16, 0);
  values[0] = 2;
  values[16] = 4;
  values[32] = 9;
  const Named inputs = {{"q", Values(2 * 16, 0)}, {"k", Values(3 * 16, 1)}, {"v", values}};
  const Values causal = Example("prefill_attention", dims, inputs).of("out");
  CHECK(causal[0] == Approx(3));
  CHECK(causal[16] == Approx(5));
  const Values full = Example("prefill_attention", dims, inputs, {{"causal", 0}}).of("out");
  CHECK(full[0] == Approx(5));
  CHECK(full[16] == Approx(5));
}

TEST_CASE("mla_decode scores latents and rotary keys, and averages latents alone") {
  constexpr std::int64_t kRank = 16;
  constexpr std::int64_t kRow = kRank + 8;
  Values cache(4 * kRow, 0);
  cache[0] = 1;  // latents of positions 0, 1, 2 and of one past the context
  cache[kRow] = 2;
  cache[2 * kRow] = 6;
  cache[3 * kRow] = 100;
  cache[kRow + kRank + 7] = 50;  // the rotary key of position 1
  Values rotary(2 * 8, 0);
  rotary[8 + 7] = 50;  // picked by the second head
  const Example example("mla_decode",
                        {{"batch", 1},
                         {"heads", 2},
                         {"kv_lora_rank", kRank},
                         {"rope_dim", 8},
                         {"page_size", 4},
                         {"pages", 1}},
                        {{"q_nope", Values(2 * kRank, 0)},
                         {"q_pe", rotary},
                         {"latent_cache", cache},
                         {"block_tables", {0}},
                         {"context_lens", {3}}});
  const Values out = example.of("out");
  CHECK(out.size() == 2 * kRank);
  CHECK(out[0] == Approx(3));
  CHECK(out[kRank] == Approx(2));
  CHECK(out[kRank - 1] == 0);
}

TEST_CASE("conv2d slides a kernel that is not flipped") {
  Symbols dims = {{"batch", 1},  {"groups", 1},   {"in_channels", 1}, {"out_channels", 1},
                  {"stride", 1}, {"padding", 0},  {"dilation", 1},    {"height", 3},
                  {"width", 4},  {"kernel_h", 2}, {"kernel_w", 2}};
  const Named inputs = {{"x", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
                        {"weight", {1, 10, 100, 1000}}};
  CHECK(Example("conv2d", dims, inputs).of("y") == Values{6521, 7632, 8743, 10965, 12076, 13187});
  dims["stride"] = 2;
  CHECK(Example("conv2d", dims, inputs).of("y") == Values{6521, 8743});
  dims["padding"] = 1;
  CHECK(Example("conv2d", dims, inputs).of("y") == Values{1000, 3200, 400, 9050, 12076, 1208});
  dims = {{"batch", 1},  {"groups", 1},   {"in_channels", 1}, {"out_channels", 1},
          {"stride", 1}, {"padding", 0},  {"dilation", 2},    {"height", 3},
          {"width", 4},  {"kernel_h", 2}, {"kernel_w", 2}};
  CHECK(Example("conv2d", dims, inputs).of("y") == Values{11931, 13042});
}

TEST_CASE("conv2d keeps groups apart, sums channels and adds the bias") {
  const Symbols dims = {{"batch", 1},  {"groups", 2},   {"in_channels", 4}, {"out_channels", 2},
                        {"stride", 1}, {"padding", 0},  {"dilation", 1},    {"height", 1},
                        {"width", 1},  {"kernel_h", 1}, {"kernel_w", 1}};
  const Named inputs = {
      {"x", {1, 2, 3, 4}}, {"weight", {1, 10, 100, 1000}}, {"bias_values", {7, 8}}};
  CHECK(Example("conv2d", dims, inputs).of("y") == Values{21, 4300});
  CHECK(Example("conv2d", dims, inputs, {{"bias", 1}}).of("y") == Values{28, 4308});
}

TEST_CASE("grouped_moe_gemm gives each row its expert, and an expert may have none") {
  const Example example("grouped_moe_gemm", {{"experts", 3}, {"tokens", 3}, {"n", 2}, {"k", 2}},
                        {{"x", {1, 2, 3, 4, 5, 6}},
                         {"w", {1, 0, 0, 1, 7, 7, 7, 7, 0, 1, 10, 0}},
                         {"offsets", {0, 1, 1, 3}}});
  CHECK(example.of("y") == Values{1, 2, 4, 30, 6, 50});
}
