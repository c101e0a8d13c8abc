#include "trial.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <tensorpath/ops/invariants.h>
#include <tensorpath/ops/mutants.h>

namespace tensorpath {
namespace {

// With the analysed bound off: what peers allow.
constexpr double kLooseRelative = 0.02;
constexpr double kLooseShare = 0.01;
// An error this small beside the output's largest element is one of precision, not of logic.
constexpr double kPrecisionShare = 1.0 / 32;

void weaken(const Defences& defences, Truth& truth) {
  for (OutputTruth& output : truth) {
    for (std::size_t i = 0; i < output.values.size(); ++i) {
      if (!defences.bound && std::isfinite(output.values[i])) {
        output.errors[i] += kLooseRelative * (1 + std::fabs(output.values[i]));
      }
      if (!defences.classes) output.legal[i] = 0x0F;
    }
  }
}

// Bytes between the rows that were not left as they were.
bool padding_changed(const TensorData& written, const TensorData& before, bool inout,
                     unsigned char poison) {
  for (std::int64_t row = 0; row + 1 < written.rows; ++row) {
    const std::int64_t begin = bytes_of(written.dtype, row * written.pitch + written.columns);
    const std::int64_t end = bytes_of(written.dtype, (row + 1) * written.pitch);
    for (std::int64_t i = begin; i < end; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (written.storage[at] != (inout ? before.storage[at] : poison)) return true;
    }
  }
  return false;
}

Failure classify(const ElementComparison& comparison, const Trial& trial) {
  if (comparison.untouched == comparison.wrong) return Failure::kNotWritten;
  const auto& all = comparison.mismatches;
  const bool classes = std::all_of(all.begin(), all.end(),
                                   [](const Mismatch& one) { return one.wrong == Wrong::kClass; });
  if (classes) return Failure::kWrongClass;
  const bool small = std::all_of(all.begin(), all.end(), [&](const Mismatch& one) {
    double largest = 0;
    for (const double value : trial.truth[static_cast<std::size_t>(one.output)].values) {
      if (std::isfinite(value)) largest = std::max(largest, std::fabs(value));
    }
    return one.wrong == Wrong::kValue &&
           std::fabs(one.got - one.expected) <= kPrecisionShare * largest;
  });
  return small ? Failure::kPrecision : Failure::kWrongResult;
}

// How wrong, not how many of how many: that would tell the size of a hidden case.
std::string in_words(const ElementComparison& comparison) {
  const Mismatch& worst = comparison.mismatches.front();
  if (!worst.what.empty()) return "wrong: " + worst.what;
  if (std::isinf(worst.excess)) return "wrong";
  return fmt::format("wrong, the worst by {:.3g} times what is allowed", worst.excess);
}

}  // namespace

Expected<Trial> make_unjudged_trial(const Subject& subject, const Case& one) {
  auto data = materialise(*subject.task.op, subject.task.domain, one);
  if (!data) return tl::unexpected(data.error());
  return Trial{one, std::move(*data), {}};
}

Expected<Trial> make_trial(const Subject& subject, const Case& one, CaseData data) {
  auto truth = compute_truth(*subject.task.op, subject.task.domain, one, data);
  if (!truth) return tl::unexpected(truth.error());
  weaken(subject.defences, *truth);
  return Trial{one, std::move(data), std::move(*truth)};
}

Expected<Trial> make_trial(const Subject& subject, const Case& one) {
  auto trial = make_unjudged_trial(subject, one);
  if (!trial) return trial;
  return make_trial(subject, one, std::move(trial->data));
}

Expected<CallSpec> call_of(const Subject& subject, const Trial& trial, const Placing& placing) {
  const OperatorSpec& op = *subject.task.op;
  CallSpec spec;
  spec.flush_end = placing.flush_end;
  spec.poison = placing.poison;
  spec.placement = placing.placement;
  spec.schedule = placing.schedule;
  spec.limit_s = subject.task.limits.call_s;
  spec.symbols = symbols_of(op, subject.task.domain, trial.one);
  spec.attributes = subject.task.domain.attributes;
  for (const DimSpec& dim : op.dims) spec.dims.push_back(dim.name);
  const auto add = [&](const TensorData& tensor, const TensorSpec& tensor_spec, bool output) {
    CallBuffer buffer;
    buffer.role = output ? CallBuffer::Role::kOutput : CallBuffer::Role::kInput;
    buffer.name = tensor.name;
    buffer.contents = output && !tensor_spec.inout ? nullptr : tensor.storage.data();
    buffer.bytes = static_cast<std::size_t>(bytes_of(tensor.dtype, tensor.storage_elements()));
    buffer.misalignment = static_cast<std::size_t>(bytes_of(tensor.dtype, tensor.offset_elements));
    spec.buffers.push_back(buffer);
    if (tensor_spec.strided) spec.strides.push_back(tensor.name + "_stride");
  };
  for (std::size_t i = 0; i < op.inputs.size(); ++i) add(trial.data.inputs[i], op.inputs[i], false);
  for (std::size_t i = 0; i < op.outputs.size(); ++i) {
    add(trial.data.outputs[i], op.outputs[i], true);
  }
  for (const PlanWorkspace& workspace : subject.candidate.plan.workspaces) {
    const auto bytes = workspace.bytes.evaluate(spec.symbols);
    if (!bytes) return tl::unexpected(bytes.error());
    if (*bytes < 0 || static_cast<std::uint64_t>(*bytes) > subject.task.limits.workspace_bytes) {
      return fail(ExitCode::kUsage,
                  fmt::format("workspace {} asks for {} bytes; the task allows {}", workspace.name,
                              *bytes, subject.task.limits.workspace_bytes));
    }
    CallBuffer buffer;
    buffer.role = CallBuffer::Role::kWorkspace;
    buffer.name = workspace.name;
    // Whole cache lines, so that its start is aligned to one wherever it ends.
    buffer.bytes = (static_cast<std::size_t>(*bytes) + 63) / 64 * 64;
    buffer.zeroed = workspace.zeroed;
    spec.buffers.push_back(buffer);
  }
  return spec;
}

Expected<Judged> judge(const Subject& subject, const Trial& trial, const Placing& placing,
                       const CallResult& result) {
  Judged judged;
  judged.refusal = result.refusal;
  if (judged.refusal.failure != Failure::kNone) return judged;
  const OperatorSpec& op = *subject.task.op;
  judged.written = trial.data.outputs;
  for (std::size_t i = 0; i < judged.written.size(); ++i) {
    judged.written[i].storage = result.outputs[i];
    read_storage(judged.written[i]);
    if (subject.defences.guards && padding_changed(judged.written[i], trial.data.outputs[i],
                                                   op.outputs[i].inout, placing.poison)) {
      judged.refusal = {
          Failure::kOutOfBounds,
          fmt::format("bytes between the rows of {} were written", op.outputs[i].name)};
      return judged;
    }
  }
  if (trial.truth.empty()) return judged;
  auto comparison = compare(op, subject.task.domain, trial.one, trial.data, trial.truth,
                            judged.written, placing.poison);
  if (!comparison) return tl::unexpected(comparison.error());
  judged.comparison = std::move(*comparison);
  const double share = static_cast<double>(judged.comparison.wrong) /
                       static_cast<double>(std::max<std::int64_t>(judged.comparison.elements, 1));
  const bool enough = !subject.defences.every_element && share <= kLooseShare;
  if (!judged.comparison.passed() && !enough) {
    judged.refusal = {classify(judged.comparison, trial), in_words(judged.comparison)};
    return judged;
  }
  if (!subject.defences.bound || !subject.defences.every_element) return judged;
  const auto broken = broken_invariants(op, trial.truth, judged.written);
  if (!broken.empty()) judged.refusal = {Failure::kInvariantBroken, broken.front()};
  return judged;
}

std::string suspect(const Subject& subject, const Trial& trial,
                    const std::vector<TensorData>& written) {
  const OperatorSpec& op = *subject.task.op;
  for (const Mutant& mutant : mutants_of(op, subject.task.domain)) {
    const auto wrong =
        write_mutant(op, subject.task.domain, trial.one, trial.data, trial.truth, mutant);
    if (!wrong) continue;
    std::int64_t equal = 0;
    std::int64_t all = 0;
    for (std::size_t i = 0; i < written.size(); ++i) {
      for (std::size_t j = 0; j < written[i].values.size(); ++j) {
        const double a = written[i].values[j];
        const double b = (*wrong)[i].values[j];
        ++all;
        // As close as two implementations of the same wrong thing come.
        if (a == b || std::fabs(a - b) <= 2 * ulp_at(written[i].dtype, b)) ++equal;
      }
    }
    if (all > 1 && equal >= all - all / 500) return "it looks as if it " + mutant.name;
  }
  return {};
}

}  // namespace tensorpath
