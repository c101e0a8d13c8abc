// A packet as one file: what is read, and what is no archive of a packet.
#include "catch.h"
#include "packet_fixture.h"

#include <cstring>

namespace tensorpath {
namespace {

using test::has;
using test::Scratch;

// One entry of a tar archive (POSIX.1-1988 ustar).
std::string entry(const std::string& name, const std::string& contents, char type = '0',
                  const std::string& link = {}) {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) {
    header.replace(at, text.size(), text);
  };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", contents.size()));
  put(136, "00000000000");
  put(148, "        ");
  header[156] = type;
  put(157, link);
  put(257, std::string("ustar\00000", 8));
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  std::string padding((512 - contents.size() % 512) % 512, '\0');
  return header + contents + padding;
}
const std::string kEnd(1024, '\0');

std::string refusal(const std::string& archive) {
  const auto files = read_packet_archive(archive);
  if (files) return "it was read";
  CHECK(files.error().exit_code == ExitCode::kAnswerIsNo);
  return files.error().to_string();
}

TEST_CASE("files are read by their paths in the packet, whatever directory they are in") {
  const std::string two = entry("packet.json", "{}\n") + entry("candidate/kernel.cpp", "int k;\n");
  const auto plain = read_packet_archive(two + kEnd);
  REQUIRE(plain);
  REQUIRE(plain->size() == 2);
  CHECK((*plain)[1].path == "candidate/kernel.cpp");
  CHECK((*plain)[1].contents == "int k;\n");
  const auto below = read_packet_archive(entry("./p/", "", '5') + entry("./p/packet.json", "{}\n") +
                                         entry("p/candidate/", "", '5') +
                                         entry("p/candidate/kernel.cpp", "int k;\n") + kEnd);
  REQUIRE(below);
  CHECK((*below)[0].path == "packet.json");
  CHECK((*below)[1].path == "candidate/kernel.cpp");
}

TEST_CASE("what is no archive of a packet is refused, and nothing is written") {
  CHECK(has(refusal(""), "is no archive of a packet"));
  CHECK(has(refusal("packet.json"), "is no archive of a packet"));
  CHECK(has(refusal(kEnd), "it has no files"));
  const std::string one = entry("p/packet.json", "{}\n");
  CHECK(has(refusal(one + entry("p/packet.json", "{ }\n") + kEnd), "is there twice"));
  CHECK(has(refusal(one + entry("p/./packet.json", "{ }\n") + kEnd), "is there twice"));
  CHECK(has(refusal(one + entry("p/../../x", "x") + kEnd), "leads out of it"));
  CHECK(has(refusal(one + entry("/etc/x", "x") + kEnd), "leads out of it"));
  CHECK(has(refusal(one + entry("p/link", "", '2', "/etc/passwd") + kEnd), "neither a file nor"));
  CHECK(has(refusal(one + entry("p/hard", "", '1', "p/packet.json") + kEnd), "neither a file nor"));
  CHECK(has(refusal(one + entry("p/fifo", "", '6') + kEnd), "neither a file nor"));
  CHECK(has(refusal(one + entry("p/packet.json/x", "x") + kEnd), "is a file and a directory"));
  CHECK(has(refusal(entry("p/packet.json", std::string(2000, 'x')).substr(0, 1500)),
            "is no archive of a packet"));
  // 2 GiB that take no room in the archive: the header says so, and the file ends.
  std::string bomb = entry("p/packet.json", "");
  bomb.replace(124, 11, "20000000000");
  CHECK(has(refusal(bomb), "is no archive of a packet"));
}

TEST_CASE("an archive is unpacked for as long as it is looked at") {
  const Scratch scratch;
  const std::string path = scratch.file("packet.tar");
  REQUIRE(write_file_atomic(path, entry("p/packet.json", "{}\n") + kEnd));
  std::string directory;
  {
    auto place = PacketPlace::open(path);
    REQUIRE(place);
    directory = place->directory();
    CHECK(test::contents(path_join(directory, "packet.json")) == "{}\n");
    const PacketPlace moved = std::move(*place);
    CHECK(directory_exists(moved.directory()));
  }
  CHECK(!directory_exists(directory));
  const auto same = PacketPlace::open(scratch.path());
  REQUIRE(same);
  CHECK(same->directory() == scratch.path());
  CHECK(PacketPlace::open(scratch.file("none")).error().exit_code == ExitCode::kUsage);
}

}  // namespace
}  // namespace tensorpath
