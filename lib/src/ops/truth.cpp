#include "call.h"

#include <cmath>
#include <exception>

#include <fmt/format.h>

#include <tensorpath/base/parallel.h>
#include <tensorpath/ops/truth.h>

namespace tensorpath {

reference::Tensor view_of(const TensorData& tensor) {
  return {tensor.name.c_str(), tensor.values.data(), tensor.bits.data(),
          tensor.size,         tensor.shape.data(),  static_cast<int>(tensor.shape.size())};
}

CallView::CallView(const OperatorSpec& spec, const Domain& domain, const Case& one,
                   const CaseData& data, Truth* truth, const reference::Emulation* emulation) {
  for (const DimSpec& dim : spec.dims) {
    dims_.push_back({dim.name.c_str(), one.dims.find(dim.name)->second});
  }
  for (const auto& [name, value] : domain.attributes) attributes_.push_back({name.c_str(), value});
  for (const TensorData& input : data.inputs) inputs_.push_back(view_of(input));
  for (std::size_t i = 0; i < data.outputs.size(); ++i) {
    const TensorData& output = data.outputs[i];
    if (spec.outputs[i].inout) inputs_.push_back(view_of(output));
    if (truth == nullptr) continue;
    OutputTruth& to = (*truth)[i];
    const auto size = static_cast<std::size_t>(output.size);
    to.values.assign(size, 0);
    to.errors.assign(size, 0);
    to.legal.assign(size, 0);
    const bool bitwise = spec.outputs[i].rule == Rule::kBitwise;
    if (bitwise) to.bits.assign(size, 0);
    outputs_.push_back({output.name.c_str(), to.values.data(), to.errors.data(),
                        bitwise ? to.bits.data() : nullptr, to.legal.data(), output.size,
                        output.shape.data(), static_cast<int>(output.shape.size())});
  }
  for (const RoundingSpec& rounding : spec.roundings) {
    const DType dtype =
        rounding.dtype == "T" ? domain.dtype : dtype_of(rounding.dtype).value_or(domain.dtype);
    roundings_.push_back({rounding.name.c_str(), unit_roundoff(dtype), smallest_normal(dtype),
                          smallest_positive(dtype), largest_finite(dtype)});
  }
  call_ = {dims_.data(),
           static_cast<int>(dims_.size()),
           attributes_.data(),
           static_cast<int>(attributes_.size()),
           inputs_.data(),
           static_cast<int>(inputs_.size()),
           outputs_.data(),
           static_cast<int>(outputs_.size()),
           roundings_.data(),
           static_cast<int>(roundings_.size()),
           unit_roundoff(spec.accumulate),
           emulation,
           [](std::int64_t count, void (*body)(void*, std::int64_t), void* state) {
             parallel_for(count, [body, state](std::int64_t i) { body(state, i); });
           }};
}

Expected<Truth> compute_truth(const OperatorSpec& spec, const Domain& domain, const Case& one,
                              const CaseData& data, const reference::Emulation* emulation) {
  Truth truth(spec.outputs.size());
  const CallView view(spec, domain, one, data, &truth, emulation);
  try {
    spec.reference->truth(view.call());
  } catch (const std::exception& mistake) {
    return fail(ExitCode::kUsage,
                fmt::format("the reference of {}: {}", spec.name, mistake.what()));
  }
  return truth;
}

std::vector<TensorData> write_truth(const OperatorSpec& spec, const CaseData& data,
                                    const Truth& truth) {
  std::vector<TensorData> written = data.outputs;
  for (std::size_t i = 0; i < written.size(); ++i) {
    TensorData& tensor = written[i];
    const OutputTruth& from = truth[i];
    tensor.storage.resize(
        static_cast<std::size_t>(bytes_of(tensor.dtype, tensor.storage_elements())));
    for (std::int64_t row = 0; row < tensor.rows; ++row) {
      for (std::int64_t column = 0; column < tensor.columns; ++column) {
        const auto at = static_cast<std::size_t>(row * tensor.columns + column);
        store_bits(tensor.dtype, tensor.storage.data(), row * tensor.pitch + column,
                   spec.outputs[i].rule == Rule::kBitwise ? from.bits[at]
                                                          : encode(tensor.dtype, from.values[at]));
      }
    }
    read_storage(tensor);
  }
  return written;
}

}  // namespace tensorpath
