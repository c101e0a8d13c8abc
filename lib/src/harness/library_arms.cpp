#include "library_arms.h"

#include "cuda_build.h"
#include "slot_contents.h"
#include "torch_worker.h"
#include "trial.h"

#include <array>

#include <fmt/format.h>

namespace tensorpath {
namespace {

constexpr unsigned char kPoison = 0x5A;
constexpr int kSlots = 2;

Status check_shape(TimedSession& session, const Subject& subject, const Case& one,
                   Rehearsal& rehearsal) {
  const auto key = random_key();
  if (!key) return tl::unexpected(key.error());
  const auto contents = SlotContents::draw(subject, one, *key, 1);
  if (!contents) return tl::unexpected(contents.error());
  const auto spec = contents->layout(subject);
  if (!spec) return tl::unexpected(spec.error());
  const auto done = [](const Refusal& refusal) -> Status {
    if (refusal.failure == Failure::kNone) return {};
    return fail(ExitCode::kEnvironment, refusal.detail);
  };
  const auto laid = session.lay_out(*contents, *spec, kSlots);
  if (!laid) return tl::unexpected(laid.error());
  if (Status ok = done(*laid); !ok) return ok;
  const auto written = session.write(*contents, *key, kSlots, kPoison);
  if (!written) return tl::unexpected(written.error());
  if (Status ok = done(*written); !ok) return ok;
  session.flush(kSlots);
  constexpr std::array<std::uint16_t, kSlots> kOrder = {1, 0};
  const auto span = session.run(kOrder, 0, spec->limit_s * kSlots);
  if (!span) return tl::unexpected(span.error());
  if (Status ok = done(span->refusal); !ok) return ok;
  rehearsal.seconds = span->seconds / kSlots;
  for (const int slot : kOrder) {
    const CallResult result = session.result(*contents, *key, slot);
    if (Status ok = done(result.refusal); !ok) return ok;
    const auto trial = contents->trial(subject, *key, slot);
    if (!trial) return tl::unexpected(trial.error());
    Placing placing;
    placing.poison = kPoison;
    const auto judged = judge(subject, *trial, placing, result);
    if (!judged) return tl::unexpected(judged.error());
    if (judged->refusal.failure != Failure::kNone && rehearsal.wrong.empty()) {
      rehearsal.wrong = judged->refusal.detail;
    }
  }
  return {};
}

}  // namespace

std::string reason_of(const Error& error) {
  return error.diagnostics.empty() ? error.to_string() : error.diagnostics.front().message;
}

bool is_library(const KernelTask& task, const BaselineSource& source) {
  return task.device == DeviceKind::kCuda && !source.directory.empty() &&
         is_library_arm(source.name);
}

Expected<std::string> find_library(const BenchOptions& options) {
  const auto toolkit = find_cuda_toolkit();
  if (!toolkit) return tl::unexpected(toolkit.error());
  VerifyOptions probe;
  probe.sandbox = options.sandbox;
  probe.worker = options.worker;
  auto told = probe_torch(*toolkit, probe);
  if (!told) return told;
  std::string line;
  for (const char c : *told) line += c == '\n' ? std::string(", ") : std::string(1, c);
  while (!line.empty() && (line.back() == ' ' || line.back() == ',')) line.pop_back();
  return line;
}

Rehearsal rehearse(const Subject& subject, const Built& built, const BenchDevice& timed) {
  Rehearsal rehearsal;
  const auto shapes = timed_shapes(*subject.task.op, subject.task.domain);
  if (!shapes) return {reason_of(shapes.error()), {}, 0};
  auto session = timed.start(subject, built);
  if (!session) return {reason_of(session.error()), {}, 0};
  int id = 0;
  for (const WeightedShape& shape : *shapes) {
    Case one;
    one.id = ++id;
    one.dims = shape.dims;
    if (const Status ok = check_shape(**session, subject, one, rehearsal); !ok) {
      rehearsal.failed = reason_of(ok.error());
      break;
    }
  }
  (void)(*session)->finish();
  return rehearsal;
}

}  // namespace tensorpath
