// The bound of attention lets through what fused kernels do (online softmax, split-K, rounded
// probabilities) and nothing cheaper: kernels written here against decode_attention's own truth.
#include "catch.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include <tensorpath/ops.h>

using namespace tensorpath;

namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

// One way to compute attention in fp32, and the ways in which it may be wrong.
struct Kernel {
  std::string name;
  std::int64_t block = 16;  // keys per step of the online softmax
  std::int64_t splits = 1;
  bool base_two = false;      // exp2 with the scale and log2(e) in one constant
  bool rounds_p = true;       // probabilities to T
  bool normalised = false;    // divides by the sum before it rounds them
  double score_unit = 0;      // unit roundoff of the type in which scores are summed; 0: fp32
  double value_unit = 0;      // likewise of the weighted values
  double finished_unit = 0;   // likewise of the finished scores
  bool wrong_head = false;    // takes query heads to be dealt out in turn
  bool past_the_end = false;  // sees one position too many
  bool whole_pages = false;   // reads the last page to its end, with weights of zero
  bool leaves_out = false;    // keys whose score is -inf, instead of weighing them with zero
};

float kept(float sum, double unit) {
  if (unit == 0 || sum == 0 || !std::isfinite(sum)) return sum;
  const double quantum = std::ldexp(2 * unit, std::ilogb(static_cast<double>(sum)));
  return static_cast<float>(std::nearbyint(static_cast<double>(sum) / quantum) * quantum);
}

class Attention {
 public:
  Attention(const Kernel& kernel, DType dtype, const Case& one, const CaseData& data)
      : kernel_(kernel), dtype_(dtype), data_(data) {
    const auto dim = [&](const char* name) { return one.dims.find(name)->second; };
    batch_ = dim("batch");
    q_heads_ = dim("q_heads");
    kv_heads_ = dim("kv_heads");
    head_dim_ = dim("head_dim");
    page_size_ = dim("page_size");
    pages_ = dim("pages");
  }

  std::vector<TensorData> run() const {
    std::vector<TensorData> written = data_.outputs;
    TensorData& out = written.front();
    out.storage.assign(static_cast<std::size_t>(bytes_of(dtype_, out.storage_elements())), 0xFF);
    for (std::int64_t sequence = 0; sequence < batch_; ++sequence) {
      for (std::int64_t head = 0; head < q_heads_; ++head) {
        const std::vector<float> row = one_head(sequence, head);
        for (std::int64_t d = 0; d < head_dim_; ++d) {
          store_bits(dtype_, out.storage.data(), sequence * out.pitch + head * head_dim_ + d,
                     encode(dtype_, static_cast<double>(row[static_cast<std::size_t>(d)])));
        }
      }
    }
    read_storage(out);
    return written;
  }

 private:
  struct Partial {
    float top = kLowest;
    float sum = 0;
    std::vector<float> values;
  };

  [[nodiscard]] float input(std::size_t tensor, std::int64_t i) const {
    return static_cast<float>(data_.inputs[tensor].values[static_cast<std::size_t>(i)]);
  }
  [[nodiscard]] std::int64_t row_of(std::int64_t sequence, std::int64_t head,
                                    std::int64_t i) const {
    const auto block = static_cast<std::int64_t>(input(3, sequence * pages_ + i / page_size_));
    const std::int64_t kv_head =
        kernel_.wrong_head ? head % kv_heads_ : head / (q_heads_ / kv_heads_);
    return ((block * page_size_ + i % page_size_) * kv_heads_ + kv_head) * head_dim_;
  }
  [[nodiscard]] float power(float x) const { return kernel_.base_two ? std::exp2(x) : std::exp(x); }
  [[nodiscard]] float to_t(float p) const {
    if (!kernel_.rounds_p) return p;
    return static_cast<float>(decode(dtype_, encode(dtype_, static_cast<double>(p))));
  }

  [[nodiscard]] float score(std::int64_t query, std::int64_t row) const {
    float sum = 0;
    for (std::int64_t d = 0; d < head_dim_; ++d) {
      sum = kept(sum + input(0, query + d) * input(1, row + d), kernel_.score_unit);
    }
    sum = kept(sum, kernel_.finished_unit);
    const float scale = 1 / std::sqrt(static_cast<float>(head_dim_));
    return kernel_.base_two ? sum * (scale * 1.44269504F) : sum * scale;
  }

  // Keys from `begin` to `end`, a block at a time, earlier results rescaled to the new maximum.
  [[nodiscard]] Partial part(std::int64_t sequence, std::int64_t head, std::int64_t begin,
                             std::int64_t end) const {
    Partial partial;
    partial.values.assign(static_cast<std::size_t>(head_dim_), 0.0F);
    const std::int64_t query = (sequence * q_heads_ + head) * head_dim_;
    for (std::int64_t first = begin; first < end; first += kernel_.block) {
      const std::int64_t last = std::min(end, first + kernel_.block);
      std::vector<float> scores;
      float top = partial.top;
      for (std::int64_t i = first; i < last; ++i) {
        scores.push_back(score(query, row_of(sequence, head, i)));
        if (std::isnan(scores.back()) || scores.back() > top) top = scores.back();
      }
      if (top == kLowest) continue;  // as kernels guard exp(-inf + inf)
      const float rescale = power(partial.top - top);
      partial.top = top;
      partial.sum *= rescale;
      for (float& value : partial.values) value = kept(value * rescale, kernel_.value_unit);
      for (std::int64_t i = first; i < last; ++i) {
        const float one = scores[static_cast<std::size_t>(i - first)];
        if (kernel_.leaves_out && one == kLowest) continue;
        const float p = power(one - top);
        partial.sum += p;
        add(partial, to_t(p), row_of(sequence, head, i));
      }
    }
    while (kernel_.whole_pages && end % page_size_ != 0) {
      add(partial, 0, row_of(sequence, head, end++));
    }
    return partial;
  }
  void add(Partial& partial, float p, std::int64_t row) const {
    for (std::int64_t d = 0; d < head_dim_; ++d) {
      float& value = partial.values[static_cast<std::size_t>(d)];
      value = kept(value + p * input(2, row + d), kernel_.value_unit);
    }
  }

  [[nodiscard]] std::vector<float> one_head(std::int64_t sequence, std::int64_t head) const {
    std::int64_t context = static_cast<std::int64_t>(input(4, sequence));
    if (kernel_.past_the_end) context = std::min(context + 1, pages_ * page_size_);
    if (kernel_.normalised) return two_passes(sequence, head, context);
    std::vector<Partial> parts;
    const std::int64_t step = (context + kernel_.splits - 1) / kernel_.splits;
    float top = kLowest;
    for (std::int64_t begin = 0; begin < context; begin += step) {
      parts.push_back(part(sequence, head, begin, std::min(context, begin + step)));
      if (!(parts.back().top <= top)) top = parts.back().top;
    }
    std::vector<float> out(static_cast<std::size_t>(head_dim_), 0.0F);
    float sum = 0;
    for (const Partial& partial : parts) {
      if (partial.top == kLowest) continue;
      const float weight = power(partial.top - top);
      sum += partial.sum * weight;
      for (std::size_t d = 0; d < out.size(); ++d) out[d] += partial.values[d] * weight;
    }
    for (float& value : out) value *= 1 / sum;
    return out;
  }

  // As a framework does without a fused kernel: softmax in fp32, rounded, then the product.
  [[nodiscard]] std::vector<float> two_passes(std::int64_t sequence, std::int64_t head,
                                              std::int64_t context) const {
    const std::int64_t query = (sequence * q_heads_ + head) * head_dim_;
    std::vector<float> p;
    float top = kLowest;
    for (std::int64_t i = 0; i < context; ++i) {
      p.push_back(score(query, row_of(sequence, head, i)));
      if (!(p.back() <= top)) top = p.back();
    }
    float sum = 0;
    for (float& one : p) sum += one = power(one - top);
    Partial partial;
    partial.values.assign(static_cast<std::size_t>(head_dim_), 0.0F);
    for (std::int64_t i = 0; i < context; ++i) {
      add(partial, to_t(p[static_cast<std::size_t>(i)] / sum), row_of(sequence, head, i));
    }
    return partial.values;
  }

  const Kernel& kernel_;
  DType dtype_;
  const CaseData& data_;
  std::int64_t batch_ = 0;
  std::int64_t q_heads_ = 0;
  std::int64_t kv_heads_ = 0;
  std::int64_t head_dim_ = 0;
  std::int64_t page_size_ = 0;
  std::int64_t pages_ = 0;
};

const Operators& operators() {
  static const Operators all = Operators::load({TENSORPATH_SOURCE_DIR "/kernels/ops"}).value();
  return all;
}

struct Trial {
  Case one;
  CaseData data;
  Truth truth;
};

// A model's shape (heads and their size fixed, batch and context free) in every regime.
struct Trials {
  const OperatorSpec& spec;
  Domain domain;
  std::vector<Trial> all;
};

Trials trials_of(DType dtype) {
  const OperatorSpec& spec = **operators().find("decode_attention");
  Trials trials{spec,
                make_domain(spec, dtype,
                            {{"batch", 1, 4},
                             {"kv_heads", 2, 2},
                             {"q_heads", 4, 4},
                             {"head_dim", 64, 64},
                             {"page_size", 16, 16},
                             {"pages", 1, 16}},
                            {})
                    .value(),
                {}};
  const auto cases = draw_cases(spec, trials.domain, Key{7}, 40);
  REQUIRE(cases);
  for (const Case& one : *cases) {
    CaseData data = materialise(spec, trials.domain, one).value();
    Truth truth = compute_truth(spec, trials.domain, one, data).value();
    trials.all.push_back({one, std::move(data), std::move(truth)});
  }
  return trials;
}

// The cases that refuse the kernel.
std::vector<std::string> refusals(const Trials& trials, const Kernel& kernel) {
  std::vector<std::string> refused;
  for (const Trial& trial : trials.all) {
    const Attention attention(kernel, trials.domain.dtype, trial.one, trial.data);
    const ElementComparison result =
        compare(trials.spec, trials.domain, trial.one, trial.data, trial.truth, attention.run())
            .value();
    if (result.passed()) continue;
    refused.push_back(fmt::format("{}: {} of {} wrong, excess {}", describe(trial.one),
                                  result.wrong, result.elements, result.worst));
  }
  return refused;
}

constexpr DType kTypes[] = {DType::kFp32, DType::kFp16, DType::kBf16};

}  // namespace

TEST_CASE("fused attention passes in every regime, however it is split and rounded") {
  std::vector<Kernel> kernels(6);
  kernels[0].name = "one block after the other";
  kernels[1].name = "a key at a time";
  kernels[1].block = 1;
  kernels[2].name = "split in four, in base two";
  kernels[2].splits = 4;
  kernels[2].base_two = true;
  kernels[3].name = "probabilities in fp32";
  kernels[3].rounds_p = false;
  kernels[4].name = "split into keys";
  kernels[4].splits = 1 << 20;
  kernels[5].name = "softmax first, rounded";
  kernels[5].normalised = true;
  for (const DType dtype : kTypes) {
    const Trials trials = trials_of(dtype);
    CHECK(trials.all.size() >= 40);
    for (const Kernel& kernel : kernels) {
      const auto refused = refusals(trials, kernel);
      INFO(name_of(dtype) << ", " << kernel.name << ": "
                          << fmt::format("{}", fmt::join(refused, "\n")));
      CHECK(refused.empty());
    }
  }
}

TEST_CASE("cheaper sums and wrong reading are caught") {
  std::vector<Kernel> kernels(8);
  kernels[0].name = "scores summed in bf16";
  kernels[0].score_unit = unit_roundoff(DType::kBf16);
  kernels[1].name = "values summed in bf16";
  kernels[1].value_unit = unit_roundoff(DType::kBf16);
  kernels[2].name = "finished scores kept in bf16";
  kernels[2].finished_unit = unit_roundoff(DType::kBf16);
  kernels[3].name = "scores summed in fp16";
  kernels[3].score_unit = unit_roundoff(DType::kFp16);
  kernels[4].name = "query heads dealt out in turn";
  kernels[4].wrong_head = true;
  kernels[5].name = "one position too many";
  kernels[5].past_the_end = true;
  kernels[6].name = "the last page's masked values times zero";
  kernels[6].whole_pages = true;
  kernels[7].name = "values summed in fp16";
  kernels[7].value_unit = unit_roundoff(DType::kFp16);
  for (const DType dtype : kTypes) {
    const Trials trials = trials_of(dtype);
    for (const Kernel& kernel : kernels) {
      // Probabilities in bf16 are legal beside bf16 values, and coarser than such sums.
      if (dtype == DType::kBf16 && kernel.value_unit == unit_roundoff(DType::kFp16)) continue;
      const auto refused = refusals(trials, kernel);
      INFO(name_of(dtype) << ", " << kernel.name);
      CHECK_FALSE(refused.empty());
    }
  }
}

TEST_CASE("a key whose score is -inf may be left out or weighed with zero") {
  Trials trials = trials_of(DType::kFp32);
  Trial trial = trials.all.front();
  for (const Trial& other : trials.all) {
    if (other.one.regime == Regime::kNormal) trial = other;
  }
  std::vector<TensorData>& inputs = trial.data.inputs;
  const auto first_key = static_cast<std::size_t>(inputs[3].values.front()) * 16 * 2 * 64;
  inputs[0].values[0] = 1;
  inputs[1].values[first_key] = -std::numeric_limits<double>::infinity();
  inputs[2].values[first_key + 3] = std::numeric_limits<double>::infinity();
  trial.truth = compute_truth(trials.spec, trials.domain, trial.one, trial.data).value();
  trials.all = {trial};
  std::vector<Kernel> kernels(2);
  kernels[1].leaves_out = true;
  CHECK(refusals(trials, kernels[0]).empty());
  CHECK(refusals(trials, kernels[1]).empty());
}
