#include "worker.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace tensorpath::worker {
namespace {

// Takes `count` structures off the message.
template <typename Entry>
bool take(const char*& at, const char* end, std::uint32_t count, std::size_t most, Entry* out) {
  const std::size_t bytes = count * sizeof(Entry);
  if (count > most || static_cast<std::size_t>(end - at) < bytes) return false;
  std::memcpy(out, at, bytes);
  at += bytes;
  return true;
}

bool parse(const char* message, std::size_t size, Request& request) {
  const char* at = message;
  const char* end = message + size;
  if (!take(at, end, 1, 1, &request.header) || request.header.magic != kMagic) return false;
  const RequestHeader& header = request.header;
  if (!take(at, end, header.buffers, std::size(request.buffers), request.buffers) ||
      !take(at, end, header.words, std::size(request.words), request.words) ||
      !take(at, end, header.launches, std::size(request.launches), request.launches) ||
      !take(at, end, header.maps, std::size(request.maps), request.maps) || at != end) {
    return false;
  }
  for (std::uint32_t i = 0; i < header.words; ++i) {
    const Word& word = request.words[i];
    if (word.kind == Word::Kind::kBuffer && word.value >= header.buffers) return false;
    if (word.kind == Word::Kind::kTensorMap && word.value >= header.maps) return false;
  }
  return true;
}

}  // namespace

// Not on the stack or the heap: the loop allocates nothing once a candidate is loaded.
bool receive(Request& request, int spins) {
  static char message[kMaxRequest];
  while (true) {
    ssize_t size = -1;
    while (size < 0 && spins-- > 0) size = ::recv(kSocket, message, sizeof message, MSG_DONTWAIT);
    if (size < 0) size = ::recv(kSocket, message, sizeof message, 0);
    if (size <= 0) return false;
    if (parse(message, static_cast<std::size_t>(size), request)) return true;
    send_reply(make_reply(Reply::Status::kRequest, 0));
  }
}

void send_reply(const Reply& reply) {
  // The harness notices when this does not arrive.
  (void)!::send(kSocket, &reply, sizeof reply, MSG_NOSIGNAL);
}

Reply make_reply(Reply::Status status, std::uint64_t nonce) {
  Reply reply{};
  reply.magic = kMagic;
  reply.status = status;
  reply.nonce = nonce;
  reply.address = ~0ULL;
  return reply;
}

}  // namespace tensorpath::worker

int main(int argc, char** argv) {
  using namespace tensorpath::worker;
  WorkerOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const std::string value = i + 1 < argc ? argv[i + 1] : "";
    if (word == "--device")
      options.device = value, ++i;
    else if (word == "--code")
      options.code = value, ++i;
    else if (word == "--threads")
      options.threads = static_cast<int>(std::strtol(value.c_str(), nullptr, 10)), ++i;
    else if (word == "--cores")
      options.cores = value, ++i;
    else if (word == "--any-system-call")
      options.system_calls = false;
    else if (word == "--timers")
      options.timer_trap = false;
    else if (word == "--gpu")
      options.gpu = static_cast<int>(std::strtol(value.c_str(), nullptr, 10)), ++i;
    else if (word == "--ceilings")
      options.ceilings = true;
    else if (word == "--linked")
      options.linked = true;
    else if (word == "--copies")
      options.copies = true;
    else
      options.device.clear(), i = argc;
  }
  if (options.device == "host") return run_host(options);
  if (options.device == "cuda") return run_cuda(options);
  std::fputs("tensorpath-worker is started by tensorpath forge; it is of no use by itself\n",
             stderr);
  return 2;
}
