// Whoever changes one thing in a packet is found out, whatever it is. Whoever writes all of an
// unsigned one anew is not; a signature is what it takes.
#include "packet_fixture.h"

using namespace tensorpath;
using namespace tensorpath::test;
using enum forge::LedgerEvent;

namespace {

namespace fs = std::filesystem;

struct Example {
  Scratch scratch{in_memory()};
  std::string directory = scratch.file("packet");
  std::string key_path = write_key(scratch, "key");

  explicit Example(bool is_signed = false, forge::LedgerEvent outcome = kBenched) {
    const auto packet = forge::assemble_packet(sources(attempt_files(scratch, outcome)));
    REQUIRE(packet);
    const auto key = SigningKey::read(key_path);
    REQUIRE(key);
    REQUIRE(write_packet(directory, *packet, is_signed ? &*key : nullptr));
    REQUIRE(said(check(directory)) == "REPRODUCED");
  }
  [[nodiscard]] std::string file(const std::string& name) const {
    return path_join(directory, name);
  }
  [[nodiscard]] std::string text(const std::string& name) const { return contents(file(name)); }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
      if (entry.is_regular_file()) {
        names.push_back(fs::relative(entry.path(), directory).string());
      }
    }
    return names;
  }
  [[nodiscard]] std::vector<PublicKey> trusted() const {
    return {read_public_key(scratch.file("key.pub")).value()};
  }
  // Without a sync: thousands of times.
  static void put(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }
  // One edit of one file, found out and undone.
  void detects(const std::string& name, const std::string& edited, const std::string& what) const {
    const std::string before = text(name);
    if (edited == before) return;
    put(file(name), edited);
    const PacketCheck checked = check(directory);
    INFO(name << ": " << what);
    CHECK(checked.verdict == PacketVerdict::kTampered);
    CHECK(!checked.findings.empty());
    put(file(name), before);
  }
};

// Everything anew, as somebody does who wants it to agree: subjects, own digest, canonical text.
void seal(const Example& example, Json tree) {
  for (Json& subject : tree["subject"]) {
    const std::string contents = example.text(subject["name"].get<std::string>());
    subject["digest"]["sha256"] = sha256_hex(contents);
  }
  tree["predicate"]["packet"]["content_digest"] = content_digest(tree);
  Example::put(example.file("packet.json"), canonical_text(tree));
}

Json another(const Json& value) {
  if (value.is_string()) return value.get<std::string>() + "x";
  if (value.is_boolean()) return !value.get<bool>();
  if (value.is_number_integer()) return value.get<std::int64_t>() + 1;
  if (value.is_number()) return value.get<double>() * 1.0001 + 1e-9;
  return value.is_null() ? Json(0) : Json(nullptr);
}

std::string lines_without(const std::string& text, std::size_t skip) {
  std::string out;
  std::size_t at = 0;
  for (std::size_t from = 0; from < text.size(); ++at) {
    const std::size_t end = text.find('\n', from) + 1;
    if (at != skip) out += text.substr(from, end - from);
    from = end;
  }
  return out;
}

// Each leaf of packet.json changed, each key taken out, one put in beside it.
void for_each_edit(const Json& whole, const std::function<void(const Json&, std::string)>& edit) {
  const Json flat = whole.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    Json::json_pointer at(pointer);
    Json copy = whole;
    copy[at] = another(value);
    edit(copy, pointer + " changed");
    for (; !at.empty(); at.pop_back()) {
      copy = whole;
      Json& parent = copy[at.parent_pointer()];
      if (parent.is_object()) {
        parent.erase(at.back());
        edit(copy, at.to_string() + " removed");
        parent[at.back() + "_"] = value;
        edit(copy, at.to_string() + " renamed");
      } else {
        parent.erase(static_cast<std::size_t>(std::stoul(at.back())));
        edit(copy, at.to_string() + " removed");
      }
    }
  }
}

}  // namespace

TEST_CASE("a flipped bit in any byte of any file") {
  for (const bool is_signed : {false, true}) {
    const Example example(is_signed);
    for (const std::string& name : example.names()) {
      const std::string before = example.text(name);
      // Every byte of the small files, every class of bytes of the large ones.
      const std::size_t step = std::max<std::size_t>(1, before.size() / 200);
      for (std::size_t i = 0; i < before.size(); i += step) {
        std::string edited = before;
        edited[i] = static_cast<char>(edited[i] ^ (1 << (i % 8)));
        example.detects(name, edited, fmt::format("bit {} of byte {}", i % 8, i));
      }
    }
  }
}

TEST_CASE("a file that is cut, longer, empty, swapped, gone or new") {
  const Example example(true);
  const std::vector<std::string> names = example.names();
  for (const std::string& name : names) {
    const std::string before = example.text(name);
    example.detects(name, before.substr(0, before.size() - 1), "cut by one byte");
    example.detects(name, before.substr(0, before.size() / 2), "cut in half");
    example.detects(name, before + "\n", "one byte longer");
    example.detects(name, before + before, "twice");
    example.detects(name, "", "empty");
    for (const std::string& other : names) {
      if (other != name) example.detects(name, example.text(other), "is " + other);
    }
    fs::rename(example.file(name), example.scratch.file("aside"));
    CHECK(check(example.directory).verdict == PacketVerdict::kTampered);
    // A link to the same bytes is none of the packet's files either.
    fs::create_symlink(example.scratch.file("aside"), example.file(name));
    CHECK(check(example.directory).verdict == PacketVerdict::kTampered);
    fs::remove(example.file(name));
    fs::rename(example.scratch.file("aside"), example.file(name));
  }
  for (const char* name : {"new", ".hidden", "candidate/new.cpp", "bench-2/samples.bin"}) {
    fs::create_directories(fs::path(example.file(name)).parent_path());
    Example::put(example.file(name), "x");
    CHECK(check(example.directory).verdict == PacketVerdict::kTampered);
    fs::remove(example.file(name));
  }
  fs::remove_all(example.file("bench-2"));
  fs::create_directory(example.file("empty"));
  CHECK(check(example.directory).verdict == PacketVerdict::kTampered);
  fs::remove(example.file("empty"));
  CHECK(said(check(example.directory)) == "REPRODUCED");
}

TEST_CASE("each field of packet.json, changed, removed, renamed, re-ordered or re-spaced") {
  const Example example;
  const Json whole = parse_json(example.text("packet.json"), "packet.json").value();
  for_each_edit(whole, [&](const Json& edited, const std::string& what) {
    example.detects("packet.json", canonical_text(edited), what);
  });
  Json turned = Json::object();
  std::vector<std::string> keys;
  for (const auto& item : whole.items()) keys.insert(keys.begin(), item.key());
  for (const std::string& key : keys) turned[key] = whole.at(key);
  example.detects("packet.json", to_text(turned), "keys in another order");
  example.detects("packet.json", to_line(whole), "one line");
  example.detects("packet.json", " " + example.text("packet.json"), "a space more");
}

TEST_CASE("each block that follows from the files, with the packet's own digest made right") {
  const Example example;
  const std::string before = example.text("packet.json");
  const Json whole = parse_json(before, "packet.json").value();
  for_each_edit(whole, [&](const Json& edited, const std::string& what) {
    // Recorded facts that no file of the packet holds: only a signature guards them.
    for (const char* free : {"/predicate/packet/created", "/predicate/packet/replay_command",
                             "/predicate/packet/harness", "/predicate/task/run_id",
                             "/predicate/packet/content_digest", "/subject"}) {
      if (what.starts_with(free)) return;
    }
    if (!edited.contains(Json::json_pointer("/predicate/packet"))) return;
    if (!edited.at(Json::json_pointer("/predicate/packet")).is_object()) return;
    Json sealed = edited;
    sealed["predicate"]["packet"]["content_digest"] = content_digest(sealed);
    Example::put(example.file("packet.json"), canonical_text(sealed));
    INFO(what);
    // A later format is told from a forgery by nothing but its word.
    const PacketVerdict verdict = check(example.directory).verdict;
    const bool says_later = what == "/predicate/packet/version changed";
    const bool other_kind = what == "/predicate/packet/kind changed";
    CHECK((verdict == PacketVerdict::kTampered ||
           (says_later && verdict == PacketVerdict::kStale) ||
           (other_kind && verdict == PacketVerdict::kNotRunnableHere)));
  });
  Example::put(example.file("packet.json"), before);
}

TEST_CASE("a ledger's lines and a sample, with every digest of the packet made right") {
  const Example example;
  const Json whole = parse_json(example.text("packet.json"), "packet.json").value();
  const auto detects = [&](const std::string& name, const std::string& edited,
                           const std::string& what) {
    const std::string before = example.text(name);
    if (edited == before) return;
    Example::put(example.file(name), edited);
    seal(example, whole);
    INFO(name << ": " << what);
    CHECK(check(example.directory).verdict == PacketVerdict::kTampered);
    Example::put(example.file(name), before);
    seal(example, whole);
  };
  const std::string ledger = example.text("ledger.jsonl");
  const auto lines = static_cast<std::size_t>(std::count(ledger.begin(), ledger.end(), '\n'));
  for (std::size_t i = 0; i < lines; ++i) {
    detects("ledger.jsonl", lines_without(ledger, i), fmt::format("line {} removed", i + 1));
  }
  std::size_t first = ledger.find('\n') + 1;
  const std::size_t second = ledger.find('\n', first) + 1;
  detects("ledger.jsonl",
          ledger.substr(first, second - first) + ledger.substr(0, first) + ledger.substr(second),
          "two lines swapped");
  detects("ledger.jsonl", ledger + ledger.substr(ledger.rfind('\n', ledger.size() - 2) + 1),
          "last line twice");
  for (std::size_t i = 0; i < ledger.size(); i += 7) {
    std::string edited = ledger;
    edited[i] = static_cast<char>(edited[i] ^ 1);
    detects("ledger.jsonl", edited, fmt::format("byte {}", i));
  }
  const std::string samples = example.text("bench-1/samples.bin");
  for (std::size_t at = 4; at + 32 <= samples.size(); at += 32) {
    std::string edited = samples;
    edited[at + 16] = static_cast<char>(edited[at + 16] ^ 1);
    detects("bench-1/samples.bin", edited, fmt::format("sample at byte {}", at));
  }
  detects("bench-1/samples.bin", samples.substr(0, samples.size() - 32), "a sample less");
  const std::string bench = example.text("bench-1/bench.json");
  const Json report = parse_json(bench, "bench.json").value();
  for (const char* stale : {"/ratio/value", "/ratio/low", "/cases/0/arms/0/cold/p50_us",
                            "/cases/0/arms/1/cold/variance_us2", "/pairs", "/decision"}) {
    Json edited = report;
    edited[Json::json_pointer(stale)] = another(report.at(Json::json_pointer(stale)));
    detects("bench-1/bench.json", to_text(edited), stale);
  }
  detects("candidate/kernel.cpp", example.text("candidate/kernel.cpp") + " ", "source");
  detects("task.yaml", example.text("task.yaml") + "# \n", "task");
  CHECK(said(check(example.directory)) == "REPRODUCED");
}

TEST_CASE("a claim that no state of the ledger supports") {
  const Example example(false, kRejected);
  Json tree = parse_json(example.text("packet.json"), "packet.json").value();
  tree["predicate"]["claims"].push_back(
      {{"claim", "all 44 hidden cases agree"},
       {"provenance", "measured"},
       {"basis", {{"event", "verified"}, {"line", 2}, {"hash", sha256_hex("x")}}}});
  seal(example, tree);
  const PacketCheck checked = check(example.directory);
  CHECK(checked.verdict == PacketVerdict::kTampered);
  CHECK(has(said(checked), "has claims, and the ledger holds none: rejected"));
}

TEST_CASE("the whole of an unsigned packet written anew is not seen, and of a signed one it is") {
  for (const bool is_signed : {false, true}) {
    const Example example(is_signed);
    // Another run altogether: one line of its task, its ledger and everything that follows.
    fs::remove_all(example.directory);
    auto files = attempt_files(example.scratch, kPromoted);
    const auto forged = forge::assemble_packet(sources(files));
    REQUIRE(forged);
    if (!is_signed) {
      REQUIRE(write_packet(example.directory, *forged));
      const PacketCheck checked = check(example.directory);
      CHECK(checked.verdict == PacketVerdict::kReproduced);
      CHECK(checked.trust == PacketTrust::kUnsigned);
      CHECK(check(example.directory, example.trusted()).verdict == PacketVerdict::kTampered);
      continue;
    }
    const std::string thief = write_key(example.scratch, "thief");
    const auto key = SigningKey::read(thief);
    REQUIRE(key);
    REQUIRE(write_packet(example.directory, *forged, &*key));
    CHECK(check(example.directory).trust == PacketTrust::kUnknownSigner);
    CHECK(check(example.directory, example.trusted()).verdict == PacketVerdict::kTampered);
  }
}

TEST_CASE("a signature: its removal, another one, another key") {
  const Example example(true);
  CHECK(check(example.directory, example.trusted()).trust == PacketTrust::kTrusted);
  CHECK(check(example.directory).trust == PacketTrust::kUnknownSigner);
  const std::string envelope = example.text("packet.dsse.json");
  const Json whole = parse_json(envelope, "packet.dsse.json").value();
  for_each_edit(whole, [&](const Json& edited, const std::string& what) {
    example.detects("packet.dsse.json", canonical_text(edited), what);
  });
  example.detects("packet.dsse.json", to_line(whole), "re-spaced");
  fs::remove(example.file("packet.dsse.json"));
  const PacketCheck bare = check(example.directory);
  CHECK(bare.verdict == PacketVerdict::kTampered);
  CHECK(bare.trust == PacketTrust::kBroken);
  // As if it had never been signed: consistent again, but not for who asks for a signature.
  Json tree = parse_json(example.text("packet.json"), "packet.json").value();
  tree["predicate"]["packet"]["signer"] = nullptr;
  seal(example, tree);
  CHECK(check(example.directory).trust == PacketTrust::kUnsigned);
  CHECK(check(example.directory, example.trusted()).verdict == PacketVerdict::kTampered);
}
