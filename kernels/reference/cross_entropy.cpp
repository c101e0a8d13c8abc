// loss = log(sum of e^x) - x[target], row by row.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

constexpr std::int64_t kIgnored = -100;

template <typename Number>
Number log_sum_exp(const Call& call, const Tensor& x, std::int64_t first, std::int64_t count) {
  Number largest = x.at<Number>(first);
  for (std::int64_t i = 1; i < count; ++i) largest = maximum(largest, x.at<Number>(first + i));
  Sum<Number> sum(call);
  for (std::int64_t i = 0; i < count; ++i) sum.add(exp(x.at<Number>(first + i) - largest));
  return largest + log(sum.total());
}

template <typename Number>
void cross_entropy(const Call& call) {
  const Tensor& logits = call.input("logits");
  const Tensor& targets = call.input("targets");
  const Output& loss = call.output("loss");
  const std::int64_t vocab = call.dim("vocab");
  call.for_each(targets.size, [&](std::int64_t row) {
    const std::int64_t target = targets.integer(row);
    if (target == kIgnored) return loss.set(row, constant<Number>(0));
    const Number normaliser = log_sum_exp<Number>(call, logits, row * vocab, vocab);
    loss.set(row, normaliser - logits.at<Number>(row * vocab + target));
  });
}

}  // namespace

TENSORPATH_REFERENCE(cross_entropy)
