// Timed sessions of the host: a worker on cores of its own, woken and stopped around each sample.
#include "host_timed.h"

#include "slot_arena.h"
#include "worker_process.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <tensorpath/base/file.h>

namespace tensorpath {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kReadySeconds = 30;
// Time on a run queue that is no disturbance: the wake-up's own, and a small share of the span.
constexpr double kQuietSeconds = 50e-6;
constexpr double kQuietShare = 0.01;
// Between two looks at whether the worker is still there, while its answer is awaited.
constexpr double kLookEvery = 2e-3;

double seconds_between(Clock::time_point a, Clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

// Seconds that threads were ready to run and did not (proc_pid_schedstat(5), second number).
class RunDelay {
 public:
  RunDelay() = default;
  explicit RunDelay(const std::string& tasks) {
    std::error_code error;
    for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
      FileDescriptor file(::open((task.path() / "schedstat").c_str(), O_RDONLY | O_CLOEXEC));
      if (file.valid()) files_.push_back(std::move(file));
    }
  }
  [[nodiscard]] double seconds() const {
    double sum = 0;
    for (const FileDescriptor& file : files_) {
      char text[96] = {};
      if (::pread(file.get(), text, sizeof text - 1, 0) <= 0) continue;
      const char* at = std::strchr(text, ' ');
      if (at != nullptr) sum += 1e-9 * static_cast<double>(std::strtoull(at, nullptr, 10));
    }
    return sum;
  }

 private:
  std::vector<FileDescriptor> files_;
};

// Seconds that a hypervisor gave to others while these processors had work (proc_stat(5)).
double stolen_seconds(const std::vector<int>& processors) {
  std::ifstream file("/proc/stat");
  const double tick = 1.0 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  double sum = 0;
  for (std::string line; std::getline(file, line) && line.starts_with("cpu");) {
    // cpuN user nice system idle iowait irq softirq steal; the line of all of them has no N.
    std::istringstream fields(line.substr(3));
    int processor = -1;
    double ticks = 0;
    if (std::isdigit(static_cast<unsigned char>(fields.peek())) == 0) continue;
    fields >> processor;
    for (int i = 0; i < 8; ++i) fields >> ticks;
    if (!fields) continue;
    for (const int wanted : processors) {
      if (wanted == processor) sum += tick * ticks;
    }
  }
  return sum;
}

class HostTimedSession : public TimedSession {
 public:
  HostTimedSession(SlotArena arena, WorkerProcess worker, Cores cores)
      : arena_(std::move(arena)),
        worker_(std::move(worker)),
        cores_(std::move(cores)),
        watched_(cores_.worker) {
    watched_.push_back(cores_.harness);
  }

  [[nodiscard]] Status settle() override {
    if (ready_) return {};
    if (Status ready = worker_.must_be_ready(kReadySeconds); !ready) return ready;
    ready_ = true;
    // Its threads are there now.
    const int pid = worker_.process().program_pid();
    if (pid > 0) worker_delay_ = RunDelay(fmt::format("/proc/{}/task", pid));
    return {};
  }

  [[nodiscard]] Expected<Refusal> lay_out(const SlotContents& /*contents*/, const CallSpec& spec,
                                          int slots) override {
    if (Status settled = settle(); !settled) return tl::unexpected(settled.error());
    const PinnedThread pinned(cores_.harness);
    Refusal refusal;
    if (serving_) {
      arena_.mailbox().leave = 1;
      post();
      if (!thaw()) return worker_.explain_end(kReadySeconds, false);
      refusal = take_done();
      serving_ = false;
      if (refusal.failure != Failure::kNone) return refusal;
    }
    if (const Status laid = arena_.lay_out(spec, slots); !laid) {
      return tl::unexpected(laid.error());
    }
    spec_ = spec;
    std::memset(static_cast<void*>(&arena_.mailbox()), 0, sizeof(worker::Mailbox));
    sequence_ = 0;
    worker::RequestHeader header{};
    const std::vector<worker::Word> words = host_call_words(spec);
    header.magic = worker::kMagic;
    header.buffers = static_cast<std::uint32_t>(arena_.buffers().size());
    header.words = static_cast<std::uint32_t>(words.size());
    header.slots = static_cast<std::uint32_t>(slots);
    header.slot_pages = static_cast<std::uint32_t>(arena_.slot_pages());
    std::string message(reinterpret_cast<const char*>(&header), sizeof header);
    append_entries(message, arena_.buffers());
    append_entries(message, words);
    if (!worker_.send(message)) return worker_.explain_end(kReadySeconds, false);
    refusal = take_done();
    serving_ = refusal.failure == Failure::kNone;
    if (serving_ && !freeze()) return worker_.explain_end(kReadySeconds, false);
    return refusal;
  }

  [[nodiscard]] Expected<Refusal> write(const SlotContents& contents, const Key& key, int slots,
                                        unsigned char poison) override {
    for (int slot = 0; slot < slots; ++slot) {
      arena_.write_gaps(slot);
      for (std::size_t i = 0; i < spec_.buffers.size(); ++i) {
        if (i < contents.tensors() && contents.has_contents(i)) {
          contents.write(key, slot, i, arena_.data(slot, i));
        } else {
          std::memset(arena_.data(slot, i), poison, spec_.buffers[i].bytes);
        }
      }
    }
    return Refusal{};
  }

  void flush(int slots) override { arena_.flush(slots); }

  [[nodiscard]] Expected<Span> run(std::span<const std::uint16_t> order, std::uint64_t schedule,
                                   double limit_s) override {
    const PinnedThread pinned(cores_.harness);
    Span span;
    worker::Mailbox& box = arena_.mailbox();
    std::memcpy(box.order, order.data(), order.size_bytes());
    box.count = static_cast<std::uint32_t>(order.size());
    box.schedule = schedule;
    box.leave = 0;
    const RunDelay own_delay("/proc/thread-self/task");
    const double delay = worker_delay_.seconds() + own_delay.seconds();
    const double stolen = stolen_seconds(watched_);
    post();
    const Clock::time_point start = Clock::now();
    if (!thaw()) {
      span.refusal = worker_.explain_end(limit_s, false);
      return span;
    }
    span.refusal = spin(start, limit_s);
    const Clock::time_point done = Clock::now();
    if (span.refusal.failure != Failure::kNone) return span;
    // At once; the proof that it stands still may take its time.
    const bool stopping = worker_.process().stop_now();
    Clock::time_point stopped = Clock::now();
    if (!freeze()) {
      span.refusal = worker_.explain_end(limit_s, false);
      return span;
    }
    if (!stopping) stopped = Clock::now();
    span.seconds = seconds_between(start, done);
    span.stop_seconds = seconds_between(done, stopped);
    const double waited = worker_delay_.seconds() + own_delay.seconds() - delay;
    span.disturbed =
        waited > kQuietSeconds + kQuietShare * span.seconds || stolen_seconds(watched_) > stolen;
    return span;
  }

  [[nodiscard]] CallResult result(const SlotContents& contents, const Key& key, int slot) override {
    return result_of_slot(arena_, slot, spec_, contents, key, slot);
  }

  [[nodiscard]] Refusal finish() override {
    serving_ = false;
    (void)worker_.process().kill_and_wait();
    return worker_.finish();
  }

 private:
  void post() {
    std::atomic_ref<std::uint64_t>(arena_.mailbox().request)
        .store(++sequence_, std::memory_order_release);
  }
  [[nodiscard]] bool thaw() { return worker_.process().continue_now() || worker_.process().thaw(); }
  [[nodiscard]] bool freeze() { return worker_.process().freeze(); }

  [[nodiscard]] Refusal take_done() {
    Refusal refusal;
    const worker::Reply reply = worker_.receive(kReadySeconds, refusal);
    if (refusal.failure != Failure::kNone) return refusal;
    if (reply.status == worker::Reply::Status::kDone) return {};
    return WorkerProcess::explain_reply(reply);
  }

  // Until the worker says that it is done; what it died of otherwise.
  [[nodiscard]] Refusal spin(Clock::time_point start, double limit_s) {
    const std::atomic_ref<std::uint64_t> done(arena_.mailbox().done);
    double next_look = kLookEvery;
    while (done.load(std::memory_order_acquire) != sequence_) {
      __builtin_ia32_pause();
      const double passed = seconds_between(start, Clock::now());
      if (passed < next_look) continue;
      next_look = passed + kLookEvery;
      if (passed > limit_s) return worker_.explain_end(limit_s, true);
      pollfd waited{worker_.socket(), POLLIN, 0};
      if (::poll(&waited, 1, 0) > 0) {
        Refusal refusal;
        const worker::Reply reply = worker_.receive(limit_s, refusal);
        if (refusal.failure != Failure::kNone) return refusal;
        return WorkerProcess::explain_reply(reply);
      }
    }
    return {};
  }

  SlotArena arena_;
  WorkerProcess worker_;
  Cores cores_;
  std::vector<int> watched_;
  RunDelay worker_delay_;
  CallSpec spec_;
  std::uint64_t sequence_ = 0;
  bool ready_ = false;
  bool serving_ = false;
};

}  // namespace

Expected<std::unique_ptr<TimedSession>> start_host_timed(const Subject& subject, const Built& built,
                                                         const Cores& cores) {
  auto arena = SlotArena::make();
  if (!arena) return tl::unexpected(arena.error());
  // What is started here and not pinned elsewhere stays off the worker's cores.
  const PinnedThread pinned(cores.harness);
  SandboxSpec spec = host_worker_spec(subject, built, static_cast<int>(cores.worker.size()));
  spec.argv.insert(spec.argv.end(), {"--cores", cores.worker_text()});
  auto worker = WorkerProcess::start(spec, subject.options.sandbox, arena->descriptor());
  if (!worker) return tl::unexpected(worker.error());
  return std::make_unique<HostTimedSession>(std::move(*arena), std::move(*worker), cores);
}

}  // namespace tensorpath
