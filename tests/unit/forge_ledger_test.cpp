#include "forge/ledger_line.h"
#include "forge_fixture.h"

#include <algorithm>
#include <limits>

#include <sys/stat.h>

using namespace tensorpath;
using namespace tensorpath::forge;
using namespace tensorpath::test;
using enum tensorpath::forge::LedgerEvent;

namespace {

std::string filled_text() {
  const Scratch scratch;
  const std::string path = new_ledger(scratch);
  fill(path);
  return contents(path);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = text.find('\n', from);
    lines.push_back(text.substr(from, end - from + 1));
    from = end + 1;
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line;
  return out;
}

// The error of a text that is no sound ledger.
std::string error_of(const std::string& text) {
  const auto ledger = parse_ledger(text, "ledger.jsonl");
  REQUIRE(!ledger);
  REQUIRE(ledger.error().diagnostics.size() == 1);
  return ledger.error().to_string();
}

int line_of_error(const std::string& text) {
  const auto ledger = parse_ledger(text, "ledger.jsonl");
  return ledger ? 0 : ledger.error().diagnostics.front().where.line;
}

// A ledger as somebody would forge it: whatever moves, with a chain that fits.
std::string forged(const std::vector<LedgerEntry>& moves) {
  std::string text = first_ledger_line(sha256_hex(kTask), Json::object(), kNoon).value();
  std::string head = hash_of_line(text.substr(0, text.size() - 1));
  int seq = 1;
  for (LedgerEntry entry : moves) {
    entry.seq = ++seq;
    entry.time = utc_text(kNoon);
    entry.prev = head;
    const std::string line = ledger_line(entry).value();
    head = hash_of_line(line);
    text += line + '\n';
  }
  return text;
}

LedgerEntry move(LedgerEvent event, int attempt, Json data = Json::object()) {
  LedgerEntry entry;
  entry.event = event;
  entry.attempt = attempt;
  entry.data = std::move(data);
  return entry;
}

}  // namespace

TEST_CASE("the first line of a ledger has one fixed form") {
  // Worked out with another program: the format is a promise to ledgers already written.
  const auto line = first_ledger_line(sha256_hex("task"), {{"op", "rmsnorm"}}, kNoon);
  REQUIRE(line);
  CHECK(*line == R"({"seq":1,"time":"2026-11-29T12:00:00.000000Z","event":"created","attempt":0,)"
                 R"("data":{"op":"rmsnorm","task_digest":)"
                 R"("0ebb429fa86d481c2630fac53db1c91cffed5d4d41d1021c179444eb67e7ee0b"},)"
                 R"("prev":"ac80b202671ece4c139a9b2d6e03a499c8b6e016dcd2022ac580fbf1c64fc63b",)"
                 R"("hash":"b6d706417d5d6f2dbb62274fad14551e94d0ae75cd1837d65657d2adb955ea9c"})"
                 "\n");
}

TEST_CASE("what is appended is read back, with the state of each attempt") {
  const Scratch scratch;
  const std::string path = new_ledger(scratch);
  fill(path);
  const auto ledger = read_ledger(path, sha256_hex(kTask));
  REQUIRE(ledger);
  CHECK(ledger->attempts() == 2);
  CHECK(ledger->state_of(0)->state == kCreated);
  CHECK(ledger->state_of(1)->state == kPromoted);
  CHECK(ledger->state_of(1)->candidate_digest == candidate("a"));
  CHECK(ledger->latest().state == kRejected);
  CHECK(ledger->latest().failure_class == "wrong_result");
  CHECK(ledger->entries().size() == 11);
  CHECK(ledger->entries().back().hash == ledger->head());
  CHECK(ledger->torn_bytes() == 0);
  CHECK(ledger->entries_of(2).size() == 3);
  const auto none = ledger->state_of(3);
  REQUIRE(!none);
  CHECK(has(none.error().to_string(), "there is no attempt 3\n  hint: attempts are 1 to 2"));
  CHECK(!ledger->state_of(-1));
}

TEST_CASE("a bit that flips anywhere is seen, at its line") {
  const std::string text = filled_text();
  const auto lines = static_cast<int>(lines_of(text).size());
  int line = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string flipped = text;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
    INFO("byte " << i << " of line " << line);
    if (i + 1 < text.size()) {
      REQUIRE(line_of_error(flipped) == line);
    } else {
      // Without its newline the last line is torn.
      const auto torn = parse_ledger(flipped, "ledger.jsonl");
      REQUIRE(torn);
      REQUIRE(static_cast<int>(torn->entries().size()) == lines - 1);
      REQUIRE(torn->torn_bytes() > 0);
    }
    if (text[i] == '\n') ++line;
  }
  CHECK(line == lines + 1);
}

TEST_CASE("a line taken out, moved or repeated is seen, at the first one that does not fit") {
  const std::vector<std::string> lines = lines_of(filled_text());
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    INFO("line " << i + 1);
    const auto at = static_cast<std::ptrdiff_t>(i);
    std::vector<std::string> without = lines;
    without.erase(without.begin() + at);
    CHECK(line_of_error(joined(without)) == static_cast<int>(i) + 1);
    std::vector<std::string> swapped = lines;
    std::swap(swapped[i], swapped[i + 1]);
    CHECK(line_of_error(joined(swapped)) == static_cast<int>(i) + 1);
    std::vector<std::string> twice = lines;
    twice.insert(twice.begin() + at, lines[i]);
    CHECK(line_of_error(joined(twice)) == static_cast<int>(i) + 2);
  }
  // Nothing in a chain tells that its end was cut off; who must know keeps the head.
  const std::vector<std::string> shorter(lines.begin(), lines.end() - 1);
  CHECK(parse_ledger(joined(shorter), "ledger.jsonl")->head() !=
        parse_ledger(joined(lines), "ledger.jsonl")->head());
}

TEST_CASE("a line that was rewritten with a hash of its own is seen at the next one") {
  std::vector<std::string> lines = lines_of(filled_text());
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    INFO("line " << i + 1);
    auto entry = parse_ledger_line(std::string_view(lines[i]).substr(0, lines[i].size() - 1), {});
    REQUIRE(entry);
    entry->data["note"] = "was not there";
    auto rewritten = lines;
    rewritten[i] = ledger_line(*entry).value() + '\n';
    CHECK(error_of(joined(rewritten))
              .starts_with(
                  fmt::format("ledger.jsonl:{}: prev is not the hash of the line before", i + 2)));
  }
}

TEST_CASE("errors name the file, the line and what is wrong") {
  const std::vector<std::string> lines = lines_of(filled_text());
  auto broken = lines;
  broken[2].replace(broken[2].find("compiled"), 8, "verified");
  CHECK(error_of(joined(broken)).starts_with("ledger.jsonl:3: the line does not have its hash"));
  broken = lines;
  broken.erase(broken.begin() + 4);
  CHECK(error_of(joined(broken)).starts_with("ledger.jsonl:5: seq is 6, expected 5"));
  CHECK(error_of("").starts_with("ledger.jsonl:1: a ledger without a first line"));
  CHECK(error_of("{\"seq\":1").starts_with("ledger.jsonl:1: a ledger without a first line"));
  CHECK(error_of("{}\n").starts_with("ledger.jsonl:1: not a ledger line"));
  CHECK(error_of("\n").starts_with("ledger.jsonl:1: not a ledger line"));
  CHECK(error_of(lines[0] + std::string("a\0b\n", 4)).starts_with("ledger.jsonl:2: a NUL byte"));
  CHECK(error_of(lines[0] + "\xC3(\n").starts_with("ledger.jsonl:2: bytes that are not UTF-8"));
  CHECK(error_of(lines[0] + std::string(kMaxLedgerLine, 'x') + '\n')
            .starts_with("ledger.jsonl:2: the line is longer than 1 MiB"));
  CHECK(
      has(error_of(lines[0] + std::string(kMaxLedgerLine, 'x')), "too long for one that was torn"));
  const auto other = parse_ledger(joined(lines), "ledger.jsonl", sha256_hex("another task"));
  REQUIRE(!other);
  CHECK(has(other.error().to_string(), "ledger.jsonl:1: the ledger is of a task with digest"));
}

TEST_CASE("a forged chain with right hashes does not get around the order of states") {
  const Json a = of_candidate("a");
  const auto to_smoke = [&](LedgerEntry last) {
    return forged(
        {move(kProposed, 1, a), move(kCompiled, 1, a), move(kSmokePassed, 1, a), std::move(last)});
  };
  CHECK(parse_ledger(to_smoke(move(kVerified, 1, a)), "l")->state_of(1)->state == kVerified);
  CHECK(has(error_of(forged({move(kProposed, 1, a), move(kVerified, 1, a)})),
            "ledger.jsonl:3: attempt 1 is proposed and cannot become verified\n"
            "  hint: allowed next: compiled, rejected, abandoned, void"));
  CHECK(has(error_of(to_smoke(move(kVerified, 1, of_candidate("b")))),
            "ledger.jsonl:5: attempt 1 is about candidate " + candidate("a")));
  CHECK(has(error_of(to_smoke(move(kVerified, 1))), "verified needs candidate_digest"));
  CHECK(
      has(error_of(to_smoke(move(kCompiled, 1, a))), "is smoke_passed and cannot become compiled"));
  CHECK(has(error_of(to_smoke(move(kVerified, 2, a))), "there is no attempt 2"));
  CHECK(has(error_of(to_smoke(move(kVerified, 0, a))), "attempt 0 is created and cannot"));
  CHECK(
      has(error_of(to_smoke(move(kProposed, 1, a))), "is smoke_passed and cannot become proposed"));
  CHECK(has(error_of(to_smoke(move(kProposed, 3, a))), "the next attempt is 2, not 3"));
  CHECK(has(error_of(to_smoke(move(kCreated, 0, {{"task_digest", sha256_hex(kTask)}}))),
            "one line created"));
  CHECK(has(error_of(to_smoke(move(kRejected, 1))), "rejected needs failure_class"));
  CHECK(has(error_of(to_smoke(move(kRejected, 1, failed_by("all_correct")))), "a word of praise"));
  CHECK(has(error_of(to_smoke(move(kRecovered, 1))), "recovered is of attempt 0"));
  CHECK(
      has(error_of(forged({move(kAbandoned, 0), move(kProposed, 1, a)})), "the run is abandoned"));
  CHECK(has(error_of(forged({move(kProposed, 1)})), "proposed needs candidate_digest"));
}

TEST_CASE("a forged line in another form is refused") {
  const std::string first = lines_of(filled_text())[0];
  const auto with_hash = [](const std::string& body) {
    return body.substr(0, body.size() - 1) + R"(,"hash":")" + sha256_hex(body) + "\"}\n";
  };
  const std::string body = first.substr(0, first.find(R"(,"hash")")) + "}";
  REQUIRE(with_hash(body) == first);
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string out = body;
    out.replace(out.find(from), from.size(), to);
    return error_of(with_hash(out));
  };
  CHECK(has(changed(R"("seq":1,)", R"("seq": 1,)"), "not in the canonical form"));
  CHECK(has(changed(R"("event")", R"("\u0065vent")"), "not in the canonical form"));
  CHECK(has(changed(R"("seq":1,)", R"("seq":1.0,)"), "seq is not a whole number"));
  CHECK(has(changed(R"("seq":1,)", R"("seq":-1,)"), "seq is not a whole number"));
  CHECK(has(changed(R"("seq":1,)", R"("seq":18446744073709551615,)"), "seq is not a whole number"));
  CHECK(has(changed(R"("seq":1,)", R"("seq":2,)"), "seq is 2, expected 1"));
  CHECK(has(changed("2026-11-29T12", "2026-11-31T12"), "time is not UTC"));
  CHECK(has(changed(".000000Z", ".0Z"), "time is not UTC"));
  CHECK(has(changed(R"("event":"created")", R"("event":"crated")"),
            "unknown event 'crated'\n  hint: did you mean 'created'?"));
  CHECK(has(changed(R"("attempt":0)", R"("attempt":1000001)"), "attempt is not"));
  CHECK(has(changed(R"("attempt":0)", R"("attempt":null)"), "attempt is not"));
  CHECK(has(changed(R"("attempt":0)", R"("attempt":0,"attempt":1)"), "appears twice"));
  CHECK(has(changed(R"("attempt":0,)", ""), "expected the keys seq, time, event"));
  CHECK(has(changed(R"("attempt":0)", R"("attempts":0)"), "expected the keys seq, time, event"));
  CHECK(has(changed(R"({"task_digest")", R"({"a":"\u0000","task_digest")"), "a NUL in data"));
  CHECK(has(changed(R"("data":{)", R"("data":[{)"), "not valid JSON"));
  CHECK(has(changed(R"("prev":")", R"("prev":"0)"), "prev is not 64"));
  CHECK(
      has(changed(sha256_hex(kTask), sha256_hex("x")), "prev is not the hash of the task digest"));
  CHECK(has(changed(sha256_hex(kTask), "X"), "prev is not the hash of the task digest"));
}

TEST_CASE("a move that is not allowed is refused and writes nothing") {
  const Scratch scratch;
  const std::string path = new_ledger(scratch);
  auto ledger = Ledger::open(path);
  REQUIRE(ledger);
  REQUIRE(ledger->begin_attempt(of_candidate("a"), kNoon));
  const std::string before = contents(path);
  const auto skipped = ledger->append(kVerified, 1, of_candidate("a"), kNoon);
  REQUIRE(!skipped);
  CHECK(skipped.error().exit_code == ExitCode::kUsage);
  CHECK(has(skipped.error().to_string(), "attempt 1 is proposed and cannot become verified"));
  CHECK(!ledger->append(kCompiled, 1, of_candidate("b"), kNoon));
  CHECK(!ledger->append(kCompiled, 2, of_candidate("a"), kNoon));
  CHECK(!ledger->append(kRejected, 1, failed_by("Verified"), kNoon));
  CHECK(!ledger->begin_attempt(Json::object(), kNoon));
  CHECK(!ledger->begin_attempt({{"candidate_digest", "ABC"}}, kNoon));
  CHECK(contents(path) == before);
  CHECK(ledger->append(kCompiled, 1, of_candidate("a"), kNoon));
}

TEST_CASE("data that would not read back as it is cannot be appended") {
  const Scratch scratch;
  const std::string path = new_ledger(scratch);
  auto ledger = Ledger::open(path);
  REQUIRE(ledger);
  REQUIRE(ledger->begin_attempt(of_candidate("a"), kNoon));
  const std::string before = contents(path);
  const auto refused = [&](Json data) {
    const auto entry = ledger->append(kAbandoned, 1, data, kNoon);
    return entry ? std::string("(taken)") : entry.error().to_string();
  };
  CHECK(has(refused({{"x", std::string("a\0b", 3)}}), "a NUL in data"));
  CHECK(has(refused({{"x", {{std::string("a\0b", 3), 1}}}}), "a NUL in data"));
  CHECK(has(refused({{"x", "\xFF\xFE"}}), "not UTF-8"));
  CHECK(has(refused({{"x", std::numeric_limits<double>::quiet_NaN()}}), "not finite"));
  CHECK(has(refused({{"x", Json::binary({1, 2})}}), "binary"));
  CHECK(has(refused(Json::array()), "not an object"));
  CHECK(has(refused(nullptr), "not an object"));
  Json deep = 1;
  for (int i = 0; i < 70; ++i) deep = Json::array({deep});
  CHECK(has(refused({{"x", deep}}), "nested deeper"));
  const auto long_line =
      ledger->append(kAbandoned, 1, {{"x", std::string(kMaxLedgerLine, 'x')}}, kNoon);
  REQUIRE(!long_line);
  CHECK(long_line.error().exit_code == ExitCode::kLimit);
  CHECK(contents(path) == before);
  // Text of every kind is welcome: newlines, quotes, other alphabets, what looks like an escape.
  const Json odd{{"text", "a\nb\"c\\u0000 \u00e9\u4e2d \x01"}, {"n", 0.1}, {"big", UINT64_MAX}};
  REQUIRE(ledger->append(kAbandoned, 1, odd, kNoon));
  CHECK(read_ledger(path)->entries().back().data == odd);
}

TEST_CASE("a torn last line is left out by readers and replaced by the next append") {
  const Scratch scratch;
  const std::string path = new_ledger(scratch);
  fill(path);
  const std::string whole = contents(path);
  const std::vector<std::string> lines = lines_of(whole);
  const std::string rest = joined({lines.begin(), lines.end() - 1});
  // Longer and shorter than what will be written over it.
  for (const std::string& torn : {lines.back().substr(0, 1), lines.back().substr(0, 200),
                                  std::string(5000, '\0'), std::string(9000, 'x')}) {
    INFO(torn.size() << " bytes");
    REQUIRE(write_file_atomic(path, rest + torn));
    const auto read = read_ledger(path);
    REQUIRE(read);
    CHECK(read->torn_bytes() == torn.size());
    CHECK(read->state_of(2)->state == kCompiled);
    auto ledger = Ledger::open(path);
    REQUIRE(ledger);
    // A refused move does not touch it.
    CHECK(!ledger->append(kVerified, 2, of_candidate("b"), kNoon));
    CHECK(contents(path) == rest + torn);
    REQUIRE(ledger->append(kRejected, 2, failed_by("crash"), kNoon));
    const auto again = read_ledger(path);
    REQUIRE(again);
    CHECK(again->torn_bytes() == 0);
    CHECK(again->state_of(2)->failure_class == "crash");
    REQUIRE(again->entries().size() == lines.size() + 1);
    const LedgerEntry& recovered = again->entries()[lines.size() - 1];
    CHECK(recovered.event == kRecovered);
    CHECK(recovered.data["dropped_bytes"] == torn.size());
    CHECK(recovered.data["dropped_sha256"] == sha256_hex(torn));
    CHECK(contents(path).starts_with(rest));
  }
}

TEST_CASE("a ledger that others damaged or replaced takes no more lines") {
  const Scratch scratch;
  const std::string path = new_ledger(scratch);
  fill(path);
  const std::string whole = contents(path);
  const auto error_after = [&](const std::function<void()>& damage) {
    REQUIRE(write_file_atomic(path, whole));
    auto ledger = Ledger::open(path);
    REQUIRE(ledger);
    damage();
    const std::string before = contents(path);
    const auto entry = ledger->append(kAbandoned, 0, Json::object(), kNoon);
    REQUIRE(!entry);
    CHECK(contents(path) == before);
    return entry.error().to_string();
  };
  const auto overwrite = [&](const std::string& text) {
    std::ofstream(path, std::ios::in | std::ios::out | std::ios::trunc) << text;
  };
  CHECK(has(error_after([&] { overwrite(whole.substr(0, whole.size() / 2)); }),
            path + ":11: the line that was the last is not there any more"));
  std::string flipped = whole;
  flipped[whole.size() - 200] ^= 1;  // in the last line: earlier ones are for readers
  CHECK(has(error_after([&] { overwrite(flipped); }), "is not there any more"));
  CHECK(has(error_after([&] { overwrite(whole + "{}\n"); }), path + ":12: not a ledger line"));
  CHECK(has(error_after([&] { REQUIRE(write_file_atomic(path, whole)); }), "removed or replaced"));
  CHECK(has(error_after([&] {
              REQUIRE(std::filesystem::remove(path));
              REQUIRE(write_file_atomic(path, whole));
            }),
            "removed or replaced"));
}

TEST_CASE("writers take in each other's lines") {
  const Scratch scratch;
  const std::string path = new_ledger(scratch);
  auto a = Ledger::open(path);
  auto b = Ledger::open(path);
  REQUIRE(a);
  REQUIRE(b);
  CHECK(a->begin_attempt(of_candidate("a"), kNoon).value() == 1);
  CHECK(b->begin_attempt(of_candidate("b"), kNoon).value() == 2);
  CHECK(a->append(kCompiled, 2, of_candidate("b"), kNoon).value().seq == 4);
  const auto late = b->append(kCompiled, 2, of_candidate("b"), kNoon);
  REQUIRE(!late);
  CHECK(has(late.error().to_string(), "attempt 2 is compiled and cannot become compiled"));
  CHECK(b->history().entries().size() == 4);
}

TEST_CASE("attempts without a verdict are void after a kill, others stay") {
  const Scratch scratch;
  const std::string path = new_ledger(scratch);
  fill(path);
  auto ledger = Ledger::open(path);
  REQUIRE(ledger);
  CHECK(ledger->void_unfinished(kNoon).value().empty());
  for (const char* name : {"c", "d", "e"}) {
    REQUIRE(ledger->begin_attempt(of_candidate(name), kNoon));
  }
  for (const auto event : {kCompiled, kSmokePassed, kVerified}) {
    REQUIRE(ledger->append(event, 4, of_candidate("d"), kNoon));
  }
  CHECK(ledger->void_unfinished(kNoon).value() == std::vector<int>{3, 5});
  const auto read = read_ledger(path);
  CHECK(read->state_of(1)->state == kPromoted);
  CHECK(read->state_of(3)->state == kVoid);
  CHECK(read->state_of(4)->state == kVerified);
  CHECK(read->state_of(5)->state == kVoid);
}

TEST_CASE("what is no ledger file is refused without waiting for it") {
  const Scratch scratch;
  REQUIRE(::mkfifo(scratch.file("fifo").c_str(), 0600) == 0);
  CHECK(has(read_ledger(scratch.file("fifo")).error().to_string(), "is not a file"));
  CHECK(!Ledger::open(scratch.file("fifo")));
  CHECK(!read_ledger(scratch.path()));
  CHECK(has(read_ledger(scratch.file("absent")).error().to_string(), "No such file"));
  std::filesystem::create_symlink(new_ledger(scratch), scratch.file("link"));
  CHECK(!Ledger::open(scratch.file("link")));
}
