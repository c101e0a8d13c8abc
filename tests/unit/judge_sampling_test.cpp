// The judge of sampled tokens: what FlashInfer and vLLM would draw passes, what no cut allows does
#include "catch.h"

// not.
#include "reference_example.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <tensorpath/base/random.h>

namespace tensorpath {
namespace {

using test::Contents;
using test::Example;
using Messages = std::vector<std::string>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Example row_of(const std::vector<double>& logits, double top_k, double top_p, double uniform) {
  const auto vocab = static_cast<std::int64_t>(logits.size());
  return {"sampling",
          {{"rows", 1}, {"vocab", vocab}},
          {},
          {{"logits", {1, vocab}, logits},
           {"top_k", {1}, {top_k}},
           {"top_p", {1}, {top_p}},
           {"uniform", {1}, {uniform}}}};
}

// The tokens that pass.
std::vector<int> legal(const std::vector<double>& logits, double top_k, double top_p,
                       double uniform) {
  const Example example = row_of(logits, top_k, top_p, uniform);
  std::vector<int> found;
  for (int token = 0; token < static_cast<int>(logits.size()); ++token) {
    const double written = token;
    if (example.judge({{"token", {1}, {written}}}).empty()) found.push_back(token);
  }
  return found;
}

const std::vector<double> kFour = {std::log(0.1), std::log(0.4), std::log(0.2), std::log(0.3)};

TEST_CASE("the uniform picks by the CDF in order of ids") {
  CHECK(legal(kFour, 0, 1, 0.05) == std::vector{0});
  CHECK(legal(kFour, 0, 1, 0.3) == std::vector{1});
  CHECK(legal(kFour, 0, 1, 0.6) == std::vector{2});
  CHECK(legal(kFour, 0, 1, 0.9) == std::vector{3});
  CHECK(legal(kFour, 0, 1, 0) == std::vector{0});
  // Where two intervals meet, rounding decides.
  CHECK(legal(kFour, 0, 1, 0.5) == std::vector{1, 2});
}

TEST_CASE("top-k cuts, and what is left is renormalised") {
  // 0.4 and 0.3 are left: ids 1 and 3 meet at 4/7.
  CHECK(legal(kFour, 2, 1, 0.05) == std::vector{1});
  CHECK(legal(kFour, 2, 1, 0.55) == std::vector{1});
  CHECK(legal(kFour, 2, 1, 0.6) == std::vector{3});
  CHECK(legal(kFour, 1, 1, 0.99) == std::vector{1});
}

TEST_CASE("top-p is a share of what top-k left, the last token that reaches it included") {
  // Top-3 leaves 0.9; 0.75 of it is 0.675, which 0.4 and 0.3 reach. Of all it would take 0.2 too.
  CHECK(legal(kFour, 3, 0.75, 0.99) == std::vector{3});
  CHECK(legal(kFour, 0, 0.75, 0.6) == std::vector{2});
  CHECK(legal(kFour, 0, 0.5, 0.3) == std::vector{1});
  CHECK(legal(kFour, 0, 0.5, 0.99) == std::vector{3});
  // One token at the least.
  CHECK(legal(kFour, 0, 0, 0.99) == std::vector{1});
}

TEST_CASE("ties at a threshold: any that fill the cut, or all") {
  const std::vector<double> logits = {1, 0, 0, 0};
  CHECK(legal(logits, 2, 1, 0.05) == std::vector{0});
  CHECK(legal(logits, 2, 1, 0.99) == std::vector{1, 2, 3});
  // The two of {0, 1} draw 0, the three of {0, 2, 3} draw 2, all four draw 1.
  CHECK(legal(logits, 2, 1, 0.6) == std::vector{0, 1, 2});
  // No tie reaches into the cut here.
  CHECK(legal({1, 2, 0, 0}, 2, 1, 0.99) == std::vector{1});
  // Half of five equal ones: three, any of them, or all five.
  CHECK(legal({0, 0, 0, 0, 0}, 0, 0.5, 0.99) == std::vector{2, 3, 4});
}

TEST_CASE("masked tokens are never drawn, rows without probabilities draw any") {
  CHECK(legal({-kInfinity, 0, -kInfinity, 0}, 0, 1, 0) == std::vector{1});
  CHECK(legal({-kInfinity, 0, -kInfinity, 0}, 3, 1, 0.9999999) == std::vector{3});
  CHECK(legal({-3e38, 3e38, 0}, 0, 1, 0.5) == std::vector{1});
  const std::vector<double> nan = {0, std::nan(""), 0};
  CHECK(legal(nan, 1, 0.5, 0.5) == std::vector{0, 1, 2});
  CHECK(legal({-kInfinity, -kInfinity}, 1, 0.5, 0.5) == std::vector{0, 1});
  CHECK(row_of(nan, 1, 0.5, 0.5).judge({{"token", {1}, {3}}}) ==
        Messages{"token[0]: there is no such token"});
  CHECK(row_of(nan, 1, 0.5, 0.5).judge({{"token", {1}, {-1}}}) ==
        Messages{"token[0]: there is no such token"});
}

// Whole rows against other implementations in fp32.
struct Drawn {
  std::vector<double> logits;
  std::int64_t top_k = 0;
  float top_p = 1;
  float uniform = 0;
};

Drawn random_row(Random& random) {
  Drawn row;
  // Steps of 1/8, so that many are equal.
  const bool coarse = random.chance(0.5);
  row.logits.resize(static_cast<std::size_t>(random.between(1, 3000)));
  for (double& logit : row.logits) {
    logit = coarse ? std::nearbyint(random.normal() * 16) / 8
                   : static_cast<double>(static_cast<float>(random.normal() * 2));
  }
  const auto vocab = static_cast<std::int64_t>(row.logits.size());
  row.top_k = random.chance(0.2) ? 0 : random.between(1, std::min<std::int64_t>(vocab, 50));
  row.top_p = random.chance(0.2) ? 1.0F : static_cast<float>(random.uniform());
  row.uniform = static_cast<float>(random.uniform());
  return row;
}

std::vector<float> probabilities(const std::vector<double>& logits, float cut) {
  const auto most = static_cast<float>(*std::max_element(logits.begin(), logits.end()));
  std::vector<float> found;
  float sum = 0;
  for (const double logit : logits) {
    const auto x = static_cast<float>(logit);
    found.push_back(x < cut ? 0.0F : std::exp(x - most));
    sum += found.back();
  }
  for (float& p : found) p /= sum;
  return found;
}

std::size_t first_above(const std::vector<float>& weights, float uniform) {
  const float mark = uniform * std::accumulate(weights.begin(), weights.end(), 0.0F);
  float below = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    last = i;
    below += weights[i];
    if (below > mark) break;
  }
  return last;
}

float kth_logit(const Drawn& row) {
  std::vector<double> sorted = row.logits;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  return row.top_k == 0 ? -1e30F
                        : static_cast<float>(sorted[static_cast<std::size_t>(row.top_k) - 1]);
}

// vLLM: a mask of logits below the k-th, then ascending sums of probabilities against 1 - p.
std::size_t by_ascending_sums(const Drawn& row) {
  std::vector<float> p = probabilities(row.logits, kth_logit(row));
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return p[a] < p[b]; });
  float sum = 0;
  for (std::size_t rank = 0; rank + 1 < order.size(); ++rank) {
    sum += p[order[rank]];
    if (sum <= 1 - row.top_p) p[order[rank]] = 0;
  }
  return first_above(p, row.uniform);
}

// FlashInfer: the largest pivot such that what is at least as probable holds p; ties all stay.
std::size_t by_pivot(const Drawn& row) {
  std::vector<float> p = probabilities(row.logits, kth_logit(row));
  std::vector<float> pivots = p;
  std::sort(pivots.begin(), pivots.end(), std::greater<>());
  pivots.erase(std::unique(pivots.begin(), pivots.end()), pivots.end());
  float pivot = 0;
  for (const float candidate : pivots) {
    pivot = candidate;
    float held = 0;
    for (const float one : p) held += one >= pivot ? one : 0;
    if (held >= row.top_p) break;
  }
  for (float& one : p) one = one >= pivot ? one : 0;
  return first_above(p, row.uniform);
}

Messages judged(const Drawn& row, std::size_t token) {
  return row_of(row.logits, static_cast<double>(row.top_k), row.top_p, row.uniform)
      .judge({{"token", {1}, {static_cast<double>(token)}}});
}

TEST_CASE("implementations that differ in how they cut and sum pass") {
  Random random(Key{});
  for (int i = 0; i < 400; ++i) {
    const Drawn row = random_row(random);
    INFO("row " << i << ", " << row.logits.size() << " tokens, top-k " << row.top_k << ", top-p "
                << row.top_p << ", uniform " << row.uniform);
    CHECK(judged(row, by_ascending_sums(row)) == Messages{});
    CHECK(judged(row, by_pivot(row)) == Messages{});
    using Order = reference::Emulation::Order;
    for (const Order order : {Order::kForward, Order::kBackward, Order::kPairwise, Order::kLanes}) {
      const reference::Emulation emulation{order, reference::kUnit};
      const auto token = row_of(row.logits, static_cast<double>(row.top_k), row.top_p, row.uniform)
                             .truth({{"token", {1}, {}}}, &emulation);
      CHECK(judged(row, static_cast<std::size_t>(token[0].values[0])) == Messages{});
    }
  }
}

TEST_CASE("wrong samplers are caught in many rows") {
  Random random(Key{1});
  int no_top_k = 0;
  int no_top_p = 0;
  int greedy = 0;
  int joint = 0;
  int next = 0;
  for (int i = 0; i < 200; ++i) {
    Drawn row = random_row(random);
    row.top_k = std::max<std::int64_t>(row.top_k, 1);
    Drawn changed = row;
    changed.top_k = 0;
    no_top_k += judged(row, by_pivot(changed)).empty() ? 0 : 1;
    changed = row;
    changed.top_p = 1;
    no_top_p += judged(row, by_pivot(changed)).empty() ? 0 : 1;
    changed.top_k = 1;
    greedy += judged(row, by_pivot(changed)).empty() ? 0 : 1;
    // Top-p of all tokens, not of those that top-k left.
    changed = row;
    const std::vector<float> p = probabilities(row.logits, kth_logit(row));
    const std::vector<float> all = probabilities(row.logits, -1e30F);
    const auto top = static_cast<std::size_t>(std::max_element(p.begin(), p.end()) - p.begin());
    changed.top_p = std::min(1.0F, row.top_p * p[top] / all[top]);
    joint += judged(row, by_pivot(changed)).empty() ? 0 : 1;
    next += judged(row, std::min(by_pivot(row) + 1, row.logits.size() - 1)).empty() ? 0 : 1;
  }
  INFO("caught of 200: no top-k " << no_top_k << ", no top-p " << no_top_p << ", greedy " << greedy
                                  << ", top-p first " << joint << ", the next token " << next);
  CHECK(no_top_k > 100);
  CHECK(no_top_p > 50);
  CHECK(greedy > 50);
  CHECK(joint > 30);
  CHECK(next > 150);
}

}  // namespace
}  // namespace tensorpath
