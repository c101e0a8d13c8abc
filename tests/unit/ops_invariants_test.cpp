// The relations between two calls: the truth keeps them, in every type and at every operator that
// states one; results that depend on where a row lies, or that do not scale, break them.
#include "catch.h"

#include <string>

#include <fmt/format.h>

#include <tensorpath/ops.h>

using namespace tensorpath;

namespace {

struct Call {
  CaseData data;
  Truth truth;
  std::vector<TensorData> written;
};

class Relations {
 public:
  Relations(const OperatorSpec& spec, DType dtype) : spec_(spec) {
    auto domain = make_domain(spec, dtype, {}, {});
    REQUIRE(domain);
    domain_ = std::move(*domain);
    const auto cases = smoke_cases(spec, domain_);
    REQUIRE(cases);
    one_ = cases->front();
    one_.regime = Regime::kNormal;
  }

  [[nodiscard]] CaseData contents() const {
    auto data = materialise(spec_, domain_, one_);
    REQUIRE(data);
    return std::move(*data);
  }

  // What a candidate that computes the truth writes.
  [[nodiscard]] Call call(CaseData data) const {
    auto truth = compute_truth(spec_, domain_, one_, data);
    REQUIRE(truth);
    auto written = write_truth(spec_, data, *truth);
    return {std::move(data), std::move(*truth), std::move(written)};
  }

  [[nodiscard]] const OperatorSpec& spec() const { return spec_; }

 private:
  const OperatorSpec& spec_;
  Domain domain_;
  Case one_;
};

const Operators& operators() {
  static const auto loaded = Operators::load({TENSORPATH_SOURCE_DIR "/kernels/ops"});
  REQUIRE(loaded);
  return *loaded;
}

std::string relation_of(const OperatorSpec& spec, const Call& first, const Call& next,
                        const Invariant& relation) {
  return broken_relation(spec, relation, {first.truth, first.written}, {next.truth, next.written});
}

TensorData& output_of(Call& call, const std::string& name) {
  for (TensorData& tensor : call.written) {
    if (tensor.name == name) return tensor;
  }
  FAIL("no output " << name);
  return call.written.front();
}

}  // namespace

TEST_CASE("the truth keeps every relation of every operator, in every type") {
  int tried = 0;
  for (const OperatorSpec& spec : operators().all()) {
    if (!has_relations(spec)) continue;
    for (const DType dtype : spec.dtypes) {
      INFO(spec.name << " " << name_of(dtype));
      const Relations relations(spec, dtype);
      const Call first = relations.call(relations.contents());
      auto next = follow_ups(spec, first.data);
      CHECK_FALSE(next.empty());
      for (FollowUp& follow_up : next) {
        const Call second = relations.call(std::move(follow_up.data));
        CHECK(relation_of(spec, first, second, *follow_up.relation).empty());
        ++tried;
      }
    }
  }
  CHECK(tried >= 30);
}

TEST_CASE("results that leave a relation are told, whatever the truth says of each alone") {
  for (const OperatorSpec& spec : operators().all()) {
    if (!has_relations(spec)) continue;
    INFO(spec.name);
    const Relations relations(spec, spec.dtypes.front());
    const Call first = relations.call(relations.contents());
    for (FollowUp& follow_up : follow_ups(spec, first.data)) {
      INFO(follow_up.relation->name);
      Call second = relations.call(std::move(follow_up.data));
      // As if the reference, too, were wrong in the second call only.
      TensorData& output = output_of(second, follow_up.relation->output);
      for (double& value : output.values) value = value * 1.5 + 1;
      const std::string broken = relation_of(spec, first, second, *follow_up.relation);
      CHECK(broken.find(follow_up.relation->name) == 0);
      CHECK(broken.find("times what is allowed") != std::string::npos);
    }
  }
}

TEST_CASE("turning moves whole rows, scaling multiplies, and padding stays") {
  const auto rmsnorm = operators().find("rmsnorm");
  REQUIRE(rmsnorm);
  auto domain = make_domain(**rmsnorm, DType::kFp32, {{"rows", 3, 3}, {"hidden", 5, 5}}, {});
  REQUIRE(domain);
  Case one;
  one.dims = {{"rows", 3}, {"hidden", 5}};
  one.strided = true;
  const auto data = materialise(**rmsnorm, *domain, one);
  REQUIRE(data);
  const auto next = follow_ups(**rmsnorm, *data);
  REQUIRE(next.size() == 1);
  const TensorData& before = data->inputs.front();
  const TensorData& after = next.front().data.inputs.front();
  REQUIRE(before.pitch > before.columns);
  for (std::size_t i = 0; i < 15; ++i) CHECK(after.values[(i + 5) % 15] == before.values[i]);
  const std::size_t row = static_cast<std::size_t>(before.columns) * 4;
  CHECK(std::equal(before.storage.begin() + static_cast<std::ptrdiff_t>(row),
                   before.storage.begin() + static_cast<std::ptrdiff_t>(before.pitch * 4),
                   after.storage.begin() + static_cast<std::ptrdiff_t>(row)));
  CHECK(next.front().data.inputs[1].storage == data->inputs[1].storage);
}

TEST_CASE("contents that would overflow when scaled make no follow-up") {
  const auto mean = operators().find("mean_last");
  REQUIRE(mean);
  auto domain = make_domain(**mean, DType::kFp16, {{"rows", 2, 2}, {"hidden", 4, 4}}, {});
  REQUIRE(domain);
  Case one;
  one.dims = {{"rows", 2}, {"hidden", 4}};
  auto data = materialise(**mean, *domain, one);
  REQUIRE(data);
  CHECK(follow_ups(**mean, *data).size() == 2);
  TensorData& x = data->inputs.front();
  store_bits(x.dtype, x.storage.data(), 0, encode(x.dtype, 60000));
  read_storage(x);
  const auto next = follow_ups(**mean, *data);
  REQUIRE(next.size() == 1);
  CHECK(next.front().relation->rule == Invariant::Rule::kPermuteRows);
}
