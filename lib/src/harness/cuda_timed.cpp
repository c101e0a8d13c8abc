// Timed sessions of cuda. The worker's host code is the harness's own; what a candidate brings runs
// on the GPU. Each step is a request that is answered when the device is at rest.
#include "cuda_timed.h"

#include "cuda_session.h"
#include "plan_eval.h"
#include "slot_arena.h"
#include "torch_worker.h"
#include "worker_process.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace tensorpath {
namespace {

using Clock = std::chrono::steady_clock;
using worker::Ask;

// Of a request that runs nothing of the candidate's but, perhaps, its preparation.
constexpr double kRequestSeconds = 120;
// The exchange without a candidate: how often it is measured, and with how many nodes.
constexpr int kEmpties = 15;
constexpr int kIdleNodes = 512;
// Beyond the usual: a wake-up that came late, and as much again as is usual.
constexpr double kQuietSeconds = 100e-6;
constexpr double kQuietShare = 0.02;
// The two clocks tick differently; by more than this they contradict each other.
constexpr double kClockSeconds = 10e-6;
constexpr double kClockShare = 0.01;
constexpr std::uint64_t kMostBytes = 16ULL << 30;
constexpr std::uint64_t kKeyBytes = std::uint64_t{worker::kMaxBuffers} * worker::kMaxSlots * 8;

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

std::uint64_t whole_pages(std::uint64_t bytes) {
  return (bytes + worker::kPage - 1) / worker::kPage * worker::kPage;
}

worker::Role role_of(CallBuffer::Role role) {
  switch (role) {
    case CallBuffer::Role::kInput:
      return worker::Role::kInput;
    case CallBuffer::Role::kOutput:
      return worker::Role::kOutput;
    case CallBuffer::Role::kWorkspace:
      break;
  }
  return worker::Role::kWorkspace;
}

class CudaTimedSession : public TimedSession {
 public:
  CudaTimedSession(const Subject& subject, SlotArena arena, WorkerProcess worker, Cores cores,
                   double lay_out_s)
      : subject_(subject),
        arena_(std::move(arena)),
        worker_(std::move(worker)),
        cores_(std::move(cores)),
        lay_out_s_(lay_out_s) {}

  // Until the code is loaded. What the exchange costs is measured before anything of it has run.
  [[nodiscard]] Status settle() override {
    if (ready_) return {};
    if (Status ready = worker_.must_be_ready(kGpuReadySeconds); !ready) return ready;
    ready_ = true;
    const PinnedThread pinned(cores_.harness);
    return measure_gap();
  }

  [[nodiscard]] Status measure_gap() {
    double gaps[2] = {};
    for (const int nodes : {0, kIdleNodes}) {
      if (Status armed = must(ask(Ask::kArmIdle, nodes)); !armed) return armed;
      std::vector<double> seconds;
      for (int i = 0; i < kEmpties; ++i) {
        auto span = launch_graph(kRequestSeconds);
        if (!span) return tl::unexpected(span.error());
        if (Status done = must(span->refusal); !done) return done;
        seconds.push_back(span->stop_seconds);
      }
      gaps[nodes == 0 ? 0 : 1] = median(std::move(seconds));
    }
    gap_ = UsualGap(gaps[0], gaps[1], kIdleNodes);
    return {};
  }

  [[nodiscard]] Expected<Refusal> lay_out(const SlotContents& contents, const CallSpec& spec,
                                          int slots) override {
    if (Status settled = settle(); !settled) return tl::unexpected(settled.error());
    const auto launches = evaluate(spec);
    if (!launches) return Refusal{Failure::kPlanInvalid, launches.error().to_string()};
    if (Status laid = lay_out_arena(contents, spec, slots); !laid) {
      return tl::unexpected(laid.error());
    }
    spec_ = spec;
    worker::RequestHeader header{};
    header.slots = static_cast<std::uint32_t>(slots);
    header.slot_pages = static_cast<std::uint32_t>(arena_.slot_pages());
    header.bases = static_cast<std::uint32_t>(contents.bases());
    header.buffers = static_cast<std::uint32_t>(buffers_.size());
    header.words = static_cast<std::uint32_t>(launches->words.size());
    header.launches = static_cast<std::uint32_t>(launches->launches.size());
    header.maps = static_cast<std::uint32_t>(launches->maps.size());
    header.prepare = launches->prepare;
    std::string body;
    append_entries(body, buffers_);
    append_entries(body, launches->words);
    append_entries(body, launches->launches);
    append_entries(body, launches->maps);
    header.ask = Ask::kLayOut;
    return exchange(header, body, lay_out_s_);
  }

  [[nodiscard]] Expected<Refusal> write(const SlotContents& /*contents*/, const Key& key, int slots,
                                        unsigned char poison) override {
    unsigned char* const keys = arena_.beside();
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      if (buffers_[i].fill != worker::Fill::kWords) continue;
      for (int slot = 0; slot < slots; ++slot) {
        const std::uint64_t stream = SlotContents::stream(key, slot, i);
        std::memcpy(keys + (i * worker::kMaxSlots + static_cast<std::size_t>(slot)) * sizeof stream,
                    &stream, sizeof stream);
      }
    }
    return ask(Ask::kWrite, slots, poison);
  }

  void flush(int /*slots*/) override { flush_first_ = true; }

  [[nodiscard]] Expected<Span> run(std::span<const std::uint16_t> order, std::uint64_t /*schedule*/,
                                   double limit_s) override {
    const PinnedThread pinned(cores_.harness);
    std::memcpy(arena_.mailbox().order, order.data(), order.size_bytes());
    auto armed = ask(Ask::kArm, static_cast<int>(order.size()));
    // Last, so that nothing but the graph's launch lies between it and the calls.
    if (armed && armed->failure == Failure::kNone && std::exchange(flush_first_, false)) {
      armed = ask(Ask::kFlush, 0);
    }
    if (!armed) return tl::unexpected(armed.error());
    if (armed->failure != Failure::kNone) return Span{0, 0, false, *armed};
    auto span = launch_graph(limit_s);
    if (!span || span->refusal.failure != Failure::kNone) return span;
    span->disturbed =
        span->stop_seconds > gap_.allowed(span->seconds, static_cast<int>(order.size()));
    return span;
  }

  [[nodiscard]] CallResult result(const SlotContents& contents, const Key& key, int slot) override {
    const auto fetched = ask(Ask::kFetch, slot);
    CallResult failed;
    if (!fetched) failed.refusal = {Failure::kDeviceFault, fetched.error().to_string()};
    if (fetched) failed.refusal = *fetched;
    if (failed.refusal.failure != Failure::kNone) return failed;
    return result_of_slot(arena_, 0, spec_, contents, key, slot);
  }

  [[nodiscard]] Refusal finish() override { return worker_.finish(); }

 private:
  [[nodiscard]] Expected<LaunchList> evaluate(const CallSpec& spec) const {
    PlanAtShape at{
        *subject_.task.op, subject_.task.domain.dtype, spec.symbols, spec.attributes, {}};
    for (const CallBuffer& buffer : spec.buffers) at.buffers.push_back(buffer.name);
    return evaluate_plan(subject_.candidate.plan, at);
  }

  // One slot to fetch into, the keys, and the bases of tensors that are not made of words.
  [[nodiscard]] Status lay_out_arena(const SlotContents& contents, const CallSpec& spec,
                                     int slots) {
    std::uint64_t beside = kKeyBytes;
    std::vector<std::uint64_t> places(spec.buffers.size());
    const auto has_base = [&](std::size_t i) {
      return i < contents.tensors() && contents.has_contents(i) && contents.mask(i).keep == 0;
    };
    for (std::size_t i = 0; i < spec.buffers.size(); ++i) {
      places[i] = beside;
      if (has_base(i)) {
        beside += static_cast<std::uint64_t>(contents.bases()) * whole_pages(spec.buffers[i].bytes);
      }
    }
    if (Status laid = arena_.lay_out(spec, 1, beside); !laid) return laid;
    if (static_cast<std::uint64_t>(slots) * arena_.slot_pages() * worker::kPage > kMostBytes) {
      return fail(ExitCode::kLimit,
                  fmt::format("{} calls of {} bytes each are more than the harness times", slots,
                              arena_.slot_pages() * worker::kPage));
    }
    std::memset(static_cast<void*>(&arena_.mailbox()), 0, sizeof(worker::Mailbox));
    buffers_ = arena_.buffers();
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      worker::Buffer& buffer = buffers_[i];
      buffer.role = role_of(spec.buffers[i].role);
      if (i >= contents.tensors() || !contents.has_contents(i)) continue;
      const WordMask mask = contents.mask(i);
      buffer.fill = has_base(i) ? worker::Fill::kBase : worker::Fill::kWords;
      buffer.keep = mask.keep;
      buffer.set = mask.set;
      if (!has_base(i)) continue;
      buffer.arena_offset = arena_.beside_offset() + places[i];
      buffer.pages = whole_pages(buffer.bytes) / worker::kPage;
      for (int base = 0; base < contents.bases(); ++base) {
        const auto bytes = contents.base(base, i);
        std::memcpy(arena_.beside() + places[i] +
                        static_cast<std::uint64_t>(base) * buffer.pages * worker::kPage,
                    bytes.data(), std::min<std::size_t>(bytes.size(), buffer.bytes));
      }
    }
    return {};
  }

  [[nodiscard]] Expected<Refusal> ask(Ask what, int slots, unsigned char poison = 0) {
    worker::RequestHeader header{};
    header.ask = what;
    header.slots = static_cast<std::uint32_t>(slots);
    header.poison = poison;
    return exchange(header, {}, kRequestSeconds);
  }

  // Sends and waits. An Error is the machine's.
  [[nodiscard]] Expected<Refusal> exchange(worker::RequestHeader header, const std::string& body,
                                           double limit_s,
                                           WorkerProcess::Wait wait = WorkerProcess::Wait::kSleep) {
    header.magic = worker::kMagic;
    header.nonce = ++nonce_;
    std::string message(reinterpret_cast<const char*>(&header), sizeof header);
    message += body;
    if (!worker_.send(message)) return worker_.explain_end(limit_s, false);
    Refusal refusal;
    const worker::Reply reply = worker_.receive(limit_s, refusal, wait);
    if (refusal.failure != Failure::kNone) return refusal;
    if (reply.status != worker::Reply::Status::kDone) {
      refusal = WorkerProcess::explain_reply(reply);
      if (is_the_machines(refusal.detail)) {
        return fail(ExitCode::kEnvironment, "the GPU cannot be timed on: " + refusal.detail);
      }
      return refusal;
    }
    if (reply.nonce != nonce_) {
      return Refusal{Failure::kProtocol, "a reply belongs to no request of this call"};
    }
    nanoseconds_ = reply.nanoseconds;
    return Refusal{};
  }

  [[nodiscard]] Expected<Span> launch_graph(double limit_s) {
    worker::RequestHeader header{};
    header.ask = Ask::kRun;
    Span span;
    const Clock::time_point start = Clock::now();
    auto done = exchange(header, {}, limit_s, WorkerProcess::Wait::kSpin);
    const double wall = std::chrono::duration<double>(Clock::now() - start).count();
    if (!done) return tl::unexpected(done.error());
    span.refusal = *done;
    if (span.refusal.failure != Failure::kNone) return span;
    span.seconds = 1e-9 * static_cast<double>(nanoseconds_);
    if (span.seconds > wall * (1 + kClockShare) + kClockSeconds) {
      return fail(
          ExitCode::kEnvironment,
          fmt::format("the device's events tell {:.1f} us where {:.1f} us passed: its times "
                      "cannot be used",
                      span.seconds * 1e6, wall * 1e6));
    }
    span.stop_seconds = std::max(0.0, wall - span.seconds);
    return span;
  }

  [[nodiscard]] static Status must(const Expected<Refusal>& done) {
    if (!done) return tl::unexpected(done.error());
    if (done->failure == Failure::kNone) return {};
    return fail(ExitCode::kEnvironment, "the worker does not time: " + done->detail);
  }

  Subject subject_;
  SlotArena arena_;
  WorkerProcess worker_;
  Cores cores_;
  double lay_out_s_;
  UsualGap gap_;
  CallSpec spec_;
  std::vector<worker::Buffer> buffers_;
  std::uint64_t nonce_ = 0;
  std::uint64_t nanoseconds_ = 0;
  bool flush_first_ = false;
  bool ready_ = false;
};

}  // namespace

UsualGap::UsualGap(double empty, double full, int nodes)
    : empty_(empty), per_node_(std::max(0.0, full - empty) / std::max(nodes, 1)) {}

double UsualGap::allowed(double seconds, int nodes) const {
  return 2 * (empty_ + per_node_ * nodes) + kQuietSeconds + kQuietShare * seconds;
}

Expected<std::unique_ptr<TimedSession>> start_cuda_timed(const CudaToolkit& toolkit,
                                                         const Subject& subject, const Built& built,
                                                         const Cores& cores) {
  auto arena = SlotArena::make();
  if (!arena) return tl::unexpected(arena.error());
  SandboxSpec spec = gpu_sandbox(toolkit, subject.options.worker);
  if (built.program) {
    start_instead(*built.program, spec);
  } else {
    spec.argv = {subject.options.worker, "--device", "cuda", "--code", built.path};
    spec.view.push_back({built.path, {}, false, false});
  }
  spec.argv.insert(spec.argv.end(), {"--cores", cores.worker_text()});
  auto worker = WorkerProcess::start(spec, subject.options.sandbox, arena->descriptor());
  if (!worker) return tl::unexpected(worker.error());
  return std::make_unique<CudaTimedSession>(
      subject, std::move(*arena), std::move(*worker), cores,
      built.program ? built.program->lay_out_s : kRequestSeconds);
}

}  // namespace tensorpath
