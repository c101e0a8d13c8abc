// The judge of expert selections: any order and any of equal experts, the weights of those chosen.
#include "catch.h"
#include "reference_example.h"

#include <cmath>
#include <limits>

#include <tensorpath/base/random.h>

namespace tensorpath {
namespace {

using test::Contents;
using test::Example;
using Messages = std::vector<std::string>;

Example routing(const std::vector<double>& logits, std::int64_t topk, bool renormalize) {
  const auto experts = static_cast<std::int64_t>(logits.size());
  return {"moe_topk_softmax",
          {{"tokens", 1}, {"experts", experts}, {"topk", topk}},
          {{"renormalize", renormalize ? 1.0 : 0.0}},
          {{"logits", {1, experts}, logits}}};
}

Messages judged(const Example& example, const std::vector<double>& weights,
                const std::vector<double>& indices) {
  const auto topk = static_cast<std::int64_t>(weights.size());
  return example.judge({{"weights", {1, topk}, weights}, {"indices", {1, topk}, indices}});
}

const std::vector<double> kFour = {std::log(0.1), std::log(0.4), std::log(0.2), std::log(0.3)};
const double kF4 = static_cast<double>(0.4F);
const double kF3 = static_cast<double>(0.3F);

TEST_CASE("the heaviest experts in any order, with their own weights") {
  const Example plain = routing(kFour, 2, false);
  CHECK(judged(plain, {kF4, kF3}, {1, 3}) == Messages{});
  CHECK(judged(plain, {kF3, kF4}, {3, 1}) == Messages{});
  CHECK(judged(plain, {kF4, kF3}, {3, 1}).size() == 2);
  CHECK(judged(plain, {kF4, 0.2}, {1, 2}) == Messages{"indices[1]: a heavier expert was left out"});
  CHECK(judged(plain, {kF4, kF4}, {1, 1}) == Messages{"indices[1]: the expert was chosen before"});
  CHECK(judged(plain, {kF4, kF3}, {1, 4}) == Messages{"indices[1]: there is no such expert"});
  CHECK(judged(plain, {kF4, kF3 * 1.0001}, {1, 3}) ==
        Messages{"weights[1]: not the weight of the expert that was chosen"});
  CHECK(judged(plain, {kF4, std::nan("")}, {1, 3}).size() == 1);
}

TEST_CASE("renormalised weights sum to one, plain ones do not") {
  const Example example = routing(kFour, 2, true);
  const auto four_sevenths = static_cast<double>(4.0F / 7);
  CHECK(judged(example, {four_sevenths, 1 - four_sevenths}, {1, 3}) == Messages{});
  CHECK(judged(example, {kF4, kF3}, {1, 3}).size() == 2);
  CHECK(judged(routing(kFour, 2, false), {four_sevenths, 1 - four_sevenths}, {1, 3}).size() == 2);
}

TEST_CASE("of equal experts any may be chosen") {
  const Example example = routing({0, 1, 0, 0}, 2, true);
  const double heavy = std::exp(1.0) / (std::exp(1.0) + 1);
  for (const double second : {0.0, 2.0, 3.0}) {
    CHECK(judged(example, {heavy, 1 - heavy}, {1, second}) == Messages{});
  }
  CHECK(judged(example, {0.5, 0.5}, {0, 2}).size() == 2);
}

TEST_CASE("rows without weights still want different experts in range") {
  const Example example = routing({0, std::nan(""), 0}, 2, true);
  CHECK(judged(example, {7, std::nan("")}, {2, 0}) == Messages{});
  CHECK(judged(example, {7, 7}, {2, 2}).size() == 1);
  CHECK(judged(example, {7, 7}, {2, -1}).size() == 1);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  // -infinity weighs nothing, and is taken when nothing else is left.
  CHECK(judged(routing({-kInfinity, 0, -kInfinity}, 2, true), {1, 0}, {1, 0}) == Messages{});
  CHECK(judged(routing({-kInfinity, 0, -1}, 2, false), {1, 0}, {1, 0}).size() == 2);
}

TEST_CASE("plain fp32 passes in every order of summation") {
  Random random(Key{});
  for (int i = 0; i < 300; ++i) {
    std::vector<double> logits(static_cast<std::size_t>(random.between(8, 512)));
    const double spread = random.chance(0.3) ? 60 : 3;
    for (double& logit : logits) {
      logit = static_cast<double>(static_cast<float>(spread * random.normal()));
    }
    const std::int64_t topk = random.between(1, 8);
    const Example example = routing(logits, topk, i % 2 == 0);
    using Order = reference::Emulation::Order;
    for (const Order order : {Order::kForward, Order::kBackward, Order::kPairwise, Order::kLanes}) {
      const reference::Emulation emulation{order, reference::kUnit};
      CHECK(example.judge(example.truth({{"weights", {1, topk}, {}}, {"indices", {1, topk}, {}}},
                                        &emulation)) == Messages{});
    }
  }
}

}  // namespace
}  // namespace tensorpath
