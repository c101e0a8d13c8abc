// Host candidates: a shared object with one entry, called with its arguments and the pool.
#include "pin.h"
#include "pool.h"
#include "seal.h"
#include "worker.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <sys/mman.h>

namespace tensorpath::worker {
namespace {

using Entry = void (*)(const std::uint64_t* arguments, const PoolFace* pool);
// Null, or why a baseline cannot run here.
using Absence = const char* (*)();

class HostRunner {
 public:
  explicit HostRunner(const WorkerOptions& options)
      : options_(options),
        reserved_(reserve()),
        timers_trapped_(!options.timer_trap || trap_timers()) {
    if (!options_.copies) report_faults(reserved_);
  }

  int run() {
    // Before the pool's threads are there, which inherit it.
    if (!pin_to(options_.cores)) return refuse("it cannot be pinned to the processors asked for");
    Pool pool(options_.threads, options_.copies ? [] {} : on_thread_start);
    if (reserved_ == MAP_FAILED) return refuse("no address space for the buffers");
    if (!timers_trapped_) return refuse("the processor's timers cannot be trapped");
    void* code = ::dlopen(options_.code.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (code == nullptr) return refuse(::dlerror());
    const auto entry = reinterpret_cast<Entry>(::dlsym(code, "tensorpath_kernel"));
    if (entry == nullptr) return refuse("there is no tensorpath_kernel in it");
    if (options_.linked) {
      const auto absence = reinterpret_cast<Absence>(::dlsym(code, "tensorpath_absent"));
      const char* const why = absence == nullptr ? nullptr : absence();
      if (why != nullptr) return refuse(why, Reply::Status::kAbsent);
    }
    if (options_.system_calls && !refuse_system_calls()) return refuse("no seccomp filter");
    send_reply(make_reply(Reply::Status::kReady, 0));
    while (receive(request_)) {
      if (request_.header.slots > 0) {
        serve_mailbox(entry, pool);
        continue;
      }
      const bool placed = options_.copies ? place_copies() : place_pages();
      if (!placed) {
        send_reply(make_reply(Reply::Status::kRequest, request_.header.nonce));
        continue;
      }
      set_current_nonce(request_.header.nonce);
      pool.set_schedule(request_.header.schedule);
      call(entry, pool);
      if (options_.copies) return_copies();
      send_reply(make_reply(Reply::Status::kDone, request_.header.nonce));
      if (!options_.copies) take_pages_away();
    }
    // Without the destructors of whatever the candidate brought along.
    std::_Exit(0);
  }

 private:
  static void* reserve() {
    return ::mmap(nullptr, kReserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                  0);
  }

  static int refuse(const char* why, Reply::Status status = Reply::Status::kLoad) {
    Reply reply = make_reply(status, 0);
    std::snprintf(reply.text, sizeof reply.text, "%s", why == nullptr ? "" : why);
    send_reply(reply);
    return 1;
  }

  bool place_pages() {
    auto* begin = static_cast<unsigned char*>(reserved_);
    for (std::uint32_t i = 0; i < request_.header.buffers; ++i) {
      const Buffer& buffer = request_.buffers[i];
      if (buffer.page + buffer.pages > kReserved / kPage) return false;
      void* at = begin + buffer.page * kPage;
      if (::mmap(at, buffer.pages * kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, kArena,
                 static_cast<off_t>(buffer.arena_offset)) != at) {
        return false;
      }
      data_[i] = static_cast<unsigned char*>(at) + buffer.data_offset;
    }
    return true;
  }

  void take_pages_away() {
    auto* begin = static_cast<unsigned char*>(reserved_);
    for (std::uint32_t i = 0; i < request_.header.buffers; ++i) {
      const Buffer& buffer = request_.buffers[i];
      (void)::mmap(begin + buffer.page * kPage, buffer.pages * kPage, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    }
  }

  // Under the sanitizers each buffer is an allocation, whose ends they watch to the byte.
  bool place_copies() {
    if (!place_pages()) return false;
    for (std::uint32_t i = 0; i < request_.header.buffers; ++i) {
      const Buffer& buffer = request_.buffers[i];
      pages_[i] = data_[i];
      // Aligned as the original is.
      const std::size_t lead = buffer.data_offset % 64;
      // Not aligned_alloc: it rounds the size up, and the end is what matters.
      if (::posix_memalign(&block_[i], 64, lead + buffer.bytes) != 0) return false;
      data_[i] = static_cast<unsigned char*>(block_[i]) + lead;
      std::memcpy(data_[i], pages_[i], buffer.bytes);
    }
    return true;
  }

  void return_copies() {
    for (std::uint32_t i = 0; i < request_.header.buffers; ++i) {
      std::memcpy(pages_[i], data_[i], request_.buffers[i].bytes);
      std::free(block_[i]);
    }
    take_pages_away();
  }

  // Maps the arena as a whole, from the reservation's second page on; null where it does not fit.
  unsigned char* map_slots() {
    const std::uint64_t bytes =
        (1 + std::uint64_t{request_.header.slots} * request_.header.slot_pages) * kPage;
    auto* at = static_cast<unsigned char*>(reserved_) + kPage;
    if (bytes + kPage > kReserved || request_.header.slots > kMaxSlots ||
        ::mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, kArena, 0) != at) {
      return nullptr;
    }
    // A page that is met for the first time inside a timed call would cost that call a fault.
    for (std::uint64_t i = 0; i < bytes; i += kPage) {
      volatile unsigned char* byte = at + i;
      *byte = *byte;
    }
    return at;
  }

  void serve_mailbox(Entry entry, Pool& pool) {
    unsigned char* const slots = map_slots();
    send_reply(make_reply(slots == nullptr ? Reply::Status::kRequest : Reply::Status::kDone,
                          request_.header.nonce));
    if (slots == nullptr) return;
    auto* const box = reinterpret_cast<Mailbox*>(slots);
    const std::atomic_ref<std::uint64_t> request(box->request);
    std::uint64_t served = 0;
    while (true) {
      const std::uint64_t wanted = request.load(std::memory_order_acquire);
      if (wanted == served) {
        __builtin_ia32_pause();
        continue;
      }
      served = wanted;
      const std::uint32_t count = box->count;
      if (box->leave != 0) break;
      pool.set_schedule(box->schedule);
      for (std::uint32_t i = 0; i < count && i < kMaxSlots; ++i) {
        unsigned char* const slot =
            slots + (1 + std::uint64_t{box->order[i]} * request_.header.slot_pages) * kPage;
        for (std::uint32_t j = 0; j < request_.header.buffers; ++j) {
          data_[j] = slot + request_.buffers[j].data_offset;
          if (request_.buffers[j].zeroed != 0) std::memset(data_[j], 0, request_.buffers[j].bytes);
        }
        call(entry, pool);
      }
      std::atomic_ref<std::uint64_t>(box->done).store(wanted, std::memory_order_release);
    }
    const std::uint64_t bytes =
        (1 + std::uint64_t{request_.header.slots} * request_.header.slot_pages) * kPage;
    (void)::mmap(slots, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
                 -1, 0);
    send_reply(make_reply(Reply::Status::kDone, request_.header.nonce));
  }

  void call(Entry entry, const Pool& pool) {
    for (std::uint32_t i = 0; i < request_.header.words; ++i) {
      const Word& word = request_.words[i];
      arguments_[i] = word.kind == Word::Kind::kBuffer
                          ? reinterpret_cast<std::uint64_t>(data_[word.value])
                          : word.value;
    }
    entry(arguments_, pool.face());
  }

  const WorkerOptions& options_;
  void* reserved_;
  bool timers_trapped_;
  Request request_{};
  std::uint64_t arguments_[std::size(Request{}.words)]{};
  unsigned char* data_[kMaxBuffers]{};
  unsigned char* pages_[kMaxBuffers]{};
  void* block_[kMaxBuffers]{};
};

}  // namespace

int run_host(const WorkerOptions& options) {
  static HostRunner runner(options);
  return runner.run();
}

}  // namespace tensorpath::worker
