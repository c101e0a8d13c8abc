// A stand-in for tensorpath-worker that runs host candidates and misbehaves. What it does wrong is
// the end of the name it is started under: faulty-MODE, or faulty-late-MODE for what begins with
// the tenth call of a process. faulty-none does nothing wrong.
#include "pool.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <harness/worker_protocol.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tensorpath::worker {
namespace {

using Entry = void (*)(const std::uint64_t* arguments, const PoolFace* pool);

constexpr int kLateCall = 10;
constexpr std::size_t kOversize = 4096;

struct Placed {
  Buffer buffer;
  unsigned char* pages = nullptr;
  unsigned char* data = nullptr;
  std::vector<float> before;  // of outputs
};

class FaultyWorker {
 public:
  FaultyWorker(const std::string& name, std::string code, int threads)
      : mode_(name.substr(name.find("faulty-") + 7)),
        code_(std::move(code)),
        pool_(threads, [] {}) {
    late_ = mode_.starts_with("late-");
    if (late_) mode_.erase(0, 5);
  }

  int run() {
    if (mode_ == "crash-at-start") std::abort();
    void* code = ::dlopen(code_.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (code == nullptr) return 1;
    const auto entry = reinterpret_cast<Entry>(::dlsym(code, "tensorpath_kernel"));
    if (entry == nullptr) return 1;
    reply(Reply::Status::kReady, 0);
    if (mode_ == "ready-twice") reply(Reply::Status::kReady, 0);
    while (receive()) {
      ++calls_;
      place();
      const bool faulty = !late_ || calls_ >= kLateCall;
      if (faulty) misbehave_before();
      if (!faulty || mode_ != "no-call") call(entry);
      if (faulty) change();
      answer(faulty);
      if (faulty) misbehave_after();
      for (const Placed& one : placed_) ::munmap(one.pages, one.buffer.pages * kPage);
    }
    std::_Exit(0);
  }

 private:
  static void send(const void* bytes, std::size_t size) {
    (void)!::send(kSocket, bytes, size, MSG_NOSIGNAL);
  }

  static Reply make(Reply::Status status, std::uint64_t nonce) {
    Reply reply{};
    reply.magic = kMagic;
    reply.status = status;
    reply.nonce = nonce;
    reply.address = ~0ULL;
    return reply;
  }

  static void reply(Reply::Status status, std::uint64_t nonce) {
    const Reply made = make(status, nonce);
    send(&made, sizeof made);
  }

  bool receive() {
    std::array<char, kMaxRequest> message{};
    const ssize_t size = ::recv(kSocket, message.data(), message.size(), 0);
    if (size < static_cast<ssize_t>(sizeof header_)) return false;
    std::memcpy(&header_, message.data(), sizeof header_);
    placed_.assign(header_.buffers, {});
    words_.assign(header_.words, {});
    const char* at = message.data() + sizeof header_;
    for (Placed& one : placed_) {
      std::memcpy(&one.buffer, at, sizeof one.buffer);
      at += sizeof one.buffer;
    }
    for (Word& word : words_) {
      std::memcpy(&word, at, sizeof word);
      at += sizeof word;
    }
    return true;
  }

  void place() {
    for (Placed& one : placed_) {
      void* pages = ::mmap(nullptr, one.buffer.pages * kPage, PROT_READ | PROT_WRITE, MAP_SHARED,
                           kArena, static_cast<off_t>(one.buffer.arena_offset));
      if (pages == MAP_FAILED) std::_Exit(3);
      one.pages = static_cast<unsigned char*>(pages);
      one.data = one.pages + one.buffer.data_offset;
      if (one.buffer.role == Role::kOutput) one.before = floats(one);
    }
  }

  static std::vector<float> floats(const Placed& one) {
    std::vector<float> values(one.buffer.bytes / sizeof(float));
    std::memcpy(values.data(), one.data, values.size() * sizeof(float));
    return values;
  }

  void call(Entry entry) {
    std::vector<std::uint64_t> arguments;
    for (const Word& word : words_) {
      arguments.push_back(word.kind == Word::Kind::kBuffer
                              ? reinterpret_cast<std::uint64_t>(placed_[word.value].data)
                              : word.value);
    }
    pool_.set_schedule(header_.schedule);
    entry(arguments.data(), pool_.face());
  }

  // Only elements that the candidate wrote are changed: what lies between rows is watched apart.
  void change() {
    for (Placed& one : placed_) {
      if (one.buffer.role == Role::kInput && mode_ == "input" && one.buffer.bytes > 0) {
        one.data[0] ^= 1U;
      }
      if (one.buffer.role != Role::kOutput) continue;
      if (mode_ == "stray") one.data[one.buffer.bytes] ^= 1U;
      std::vector<float> values = floats(one);
      std::vector<std::size_t> written;
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (std::memcmp(&values[i], &one.before[i], sizeof(float)) != 0) written.push_back(i);
      }
      change_values(values, written);
      std::memcpy(one.data, values.data(), values.size() * sizeof(float));
    }
  }

  void change_values(std::vector<float>& values, const std::vector<std::size_t>& written) const {
    const std::size_t count = written.size();
    if (count == 0) return;
    if (mode_ == "one-element") {
      values[written[header_.nonce % count]] *= 1 + 0x1p-8F;
    } else if (mode_ == "one-unwritten") {
      const std::size_t at = written[header_.nonce % count];
      std::memcpy(&values[at], &placed_.back().before[at], sizeof(float));
    } else if (mode_ == "scale") {
      for (const std::size_t at : written) values[at] *= 1 + 0x1p-6F;
    } else if (mode_ == "round") {
      for (const std::size_t at : written) {
        std::uint32_t bits = 0;
        std::memcpy(&bits, &values[at], sizeof bits);
        bits &= 0xFFFF0000U;
        std::memcpy(&values[at], &bits, sizeof bits);
      }
    } else if (mode_ == "swap") {
      for (std::size_t i = 0; i + 1 < count; i += 2) {
        std::swap(values[written[i]], values[written[i + 1]]);
      }
    } else if (mode_ == "shift") {
      for (std::size_t i = count - 1; i > 0; --i) values[written[i]] = values[written[i - 1]];
    } else if (mode_ == "halves") {
      for (std::size_t i = 0; i < count / 2; ++i) {
        std::swap(values[written[i]], values[written[i + count / 2]]);
      }
    }
  }

  void misbehave_before() const {
    if (mode_ == "crash-before") std::abort();
    if (mode_ == "exit-before") std::_Exit(0);
    if (mode_ == "close") {
      ::close(kSocket);
      ::pause();
    }
    while (mode_ == "hang") ::pause();
  }

  void answer(bool faulty) const {
    std::array<char, kOversize> message{};
    Reply made = make(Reply::Status::kDone, header_.nonce);
    std::size_t size = sizeof made;
    if (faulty && mode_ == "wrong-nonce") made.nonce ^= 1U;
    if (faulty && mode_ == "wrong-magic") made.magic ^= 1U;
    if (faulty && mode_ == "truncated") size /= 2;
    if (faulty && mode_ == "oversized") size = message.size();
    std::memcpy(message.data(), &made, sizeof made);
    send(message.data(), size);
    if (faulty && mode_ == "done-twice") send(message.data(), size);
  }

  void misbehave_after() const {
    if (mode_ == "crash-after") std::abort();
    if (mode_ == "exit-after") std::_Exit(0);
  }

  std::string mode_;
  std::string code_;
  Pool pool_;
  bool late_ = false;
  int calls_ = 0;
  RequestHeader header_{};
  std::vector<Placed> placed_;
  std::vector<Word> words_;
};

}  // namespace
}  // namespace tensorpath::worker

int main(int argc, char** argv) {
  const std::string path = argv[0];
  std::string code;
  int threads = 1;
  for (int i = 1; i + 1 < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--code") code = argv[i + 1];
    if (word == "--threads") threads = std::atoi(argv[i + 1]);
  }
  if (path.find("/faulty-") == std::string::npos || code.empty()) return 2;
  return tensorpath::worker::FaultyWorker(path.substr(path.rfind('/')), code, threads).run();
}
