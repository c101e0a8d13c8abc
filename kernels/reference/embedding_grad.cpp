// grad_table[ids[t]] += grad_out[t] for each token t.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void embedding_grad(const Call& call) {
  const Tensor& ids = call.input("ids");
  const Tensor& grad_out = call.input("grad_out");
  const Tensor& before = call.input("grad_table");
  const Output& grad_table = call.output("grad_table");
  const std::int64_t vocab = call.dim("vocab");
  const std::int64_t hidden = call.dim("hidden");
  std::vector<std::vector<std::int64_t>> tokens_of(static_cast<std::size_t>(vocab));
  for (std::int64_t token = 0; token < ids.size; ++token) {
    tokens_of[static_cast<std::size_t>(ids.integer(token))].push_back(token);
  }
  for (std::int64_t id = 0; id < vocab; ++id) {
    const auto& tokens = tokens_of[static_cast<std::size_t>(id)];
    for (std::int64_t i = 0; i < hidden; ++i) {
      const std::int64_t at = id * hidden + i;
      if (tokens.empty()) {
        grad_table.set(at, before.unflushed<Number>(at));
        continue;
      }
      Sum<Number> sum(call);
      sum.add(before.at<Number>(at));
      for (const std::int64_t token : tokens) {
        sum.add(grad_out.at<Number>(token * hidden + i));
      }
      grad_table.set(at, sum.total());
    }
  }
}

}  // namespace

TENSORPATH_REFERENCE(embedding_grad)
