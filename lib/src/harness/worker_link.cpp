#include "worker_link.h"

#include <chrono>
#include <cstring>
#include <thread>

#include <tensorpath/base/random.h>

namespace tensorpath {

Expected<WorkerLink> WorkerLink::start(SandboxSpec spec, SandboxMode mode, std::uint64_t step) {
  auto arena = Arena::make(step);
  if (!arena) return tl::unexpected(arena.error());
  auto worker = WorkerProcess::start(std::move(spec), mode, arena->descriptor());
  if (!worker) return tl::unexpected(worker.error());
  return WorkerLink(std::move(*worker), std::move(*arena));
}

Expected<CallResult> WorkerLink::call(const CallSpec& spec, const Defences& defences,
                                      worker::RequestHeader header,
                                      const std::vector<worker::Word>& words,
                                      const std::vector<worker::Launch>& launches,
                                      const std::vector<worker::TensorMap>& maps) {
  const auto buffers = arena_.place(spec, defences);
  if (!buffers) return tl::unexpected(buffers.error());
  const auto key = random_key();
  if (!key) return tl::unexpected(key.error());
  std::memcpy(&nonce_, key->data(), sizeof nonce_);
  header.magic = worker::kMagic;
  header.nonce = nonce_;
  header.buffers = static_cast<std::uint32_t>(buffers->size());
  header.words = static_cast<std::uint32_t>(words.size());
  header.launches = static_cast<std::uint32_t>(launches.size());
  header.maps = static_cast<std::uint32_t>(maps.size());
  std::string message(reinterpret_cast<const char*>(&header), sizeof header);
  append_entries(message, *buffers);
  append_entries(message, words);
  append_entries(message, launches);
  append_entries(message, maps);
  CallResult result;
  if (!worker_.send(message)) {
    result.refusal = worker_.explain_end(spec.limit_s, false);
    return result;
  }
  const double limit = defences.call_limit ? spec.limit_s : 120;
  const worker::Reply reply = worker_.receive(limit, result.refusal);
  if (!defences.replies && (worker_.ended_cleanly() ||
                            (result.refusal.failure == Failure::kNone && reply.nonce != nonce_))) {
    // What it would be to believe a worker.
    result.refusal = arena_.check(spec, defences);
    result.outputs = arena_.outputs(spec);
    result.over = true;
    return result;
  }
  if (result.refusal.failure != Failure::kNone) return result;
  if (reply.status != worker::Reply::Status::kDone) {
    result.refusal = WorkerProcess::explain_reply(
        reply, [&](std::uint64_t address) { return arena_.nearest(spec, address); });
    return result;
  }
  if (reply.nonce != nonce_) {
    result.refusal = {Failure::kProtocol, "a reply belongs to no request of this call"};
    return result;
  }
  nanoseconds_ = reply.nanoseconds;
  // Off: as late as a busy harness may come to look.
  if (!defences.freeze) std::this_thread::sleep_for(std::chrono::milliseconds(80));
  if (defences.freeze && !worker_.process().freeze()) {
    result.refusal = worker_.explain_end(limit, false);
    return result;
  }
  result.refusal = arena_.check(spec, defences);
  result.outputs = arena_.outputs(spec);
  if (defences.freeze && !worker_.process().thaw())
    result.refusal = worker_.explain_end(limit, false);
  return result;
}

}  // namespace tensorpath
