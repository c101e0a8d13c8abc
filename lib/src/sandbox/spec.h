// A spec as the init gets it: checked, decided and written into the shared memory.
#pragma once

#include "filter.h"
#include "wire.h"

#include <cstdint>
#include <string>
#include <vector>

#include <tensorpath/sandbox.h>

namespace tensorpath::sandbox {

// Refuses what no level could run: relative paths, a view's source that is not there, bad limits.
[[nodiscard]] Status check_spec(const SandboxSpec& spec);

// Root's programs run as this user (nobody) where they can.
inline constexpr std::uint32_t kUnprivileged = 65534;
// Whether that user could use the view as it is meant. Below kNamespaces the way to each source
// counts too.
[[nodiscard]] bool open_to_unprivileged(const SandboxSpec& spec, bool ways_too);

// Shared memory with its file; gone with this object and its last process.
class SharedMemory {
 public:
  [[nodiscard]] static Expected<SharedMemory> make(std::size_t bytes);
  SharedMemory() = default;
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory();

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] Shared& shared() const { return *reinterpret_cast<Shared*>(memory_); }
  [[nodiscard]] char* bytes() const { return memory_; }

 private:
  int fd_ = -1;
  char* memory_ = nullptr;
  std::size_t size_ = 0;
};

struct EncodedSpec {
  SharedMemory memory;
  std::size_t fds_at = 0;  // of the pairs (init's number, program's number), 32 bits each
};
[[nodiscard]] Expected<EncodedSpec> encode_spec(const SandboxSpec& spec, const Settings& settings,
                                                const Filter& filter);

}  // namespace tensorpath::sandbox
