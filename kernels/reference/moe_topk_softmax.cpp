// The topk largest softmax weights of each token, and whose they are.
#include <algorithm>
#include <numeric>

#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

// A softmax but for its common factor: exp(x - max). Empty where a row has none: NaN or +infinity
// in it, or only -infinity.
template <typename Number>
std::vector<Number> exponentials(const Tensor& logits, std::int64_t row) {
  const std::int64_t experts = logits.dim(1);
  std::vector<Number> weights;
  Number most = logits.at<Number>(row * experts);
  for (std::int64_t i = 1; i < experts; ++i) {
    most = maximum(most, logits.at<Number>(row * experts + i));
  }
  if (!std::isfinite(most.value)) return weights;
  for (std::int64_t i = 0; i < experts; ++i) {
    weights.push_back(exp(logits.at<Number>(row * experts + i) - most));
  }
  return weights;
}

template <typename Number>
void moe_topk_softmax(const Call& call) {
  const Tensor& logits = call.input("logits");
  const Output& weights = call.output("weights");
  const Output& indices = call.output("indices");
  const std::int64_t experts = call.dim("experts");
  const std::int64_t topk = call.dim("topk");
  const bool renormalize = call.attribute("renormalize") != 0;
  std::vector<std::int64_t> order(static_cast<std::size_t>(experts));
  for (std::int64_t token = 0; token < call.dim("tokens"); ++token) {
    std::vector<Number> raw = exponentials<Number>(logits, token);
    if (raw.empty()) raw.assign(order.size(), constant<Number>(1));
    const auto weight_of = [&](std::int64_t expert) {
      return raw[static_cast<std::size_t>(expert)];
    };
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + topk, order.end(),
                      [&](std::int64_t a, std::int64_t b) {
                        const auto x = weight_of(a).value;
                        const auto y = weight_of(b).value;
                        return x != y ? x > y : a < b;
                      });
    Sum<Number> sum(call);
    for (std::int64_t i = 0; i < (renormalize ? topk : experts); ++i) {
      sum.add(weight_of(renormalize ? order[static_cast<std::size_t>(i)] : i));
    }
    const Number total = sum.total();
    for (std::int64_t i = 0; i < topk; ++i) {
      const std::int64_t expert = order[static_cast<std::size_t>(i)];
      weights.set(token * topk + i, weight_of(expert) / total);
      indices.set_integer(token * topk + i, expert);
    }
  }
}

// What one token's experts may weigh, and what was chosen.
struct Token {
  std::vector<Exact> weights;
  std::vector<std::int64_t> chosen;  // empty when an index is out of range or there twice
};

std::vector<std::int64_t> chosen_experts(const Call& call, const Tensor& indices,
                                         std::int64_t token, Judgement& judgement) {
  const std::int64_t topk = call.dim("topk");
  std::vector<std::int64_t> chosen;
  bool legal = true;
  for (std::int64_t i = token * topk; i < (token + 1) * topk; ++i) {
    const std::int64_t expert = indices.integer(i);
    const char* wrong = nullptr;
    if (expert < 0 || expert >= call.dim("experts")) wrong = "there is no such expert";
    if (std::find(chosen.begin(), chosen.end(), expert) != chosen.end()) {
      wrong = "the expert was chosen before";
    }
    if (wrong != nullptr) judgement.reject("indices", i, wrong, kAny);
    legal = legal && wrong == nullptr;
    chosen.push_back(expert);
  }
  return legal ? chosen : std::vector<std::int64_t>{};
}

// An expert left out must not certainly weigh more than one that was chosen.
void judge_choice(const Token& token, std::int64_t first, Judgement& judgement) {
  double left_out = 0;  // at least this heavy is one of those left out
  for (std::size_t i = 0; i < token.weights.size(); ++i) {
    const auto expert = static_cast<std::int64_t>(i);
    if (std::find(token.chosen.begin(), token.chosen.end(), expert) != token.chosen.end()) continue;
    left_out = std::max(left_out, token.weights[i].value - token.weights[i].error);
  }
  for (std::size_t i = 0; i < token.chosen.size(); ++i) {
    const Exact weight = token.weights[static_cast<std::size_t>(token.chosen[i])];
    if (weight.value + weight.error < left_out) {
      judgement.reject("indices", first + static_cast<std::int64_t>(i),
                       "a heavier expert was left out", kAny);
    }
  }
}

void judge_weights(const Call& call, const Token& token, const Tensor& weights, std::int64_t first,
                   Judgement& judgement) {
  Sum<Exact> sum(call);
  for (const std::int64_t expert : token.chosen) {
    sum.add(token.weights[static_cast<std::size_t>(expert)]);
  }
  const Exact total = sum.total();
  for (std::size_t i = 0; i < token.chosen.size(); ++i) {
    const std::int64_t at = first + static_cast<std::int64_t>(i);
    Exact weight = token.weights[static_cast<std::size_t>(token.chosen[i])];
    if (call.attribute("renormalize") != 0) weight = weight / total;
    const double allowed = rounded(weight.value, weight.error).error;
    const double off = std::fabs(weights[at] - weight.value);
    if (!(off <= allowed)) {
      judgement.reject("weights", at, "not the weight of the expert that was chosen",
                       std::isfinite(off) && allowed > 0 ? off / allowed : kAny);
    }
  }
}

// What each expert weighs before the weights of the chosen ones are divided by their sum. There the
// softmax's own divisor cancels, but dividing by it rounded, and may have flushed.
void weigh(const Call& call, std::vector<Exact>& weights) {
  if (call.attribute("renormalize") != 0) {
    const double flushed = static_cast<double>(weights.size()) * kSmallestNormal;
    for (Exact& weight : weights) {
      weight = approximated(weight.value, weight.error + flushed, kDivideUlp);
    }
    return;
  }
  Sum<Exact> sum(call);
  for (const Exact& weight : weights) sum.add(weight);
  const Exact total = sum.total();
  for (Exact& weight : weights) weight = weight / total;
}

void judge(const Call& call, const Tensor* written, Judgement& judgement) {
  for (std::int64_t row = 0; row < call.dim("tokens"); ++row) {
    const std::int64_t first = row * call.dim("topk");
    Token token;
    token.chosen = chosen_experts(call, written[1], row, judgement);
    token.weights = exponentials<Exact>(call.input("logits"), row);
    if (token.chosen.empty() || token.weights.empty()) continue;
    weigh(call, token.weights);
    judge_choice(token, first, judgement);
    judge_weights(call, token, written[0], first, judgement);
  }
}

}  // namespace

TENSORPATH_REFERENCE_WITH_JUDGE(moe_topk_softmax, judge)
