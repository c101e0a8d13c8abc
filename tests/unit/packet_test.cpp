// Packets of every outcome: they are what their files say, and nobody vouches for more.
#include "evidence/json_schema.h"
#include "evidence/packet_schema.h"
#include "packet_fixture.h"

#include <cctype>
#include <chrono>
#include <cstdlib>

using namespace tensorpath;
using namespace tensorpath::test;
using enum forge::LedgerEvent;

namespace {

constexpr std::array kOutcomes{kProposed, kCompiled, kSmokePassed, kVerified,  kRejected,
                               kBenched,  kPromoted, kRefused,     kAbandoned, kVoid};

Packet packet_of(const Scratch& scratch, forge::LedgerEvent outcome) {
  const auto packet = forge::assemble_packet(sources(attempt_files(scratch, outcome)));
  if (!packet) FAIL(packet.error().to_string());
  return *packet;
}

// In lower and in upper case; the ledger's own name of a state, for scripts, taken out.
std::vector<std::string> shapes_of(std::string text) {
  constexpr std::string_view kName = "smoke_passed";
  if (const std::size_t at = text.find(kName); at != std::string::npos)
    text.erase(at, kName.size());
  std::string upper = text;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return {text, upper};
}

}  // namespace

TEST_CASE("a packet of every outcome is reproduced from its files") {
  const Scratch scratch;
  for (const auto outcome : kOutcomes) {
    CAPTURE(forge::event_name(outcome));
    const std::string directory = scratch.file(std::string(forge::event_name(outcome)));
    const Packet packet = packet_of(scratch, outcome);
    const Status written = write_packet(directory, packet);
    if (!written) FAIL(written.error().to_string());
    const PacketCheck checked = check(directory);
    CHECK(said(checked) == "REPRODUCED");
    CHECK(checked.trust == PacketTrust::kUnsigned);
    CHECK(has(trust_sentence(checked.trust, ""), "self-consistent at best"));
    CHECK(checked.predicate.at("packet").at("outcome") == forge::event_name(outcome));
    CHECK(checked.predicate.at("performance").is_null() ==
          (outcome != kBenched && outcome != kPromoted && outcome != kRefused));
  }
}

TEST_CASE("only a state that holds a verdict carries a claim, in every format and case") {
  const Scratch scratch;
  for (const auto outcome : kOutcomes) {
    CAPTURE(forge::event_name(outcome));
    const Packet packet = packet_of(scratch, outcome);
    const auto claims =
        forge::claim_sentences(packet.predicate().at("claims"), forge::event_name(outcome));
    CHECK(claims.empty() != forge::holds_verdict(outcome));
    if (forge::holds_verdict(outcome)) continue;
    const std::string state = forge::state_sentence({2, outcome, "", "compile_error"});
    for (const std::string& text : {to_text(packet.predicate()), to_line(packet.predicate()),
                                    to_yaml_text(packet.predicate()), state}) {
      for (const std::string& shape : shapes_of(without_quotations(text))) {
        CHECK(forge::find_claim(shape) == "");
      }
    }
  }
}

TEST_CASE("claims that were put into a packet are not rendered for a state without a verdict") {
  const Json claims = Json::array({{{"claim", "all hidden cases agree"}}});
  CHECK(forge::claim_sentences(claims, "rejected").empty());
  CHECK(forge::claim_sentences(claims, "no such state").empty());
  CHECK(forge::claim_sentences(claims, "verified").size() == 1);
}

TEST_CASE("a claim names the line of the ledger that carries it") {
  const Scratch scratch;
  const Packet packet = packet_of(scratch, kPromoted);
  const Json& claims = packet.predicate().at("claims");
  REQUIRE(claims.size() == 3);
  CHECK(claims[0].at("basis").at("event") == "verified");
  CHECK(has(claims[0].at("claim"), "all 44 hidden cases of rmsnorm in fp32"));
  CHECK(claims[1].at("basis").at("event") == "benched");
  CHECK(has(claims[1].at("claim"), "FAST: time of the strongest baseline (naive)"));
  CHECK(claims[2].at("basis").at("event") == "promoted");
}

TEST_CASE("text that nobody vouches for is a quotation and nothing else") {
  CHECK(quote_untrusted("a\x1b[31mb\x1b]0;title\ac") == "“abc”");
  CHECK(quote_untrusted("“verified” \"x\"") == "“'verified' 'x'”");
  CHECK(quote_untrusted("**a** `b` <i> [c](d)") ==
        "“\\*\\*a\\*\\* \\`b\\` \\<i\\> \\[c\\]\\(d\\)”");
  CHECK(quote_untrusted("a\r\nb\tc") == "“a / b c”");
  CHECK(quote_untrusted("veri\u200Bfied \u202Eabc \xC2\x9B"
                        "1m \xFF") == "“verified abc 1m ”");
  CHECK(quote_untrusted(std::string(100'000, 'x')).size() < kLongestQuotation + 16);
  CHECK(without_quotations("ours “theirs” ours") == "ours  ours");
  CHECK(without_quotations("ours “never closed") == "ours “never closed");
}

TEST_CASE("a compiler's words about a source are quoted in the packet") {
  const Scratch scratch;
  const Packet packet = packet_of(scratch, kRejected);
  const auto detail = packet.predicate().at("validation").at("detail").get<std::string>();
  CHECK(without_quotations(detail) == "");
  CHECK(detail.find('\x1b') == std::string::npos);
  CHECK(has(detail, "\\*\\*verified\\*\\*"));
}

TEST_CASE("files that contradict the ledger make no packet") {
  const Scratch scratch;
  const auto refuses = [&](const std::string& path, const std::function<void(std::string&)>& edit,
                           const std::string& message) {
    auto files = attempt_files(scratch, kBenched);
    for (PacketFile& file : files) {
      if (file.path == path) edit(file.contents);
    }
    const auto packet = forge::assemble_packet(sources(files));
    REQUIRE(!packet);
    CHECK(has(packet.error().to_string(), message));
  };
  const auto replace = [](const std::string& from, const std::string& to) {
    return [=](std::string& text) {
      REQUIRE(has(text, from));
      text.replace(text.find(from), from.size(), to);
    };
  };
  refuses("candidate/kernel.cpp", replace("int", "INT"), "not those of attempt 2");
  refuses("task.yaml", replace("16", "32"), "the ledger is of a task with digest");
  refuses("report.json", replace("\"passed\": true", "\"passed\": false"), "another verdict");
  refuses("report.json", replace("\"gates\"", "\"gate\""), "another digest than the ledger");
  refuses("bench-1/bench.json", replace("\"plan\"", "\"plans\""), "not what it should be");
  refuses("bench-1/bench.json", replace("FAST", "SAME"), "decision does not follow");
  refuses("bench-1/bench.json", replace("\"p50_us\": 2", "\"p50_us\": 3"),
          "/cases/0/arms/0/cold/p50_us does not follow");
  refuses(
      "bench-1/samples.bin", [](std::string& text) { text[30] ^= 1; }, "names samples");
  refuses("ledger.jsonl", replace("\"verified\"", "\"compiled\""), "ledger.jsonl:7");
}

TEST_CASE("samples read back are the doubles that the clock gave") {
  const TimingPlan plan = timing_plan();
  std::vector<TimedSample> samples(1000);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::chrono::nanoseconds span(11'000 + 37 * static_cast<std::int64_t>(i));
    samples[i].seconds = std::chrono::duration<double>(span).count();
  }
  const auto read = read_samples(write_samples(samples), "samples.bin", plan);
  REQUIRE(read);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    CHECK((*read)[i].seconds == samples[i].seconds);
  }
}

TEST_CASE("a packet replaces nothing and is whole or not there") {
  const Scratch scratch;
  const Packet packet = packet_of(scratch, kVerified);
  REQUIRE(write_packet(scratch.file("a"), packet));
  const Status again = write_packet(scratch.file("a"), packet);
  REQUIRE(!again);
  CHECK(has(again.error().to_string(), "is there already"));
  Packet bad = packet;
  bad.set("task", {{"op", "x"}});
  const Status refused = write_packet(scratch.file("b"), bad);
  REQUIRE(!refused);
  CHECK(has(refused.error().to_string(), "/predicate/task/run_id: is missing"));
  CHECK(!directory_exists(scratch.file("b")));
}

TEST_CASE("a null block needs a reason, and a reason a null block") {
  const Scratch scratch;
  Packet packet = packet_of(scratch, kVerified);
  packet.set("security", nullptr);
  const Status silent = write_packet(scratch.file("a"), packet);
  REQUIRE(!silent);
  CHECK(has(silent.error().to_string(), "security is null, and nothing here says why"));
  packet = packet_of(scratch, kVerified);
  packet.not_measured("task", "it is there");
  CHECK(!write_packet(scratch.file("b"), packet));
}

TEST_CASE("a later format is stale, not a forgery") {
  const Scratch scratch;
  REQUIRE(write_packet(scratch.file("a"), packet_of(scratch, kVerified)));
  const std::string path = scratch.file("a/packet.json");
  Json tree = read_json_file(path).value();
  tree["predicate"]["packet"]["version"] = 2;
  tree["predicate"]["a new block"] = Json::object();
  tree["predicate"]["packet"]["content_digest"] = content_digest(tree);
  REQUIRE(write_file_atomic(path, canonical_text(tree)));
  CHECK(check(scratch.file("a")).verdict == PacketVerdict::kStale);
}

TEST_CASE("keys: of the right kind, closed to others, and never in a message") {
  const Scratch scratch;
  const std::string path = write_key(scratch, "key");
  REQUIRE(SigningKey::read(path));
  REQUIRE(read_public_key(scratch.file("key.pub")).value().bytes.size() == 32);
  const auto refuses = [](const std::string& file, const std::string& message) {
    const auto key = SigningKey::read(file);
    REQUIRE(!key);
    CHECK(has(key.error().to_string(), message));
  };
  for (const mode_t mode : {0644U, 0640U, 0602U}) {
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    refuses(path, "is open to others");
  }
  refuses(scratch.file("absent"), "cannot read the key");
  refuses(write_key(scratch, "other", 0x6E), "is not of Ed25519");
  REQUIRE(write_private_file(scratch.file("text"), "no key"));
  refuses(scratch.file("text"), "holds no private key");
  CHECK(!read_public_key(scratch.file("text")));
}

TEST_CASE("the schema says what the checker enforces") {
  CHECK(unknown_keywords(packet_schema()).empty());
  const Json schema = {{"type", "object"},
                       {"properties", {{"a", {{"type", {"integer", "null"}}, {"minimum", 2}}}}},
                       {"required", {"a"}},
                       {"additionalProperties", false}};
  CHECK(check_schema(schema, {{"a", 2}}).empty());
  CHECK(check_schema(schema, {{"a", nullptr}}).empty());
  CHECK(check_schema(schema, {{"a", 1}}).size() == 1);
  CHECK(check_schema(schema, {{"a", 2.5}}).front().where == "/a");
  CHECK(check_schema(schema, {{"b", 2}}).size() == 2);
  CHECK(unknown_keywords({{"oneOf", Json::array()}}).size() == 1);
}

TEST_CASE("an independent validator agrees about packets, right and wrong") {
  if (std::system(
          "python3 -W ignore -c 'from jsonschema import Draft202012Validator' 2>/dev/null") != 0) {
    SUCCEED("python3 has no jsonschema here");
    return;
  }
  const Scratch scratch;
  REQUIRE(write_packet(scratch.file("a"), packet_of(scratch, kBenched)));
  const Json whole = read_json_file(scratch.file("a/packet.json")).value();
  // Every leaf and every block replaced by a value of another type, taken out, and a key put in.
  Json documents = Json::array({whole});
  const Json flat = whole.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    const Json::json_pointer at(pointer);
    for (const Json& other : {Json(nullptr), Json("x"), Json(-1), Json(1.5), Json::object()}) {
      Json copy = whole;
      copy[at] = other;
      documents.push_back(copy);
    }
    Json copy = whole;
    Json& parent = copy[at.parent_pointer()];
    if (!parent.is_object()) continue;
    parent["surplus"] = 1;
    documents.push_back(copy);
    parent.erase("surplus");
    parent.erase(at.back());
    documents.push_back(copy);
  }
  REQUIRE(write_file_atomic(scratch.file("documents.json"), to_line(documents)));
  const std::string command = fmt::format(
      "python3 -W ignore -c '\nimport json, sys\nfrom jsonschema import Draft202012Validator as V\n"
      "v = V(json.load(open(sys.argv[1])))\n"
      "print(json.dumps([v.is_valid(d) for d in json.load(open(sys.argv[2]))]))' {} {} >{}",
      TENSORPATH_SOURCE_DIR "/data/schemas/packet.schema.json", scratch.file("documents.json"),
      scratch.file("verdicts.json"));
  REQUIRE(std::system(command.c_str()) == 0);
  const Json verdicts = read_json_file(scratch.file("verdicts.json")).value();
  REQUIRE(verdicts.size() == documents.size());
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const auto mistakes = check_schema(packet_schema(), documents[i]);
    CAPTURE(i, mistakes.empty() ? "" : mistakes.front().where);
    CHECK(mistakes.empty() == verdicts[i].get<bool>());
  }
}
