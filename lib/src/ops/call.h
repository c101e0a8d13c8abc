// A case as the reference sees it: borrowed views of tensors, dims and attributes.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include <tensorpath/ops/cases.h>
#include <tensorpath/ops/reference.h>
#include <tensorpath/ops/truth.h>

namespace tensorpath {

class CallView {
 public:
  // Everything given must outlive the view. `truth` may be null when no output is written.
  CallView(const OperatorSpec& spec, const Domain& domain, const Case& one, const CaseData& data,
           Truth* truth, const reference::Emulation* emulation);

  [[nodiscard]] const reference::Call& call() const { return call_; }

 private:
  std::vector<reference::NamedInteger> dims_;
  std::vector<reference::NamedNumber> attributes_;
  std::vector<reference::Tensor> inputs_;
  std::vector<reference::Output> outputs_;
  std::vector<reference::Rounding> roundings_;
  reference::Call call_{};
};

[[nodiscard]] reference::Tensor view_of(const TensorData& tensor);

}  // namespace tensorpath
