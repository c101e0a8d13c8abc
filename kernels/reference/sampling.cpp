// A token per row: softmax, top-k, top-p of what top-k kept, then the token whose interval of the
// CDF over the tokens kept, in order of their ids, holds the row's uniform.
#include <algorithm>
#include <numeric>

#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

// Ids and ranks index vectors.
using Index = std::size_t;

template <typename Number>
struct Row {
  std::vector<Number> weights;  // exp(x - max): probabilities but for their common factor
  std::vector<Index> order;     // ids, heaviest first
  Index top_k = 0;
  double top_p = 1;
  double uniform = 0;
};

// Its weights are empty where there are none: NaN or +infinity in the row, or only -infinity.
template <typename Number>
Row<Number> read_row(const Call& call, std::int64_t index) {
  const Tensor& logits = call.input("logits");
  const std::int64_t vocab = logits.dim(1);
  Row<Number> row;
  Number most = logits.at<Number>(index * vocab);
  for (std::int64_t i = 1; i < vocab; ++i) {
    most = maximum(most, logits.at<Number>(index * vocab + i));
  }
  if (!std::isfinite(most.value)) return row;
  for (std::int64_t i = 0; i < vocab; ++i) {
    row.weights.push_back(exp(logits.at<Number>(index * vocab + i) - most));
  }
  row.order.resize(row.weights.size());
  std::iota(row.order.begin(), row.order.end(), Index{0});
  std::sort(row.order.begin(), row.order.end(), [&](Index a, Index b) {
    const auto x = row.weights[a].value;
    const auto y = row.weights[b].value;
    return x != y ? x > y : a < b;
  });
  const auto top_k = static_cast<Index>(call.input("top_k").integer(index));
  row.top_k = top_k == 0 ? row.order.size() : top_k;
  row.top_p = call.input("top_p")[index];
  row.uniform = call.input("uniform")[index];
  return row;
}

template <typename Number>
Number sum_of(const Call& call, const std::vector<Number>& weights, const std::vector<Index>& order,
              Index count) {
  Sum<Number> sum(call);
  for (Index rank = 0; rank < count; ++rank) sum.add(weights[order[rank]]);
  return sum.total();
}

// One legal draw: of equal weights the lower ids are kept, and no more than needed.
template <typename Number>
Index draw(const Call& call, const Row<Number>& row) {
  const Number cut = constant<Number>(row.top_p) * sum_of(call, row.weights, row.order, row.top_k);
  std::vector<bool> kept(row.weights.size(), false);
  Number mass = constant<Number>(0);
  Index count = 0;
  do {
    kept[row.order[count]] = true;
    mass = mass + row.weights[row.order[count]];
    ++count;
  } while (count < row.top_k && mass.value < cut.value);
  const Number mark = constant<Number>(row.uniform) * sum_of(call, row.weights, row.order, count);
  Number below = constant<Number>(0);
  Index drawn = row.order[0];
  for (Index id = 0; id < kept.size(); ++id) {
    if (!kept[id] || row.weights[id].value == 0) continue;
    drawn = id;
    below = below + row.weights[id];
    if (below.value > mark.value) break;
  }
  return drawn;
}

template <typename Number>
void sampling(const Call& call) {
  const Output& token = call.output("token");
  call.for_each(call.dim("rows"), [&](std::int64_t i) {
    const Row<Number> row = read_row<Number>(call, i);
    token.set_integer(i, row.weights.empty() ? 0 : static_cast<std::int64_t>(draw(call, row)));
  });
}

// How far a running fp32 sum strays on the way. Of many weights of few different sizes the
// roundings all point one way: far beyond a random walk, and still what plain kernels do.
double drift(const std::vector<Exact>& weights, const std::vector<Index>& ids) {
  double exact = 0;
  float running = 0;
  double most = 0;
  for (const Index id : ids) {
    const double weight = weights[id].value;
    exact += weight;
    running += static_cast<float>(weight);
    most = std::max(most, std::fabs(static_cast<double>(running) - exact));
  }
  return most;
}

// Of any sum of the `count` heaviest, and of comparing two of them.
double tolerance_of(const Call& call, const Row<Exact>& row, Index count) {
  std::vector<Index> ids(row.order.begin(), row.order.begin() + static_cast<std::ptrdiff_t>(count));
  Exact sum;
  for (const Index id : ids) {
    sum = {sum.value + row.weights[id].value, sum.error + row.weights[id].error};
  }
  const double walked =
      call.accumulate_unit * sum_growth(static_cast<std::int64_t>(count)) * sum.value;
  double strayed = drift(row.weights, ids);
  std::reverse(ids.begin(), ids.end());
  strayed = std::max(strayed, drift(row.weights, ids));
  std::sort(ids.begin(), ids.end());
  strayed = std::max(strayed, drift(row.weights, ids));
  return 2 * (sum.error + std::max(walked, strayed)) + 8 * kUnit * sum.value;
}

// What legal implementations keep of a row: each token never, perhaps (a tie at a threshold, or so
// near to it that rounding decides) or always.
struct Kept {
  enum State : unsigned char { kNever, kPerhaps, kAlways };
  std::vector<unsigned char> states;  // by id
  double least = 0;                   // the smallest mass that is kept in all
  double tolerance = 0;               // of a sum of weights
};

Kept kept_of(const Call& call, const Row<Exact>& row) {
  const auto weight = [&](Index rank) { return row.weights[row.order[rank]]; };
  const auto heavier = [&](Index a, Index b) {
    return weight(a).value - weight(a).error > weight(b).value + weight(b).error;
  };
  std::vector<double> mass(row.order.size() + 1, 0);  // of the heaviest so many
  for (Index rank = 0; rank < row.order.size(); ++rank)
    mass[rank + 1] = mass[rank] + weight(rank).value;
  // Top-k: ranks before `sure` are kept, those from `reach` on are not, those between are tied.
  Index reach = row.top_k;
  while (reach < row.order.size() && !heavier(row.top_k - 1, reach)) ++reach;
  Index sure = row.top_k;
  if (reach > row.top_k) {
    while (sure > 0 && !heavier(sure - 1, row.top_k - 1)) --sure;
  }
  Kept kept;
  kept.states.assign(row.order.size(), Kept::kNever);
  kept.tolerance = tolerance_of(call, row, reach);
  kept.least = row.top_p * mass[row.top_k] - kept.tolerance;
  const double most = row.top_p * mass[reach] + kept.tolerance;
  // Top-p: ranks before `first` are certainly heavier, those from `last` on certainly lighter.
  Index first = 0;
  Index last = 0;
  for (Index rank = 0; rank < reach; ++rank) {
    while (heavier(first, rank)) ++first;
    last = std::max(last, rank + 1);
    while (last < reach && !heavier(rank, last)) ++last;
    const bool always = rank < sure && (last == 1 || mass[last] - weight(rank).value < kept.least);
    if (always || first == 0 || mass[first] < most) {
      kept.states[row.order[rank]] = always ? Kept::kAlways : Kept::kPerhaps;
    }
  }
  return kept;
}

// How far the uniform lies outside the token's interval, in units of the tolerance, over every
// choice among the tokens that are perhaps kept whose mass suffices.
double excess_of(const Row<Exact>& row, const Kept& kept, Index token) {
  double before = 0;  // always kept, and perhaps kept: with lower ids, with higher ones
  double after = 0;
  double perhaps_before = 0;
  double perhaps_after = 0;
  const double own = row.weights[token].value;
  for (Index id = 0; id < row.weights.size(); ++id) {
    if (id == token || kept.states[id] == Kept::kNever) continue;
    const double weight = row.weights[id].value;
    if (kept.states[id] == Kept::kAlways) (id < token ? before : after) += weight;
    if (kept.states[id] == Kept::kPerhaps) (id < token ? perhaps_before : perhaps_after) += weight;
  }
  const double needed = std::max(0.0, kept.least - before - own - after);
  // Where the interval starts, less the mark, with so much chosen before and after the token.
  const auto start = [&](double chosen_before, double chosen_after) {
    const double all = before + own + after + chosen_before + chosen_after;
    return before + chosen_before - row.uniform * all;
  };
  const double lowest = start(std::max(0.0, needed - perhaps_after), perhaps_after);
  const double highest = start(perhaps_before, std::max(0.0, needed - perhaps_before));
  return std::max(lowest, -own - highest) / (kept.tolerance + row.weights[token].error);
}

void judge(const Call& call, const Tensor* written, Judgement& judgement) {
  for (std::int64_t i = 0; i < call.dim("rows"); ++i) {
    const std::int64_t token = written[0].integer(i);
    if (token < 0 || token >= call.dim("vocab")) {
      judgement.reject("token", i, "there is no such token", kAny);
      continue;
    }
    const Row<Exact> row = read_row<Exact>(call, i);
    if (row.weights.empty()) continue;
    const auto id = static_cast<Index>(token);
    const Kept kept = kept_of(call, row);
    if (row.weights[id].value == 0 && row.weights[id].error == 0) {
      judgement.reject("token", i, "its probability is 0", kAny);
    } else if (kept.states[id] == Kept::kNever) {
      judgement.reject("token", i, "top-k or top-p cuts it off", kAny);
    } else if (const double excess = excess_of(row, kept, id); excess > 1) {
      judgement.reject("token", i, "the uniform lies outside its interval of the CDF", excess);
    }
  }
}

}  // namespace

TENSORPATH_REFERENCE_WITH_JUDGE(sampling, judge)
