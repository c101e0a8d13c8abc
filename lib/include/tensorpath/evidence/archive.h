// A packet as one file: the tar archive of its directory, compressed with zstd (or not).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/evidence/packet.h>

namespace tensorpath {

inline constexpr std::size_t kMaxPacketBytes = 1U << 30;  // of all files together, unpacked

// The files of an archive, by their paths in the packet: a directory that all of them are in is
// left out. Nothing is written. Errors (answer is no): it is damaged, has anything but files and
// directories in it, a path twice or one that leads out, or is larger than a packet may be.
[[nodiscard]] Expected<std::vector<PacketFile>> read_packet_archive(std::string_view bytes);

// A packet's directory, wherever it came from; what was unpacked for it goes with this object.
class PacketPlace {
 public:
  // Errors (usage): there is nothing; (answer is no): an archive that cannot be read as one.
  [[nodiscard]] static Expected<PacketPlace> open(const std::string& path);
  PacketPlace(PacketPlace&& other) noexcept;
  PacketPlace& operator=(PacketPlace&&) = delete;
  ~PacketPlace();
  [[nodiscard]] const std::string& directory() const { return directory_; }

 private:
  PacketPlace(std::string directory, bool temporary)
      : directory_(std::move(directory)), temporary_(temporary) {}
  std::string directory_;
  bool temporary_;
};

}  // namespace tensorpath
