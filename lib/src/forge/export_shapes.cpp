#include "export_shapes.h"

#include <algorithm>

namespace tensorpath::forge {
namespace {

constexpr std::int64_t kMostElements = 4'000'000;  // of one tensor
constexpr std::int64_t kMostFlops = 400'000'000;   // a second of one thread
constexpr std::size_t kMostOfAKind = 4;

class Shapes {
 public:
  explicit Shapes(const KernelTask& task) : op_(*task.op), domain_(task.domain) {}

  void add(const Symbols& dims) {
    std::vector<DimRange> fixed;
    bool inside = true;
    for (const DimRange& range : domain_.dims) {
      const std::int64_t size = dims.find(range.name)->second;
      fixed.push_back({range.name, size, size});
      inside = inside && size >= range.least && size <= range.most;
    }
    const auto alike = std::count_if(shapes_.begin(), shapes_.end(),
                                     [&](const ExampleShape& one) { return one.inside == inside; });
    const bool known = std::any_of(shapes_.begin(), shapes_.end(),
                                   [&](const ExampleShape& one) { return one.dims == dims; });
    if (known || static_cast<std::size_t>(alike) >= kMostOfAKind) return;
    const auto domain = make_domain(op_, domain_.dtype, fixed, domain_.attributes);
    if (domain && small_enough(*domain, dims)) shapes_.push_back({dims, inside});
  }

  std::vector<ExampleShape> shapes_;

 private:
  bool small_enough(const Domain& domain, const Symbols& dims) const {
    Case one;
    one.dims = dims;
    const auto flops = op_.flops.evaluate(symbols_of(op_, domain, one));
    if (!flops || *flops > kMostFlops) return false;
    for (const auto* tensors : {&op_.inputs, &op_.outputs}) {
      for (const TensorSpec& tensor : *tensors) {
        const auto shaped = shape_tensor(op_, tensor, domain, one);
        if (!shaped || shaped->size > kMostElements || shaped->size == 0) return false;
      }
    }
    return true;
  }

  const OperatorSpec& op_;
  const Domain& domain_;
};

}  // namespace

std::vector<ExampleShape> example_shapes(const KernelTask& task, const Symbols& tuned) {
  Shapes shapes(task);
  shapes.add(tuned);
  Symbols least;
  Symbols typical;
  for (std::size_t i = 0; i < task.domain.dims.size(); ++i) {
    const DimRange& range = task.domain.dims[i];
    least[range.name] = range.least;
    typical[range.name] = task.op->dims[i].typical;
  }
  shapes.add(least);
  for (const Symbols& base : {tuned, least}) {
    for (const DimRange& range : task.domain.dims) {
      for (const std::int64_t size :
           {range.least, range.most, (range.least + range.most) / 2, range.most + 1,
            range.least - 1, 2 * range.most, range.most / 2, range.most + 8, range.most + 32}) {
        Symbols dims = base;
        dims[range.name] = size;
        shapes.add(dims);
      }
    }
  }
  for (const Symbols& smoke : task.op->smoke) shapes.add(smoke);
  shapes.add(typical);
  return std::move(shapes.shapes_);
}

}  // namespace tensorpath::forge
