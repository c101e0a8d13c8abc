// entry.json: what is written reads back, and every mistake in it is named with its place.
#include "registry_fixture.h"

using namespace tensorpath;
using namespace tensorpath::registry;
using namespace tensorpath::test;

namespace {

Entry with_id() {
  Entry entry = rmsnorm_entry();
  entry.id = "cpp_rmsnorm_host_fp32_16x4096_v7";
  return entry;
}

std::string mistake(const std::string& from, const std::string& to) {
  const auto read = read_entry(replaced(entry_text(with_id()), from, to), "entry.json");
  return read ? "(no mistake)" : read.error().to_string();
}

}  // namespace

TEST_CASE("an entry reads back as it was written") {
  Entry entry = with_id();
  CHECK(entry_text(read_entry(entry_text(entry), "e").value()) == entry_text(entry));
  entry.performance.sol_score.reset();
  entry.evidence_level = EvidenceLevel::kEndpoint;
  entry.objective = "throughput";
  entry.attributes.clear();
  entry.toolchain.flags = "-DX=\"\\t\" \xC3\xA9";
  entry.performance.ratio = 1.0 / 3 + 1;
  entry.performance.lower = 1e-300;
  entry.performance.upper = 2;
  const Entry read = read_entry(entry_text(entry), "e").value();
  CHECK(entry_text(read) == entry_text(entry));
  CHECK(read.performance.ratio == entry.performance.ratio);
  CHECK(!read.performance.sol_score);
  CHECK(read.toolchain.flags == entry.toolchain.flags);
  CHECK(read.dims.front().name == "rows");
  CHECK(read.promoted_at == entry.promoted_at);
}

TEST_CASE("the id is made of what the entry is about") {
  CHECK(kernel_name(rmsnorm_entry()) == "cpp_rmsnorm_host_fp32_16x4096");
  CHECK(version_of("cpp_a_v12", "cpp_a") == 12);
  for (const char* no : {"cpp_a_v", "cpp_a_v0", "cpp_a_v01", "cpp_a_v-1", "cpp_a_v1x", "cpp_b_v1",
                         "cpp_a", "cpp_a_v99999999999"}) {
    INFO(no);
    CHECK(!version_of(no, "cpp_a"));
  }
  CHECK(has(mistake("fp32_16x4096_v7", "fp32_32x4096_v7"),
            "entry.json:3:9: id is 'cpp_rmsnorm_host_fp32_32x4096_v7', but the entry is about "
            "cpp_rmsnorm_host_fp32_16x4096"));
}

TEST_CASE("a mistake in an entry is named with its place") {
  CHECK(has(mistake("\"op_digest\"", "\"op_digst\""), "did you mean 'op_digest'?"));
  CHECK(has(mistake("\"op_digest\"", "\"op_digst\""), "entry.json:5:3: unknown key 'op_digst'"));
  CHECK(has(mistake("kernel/v1", "kernel/v2"), "entry.json:2:13: schema is"));
  CHECK(has(mistake("\"fp32\"", "\"fp23\""), "there is no type 'fp23'"));
  CHECK(has(mistake("\"strided\"", "\"stridden\""), "did you mean 'strided'?"));
  CHECK(has(mistake("\"strided\"", "\"contiguous\""), "has contiguous twice"));
  CHECK(
      has(mistake("x86-64-v3\",\n  \"dtype", "x86 64\",\n  \"dtype"), "architecture is 'x86 64'"));
  CHECK(has(mistake("packet/packet.json", "../packet.json"), "packet is '../packet.json'"));
  CHECK(has(mistake("packet/packet.json", "/etc/passwd"), "a relative path"));
  CHECK(has(mistake("\"op\",", "\"opp\","), "did you mean 'op'?"));
  CHECK(has(mistake("\"cold\"", "\"hot\""), "performance.timing is 'hot'"));
  CHECK(has(mistake("\"latency\"", "\"fame\""), "latency, throughput"));
  CHECK(has(mistake("2026-11-29T15", "2026-13-29T15"), "promoted_at"));
  CHECK(has(mistake("\"ratio\": 1.23", "\"ratio\": 1.5"), "outside its interval"));
  CHECK(has(mistake("\"ratio\": 1.23", "\"ratio\": -1"), "more than 0"));
  CHECK(has(mistake("\"ratio\": 1.23", "\"ratio\": \"1.23\""), "without quotes"));
  CHECK(has(mistake("\"kernel_us\": 10", "\"kernel_us\": 0"), "performance.cases[0].kernel_us"));
  CHECK(has(mistake("\"rows\": 16", "\"rows\": 65"), "between 1 and 64"));
  CHECK(has(mistake("\"attempt\": 3", "\"attempt\": 0"), "attempt is 0"));
  CHECK(has(mistake("A Processor", "A\\u001b[31m"), "no text of one line"));
  CHECK_THAT(mistake("\"eps\": ", "\"ep\\u001bs\": "), Catch::Contains("no name"));
  CHECK(has(mistake("\"run_id\": \"2", "\"run_id\": \"\", \"x\": \"2"), "run_id is empty"));
  for (const char* range :
       {"[64, 1]", "[0, 64]", "[1, 2.5]", "[1]", "64", "[1, 2, 3]", "[\"1\", 2]"}) {
    INFO(range);
    const std::string text = replaced(to_line(to_json(with_id())), "[1,64]", range);
    CHECK(has(read_entry(text, "e").error().to_string(), "expected [least, most], from 1 on"));
  }
  const std::string text = entry_text(with_id());
  const Json document = to_json(with_id());
  for (const auto& item : document.items()) {
    if (item.key() == "id") continue;
    INFO(item.key());
    Json without = document;
    without.erase(item.key());
    const auto read = read_entry(to_text(without), "e");
    REQUIRE(!read);
    CHECK(has(read.error().to_string(), item.key() + " is missing"));
  }
}

TEST_CASE("an entry that names no kernel directory is refused") {
  Entry entry = rmsnorm_entry();
  entry.dims.clear();
  entry.tuned_shape.clear();
  CHECK(!read_entry(entry_text(entry), "e"));
  entry = rmsnorm_entry();
  entry.gpu = std::string(190, 'g');
  CHECK(has(read_entry(entry_text(entry), "e").error().to_string(), "no name for a kernel"));
  for (const char* text : {"", "[]", "null", "{}", "{\"schema\": \"tensorpath.kernel/v1\"", "7"}) {
    INFO(text);
    const auto read = read_entry(text, "e");
    REQUIRE(!read);
    CHECK(!read.error().diagnostics.empty());
  }
}

TEST_CASE("what is told of an entry is what was measured") {
  CHECK(measured_text(rmsnorm_entry()) == "1.23x [1.15, 1.31] against tuned, cold, on host");
}
