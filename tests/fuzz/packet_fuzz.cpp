// parse_packet and what is computed again from a packet's files: no input may crash or hang. The
// input is read as it is, and once more in canonical form with its own digest made right, so that
// these do not hide what is behind them. A file of an attempt that is no packet is put in the place
// of each file that a packet may have.
#include <cstdlib>
#include <string>

#include <tensorpath/base/file.h>
#include <tensorpath/evidence.h>
#include <tensorpath/forge.h>

namespace {

using namespace tensorpath;

void must(bool holds) {
  if (!holds) std::abort();
}

void check(const std::string& text) {
  const auto packet = parse_packet(text, "packet.json");
  if (!packet) {
    must(!packet.error().diagnostics.empty());
    return;
  }
  must(canonical_text(packet->tree) == text);
  must(!packet->subjects.empty());
  const auto none = [](std::string_view name) -> Expected<std::string> {
    return fail(ExitCode::kAnswerIsNo, "there is no " + std::string(name));
  };
  must(!forge::recompute_packet({*packet, none}).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  check(text);
  const std::string quoted = quote_untrusted(text);
  must(without_quotations(quoted).empty());
  must(quoted.find('\x1b') == std::string::npos);
  const PublicKey key{std::string(32, 'k')};
  must(!check_envelope(text, "packet.dsse.json", text, key));
  auto tree = parse_json(text, "packet.json");
  if (!tree) return 0;
  const Json::json_pointer digest("/predicate/packet/content_digest");
  try {
    if (tree->contains(digest)) tree->at(digest) = content_digest(*tree);
  } catch (const Json::exception&) {
    return 0;  // a pointer through a list; nothing to make right
  }
  check(canonical_text(*tree));
  forge::PacketSources sources;
  sources.attempt = 1;
  const std::string task = "op: relu\n";
  const std::string first =
      forge::first_ledger_line(sha256_hex(task), {{"operator_digest", sha256_hex("")}}, WallTime{})
          .value_or("");
  sources.files = {{"task.yaml", task}, {"ledger.jsonl", first + text}, {"report.json", text}};
  const auto assembled = forge::assemble_packet(sources);
  must(assembled.has_value() || !assembled.error().to_string().empty());
  return 0;
}
