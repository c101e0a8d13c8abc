// A case of an operator, written by hand: dims, attributes, inputs, and what a candidate wrote.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include <tensorpath/ops/operator.h>
#include <tensorpath/ops/reference.h>

namespace tensorpath::test {

struct Contents {
  const char* name;
  std::vector<std::int64_t> shape;
  std::vector<double> values;
};

class Example {
 public:
  Example(const char* op, std::vector<reference::NamedInteger> dims,
          std::vector<reference::NamedNumber> attributes, std::vector<Contents> inputs)
      : entry_(find_reference(op)),
        dims_(std::move(dims)),
        attributes_(std::move(attributes)),
        inputs_(std::move(inputs)) {}

  // What the judge says of the outputs: "token[1]: there is no such token".
  [[nodiscard]] std::vector<std::string> judge(const std::vector<Contents>& outputs) const {
    struct Sink : reference::Judgement {
      std::vector<std::string> found;
      void reject(const char* output, std::int64_t index, const std::string& what,
                  double /*excess*/) override {
        found.push_back(std::string(output) + "[" + std::to_string(index) + "]: " + what);
      }
    } sink;
    const std::vector<reference::Tensor> inputs = views(inputs_);
    const std::vector<reference::Tensor> written = views(outputs);
    entry_->judge(call(inputs, {}, nullptr), written.data(), sink);
    return sink.found;
  }

  // What the reference writes into outputs of these shapes; plain fp32 where an emulation is given.
  [[nodiscard]] std::vector<Contents> truth(std::vector<Contents> outputs,
                                            const reference::Emulation* emulation = nullptr) const {
    const std::vector<reference::Tensor> inputs = views(inputs_);
    std::vector<reference::Output> targets;
    std::deque<std::vector<double>> errors;
    std::deque<std::vector<unsigned char>> legal;
    for (Contents& output : outputs) {
      std::int64_t size = 1;
      for (const std::int64_t dim : output.shape) size *= dim;
      const auto count = static_cast<std::size_t>(size);
      output.values.assign(count, 0);
      targets.push_back({output.name, output.values.data(), errors.emplace_back(count).data(),
                         nullptr, legal.emplace_back(count).data(), size, output.shape.data(),
                         static_cast<int>(output.shape.size())});
    }
    entry_->truth(call(inputs, targets, emulation));
    return outputs;
  }

 private:
  static std::vector<reference::Tensor> views(const std::vector<Contents>& all) {
    std::vector<reference::Tensor> found;
    for (const Contents& one : all) {
      found.push_back({one.name, one.values.data(), nullptr,
                       static_cast<std::int64_t>(one.values.size()), one.shape.data(),
                       static_cast<int>(one.shape.size())});
    }
    return found;
  }
  [[nodiscard]] reference::Call call(const std::vector<reference::Tensor>& inputs,
                                     const std::vector<reference::Output>& outputs,
                                     const reference::Emulation* emulation) const {
    return {dims_.data(),
            static_cast<int>(dims_.size()),
            attributes_.data(),
            static_cast<int>(attributes_.size()),
            inputs.data(),
            static_cast<int>(inputs.size()),
            outputs.data(),
            static_cast<int>(outputs.size()),
            nullptr,
            0,
            reference::kUnit,
            emulation,
            nullptr};
  }

  const reference::Entry* entry_;
  std::vector<reference::NamedInteger> dims_;
  std::vector<reference::NamedNumber> attributes_;
  std::vector<Contents> inputs_;
};

}  // namespace tensorpath::test
