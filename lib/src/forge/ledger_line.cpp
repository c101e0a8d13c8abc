#include "ledger_line.h"

#include "base/utf8.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/units.h>

namespace tensorpath::forge {
namespace {

constexpr std::string_view kHashKey = R"(,"hash":")";
constexpr std::string_view kLineEnd = R"("})";
constexpr std::size_t kDigestSize = 64;
constexpr std::size_t kTailSize = kHashKey.size() + kDigestSize + kLineEnd.size();
constexpr std::array<std::string_view, 6> kKeys{"seq", "time", "event", "attempt", "data", "prev"};
constexpr const char* kTouched =
    "the ledger was changed after it was written: restore it from a copy, or start a new run";

struct SplitLine {
  std::string body;  // what is hashed: the line without its hash
  std::string_view hash;
};

// False where the line does not end in a hash.
bool split(std::string_view line, SplitLine& out) {
  if (line.size() <= kTailSize || !line.ends_with(kLineEnd)) return false;
  const std::string_view tail = line.substr(line.size() - kTailSize);
  out.hash = tail.substr(kHashKey.size(), kDigestSize);
  if (!tail.starts_with(kHashKey) || !is_digest(out.hash)) return false;
  out.body = std::string(line.substr(0, line.size() - kTailSize)) + '}';
  return true;
}

bool holds_nul(const Json& value) {
  if (value.is_string()) {
    return value.get_ref<const std::string&>().find('\0') != std::string::npos;
  }
  if (!value.is_structured()) return false;
  return std::any_of(value.items().begin(), value.items().end(), [](const auto& item) {
    return item.key().find('\0') != std::string::npos || holds_nul(item.value());
  });
}

bool has_keys(const Json& line) {
  return line.is_object() && line.size() == kKeys.size() &&
         std::equal(kKeys.begin(), kKeys.end(), line.items().begin(),
                    [](std::string_view key, const auto& item) { return item.key() == key; });
}

bool is_count(const Json& value, std::uint64_t most) {
  return value.is_number_unsigned() && value.get<std::uint64_t>() <= most;
}

bool is_time(const Json& value) {
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  const auto time = parse_utc(text);
  return time && utc_text(*time) == text;
}

// What is wrong with the types of a line that has its keys; empty when nothing is.
std::string wrong_type(const Json& line) {
  if (!is_count(line["seq"], kMaxLedgerBytes)) return "seq is not a whole number";
  if (!is_time(line["time"])) return "time is not UTC as 2026-11-29T15:33:16.123456Z";
  if (!line["event"].is_string()) return "event is not a text";
  if (!is_count(line["attempt"], kMaxAttempts)) {
    return fmt::format("attempt is not a whole number of at most {}", kMaxAttempts);
  }
  if (!line["data"].is_object()) return "data is not an object";
  if (!line["prev"].is_string() || !is_digest(line["prev"].get_ref<const std::string&>())) {
    return "prev is not 64 lowercase hex characters";
  }
  return {};
}

std::vector<std::string> event_names() {
  std::vector<std::string> names;
  for (const LedgerEvent event : kLedgerEvents) names.emplace_back(event_name(event));
  return names;
}

Status check_bytes(std::string_view line, const SourceLocation& where) {
  if (line.size() >= kMaxLedgerLine) {
    return fail_at(where, fmt::format("the line is longer than {}",
                                      human_bytes(static_cast<double>(kMaxLedgerLine))));
  }
  if (line.find('\0') != std::string_view::npos) return fail_at(where, "a NUL byte", kTouched);
  if (find_invalid_utf8(line) != std::string_view::npos) {
    return fail_at(where, "bytes that are not UTF-8", kTouched);
  }
  return {};
}

// The body as a tree: all of its form but not yet the meaning of its event.
Expected<Json> parse_body(const std::string& body, const SourceLocation& where) {
  auto tree = parse_json(body, where.file);
  if (!tree) {
    for (Diagnostic& diagnostic : tree.error().diagnostics) diagnostic.where.line = where.line;
    return tree;
  }
  if (!has_keys(*tree)) {
    return fail_at(where, fmt::format("not a ledger line: expected the keys {} and hash, in this "
                                      "order",
                                      fmt::join(kKeys, ", ")));
  }
  if (std::string wrong = wrong_type(*tree); !wrong.empty())
    return fail_at(where, std::move(wrong));
  if (to_line(*tree) != body) {
    return fail_at(where,
                   "not in the canonical form (spaces, escapes or numbers written otherwise)",
                   kTouched);
  }
  // Only where an escape could have made one.
  if (body.find("\\u0000") != std::string::npos && holds_nul((*tree)["data"])) {
    return fail_at(where, "a NUL in data", kTouched);
  }
  return tree;
}

}  // namespace

bool is_digest(std::string_view text) {
  return text.size() == kDigestSize && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Expected<std::string> ledger_line(const LedgerEntry& entry) {
  if (!entry.data.is_object()) return fail(ExitCode::kUsage, "ledger data is not an object");
  Json tree;
  tree["seq"] = static_cast<std::uint64_t>(entry.seq);
  tree["time"] = entry.time;
  tree["event"] = event_name(entry.event);
  tree["attempt"] = static_cast<std::uint64_t>(entry.attempt);
  tree["data"] = entry.data;
  tree["prev"] = entry.prev;
  const std::string body = to_line(tree);
  if (body.size() + kTailSize >= kMaxLedgerLine) {
    return fail(ExitCode::kLimit,
                fmt::format("a ledger line of {}, more than {}",
                            human_bytes(static_cast<double>(body.size())),
                            human_bytes(static_cast<double>(kMaxLedgerLine))),
                "put what is long into a file and its digest into the ledger");
  }
  const auto back = parse_body(body, {"ledger data", 0, 0});
  if (!back) return tl::unexpected(back.error());
  if ((*back)["data"] != entry.data) {
    return fail(ExitCode::kUsage,
                "ledger data does not read back as it is: bytes that are not UTF-8, a number that "
                "is not finite, or binary");
  }
  return fmt::format("{}{}{}{}", std::string_view(body).substr(0, body.size() - 1), kHashKey,
                     sha256_hex(body), kLineEnd);
}

Expected<LedgerEntry> parse_ledger_line(std::string_view line, const SourceLocation& where) {
  if (const Status fine = check_bytes(line, where); !fine) return tl::unexpected(fine.error());
  SplitLine parts;
  if (!split(line, parts)) {
    return fail_at(where, "not a ledger line: it does not end in its hash", kTouched);
  }
  if (sha256_hex(parts.body) != parts.hash) {
    return fail_at(where, "the line does not have its hash", kTouched);
  }
  auto tree = parse_body(parts.body, where);
  if (!tree) return tl::unexpected(tree.error());
  const auto& name = (*tree)["event"].get_ref<const std::string&>();
  const auto event = find_event(name);
  if (!event) {
    return fail_at(where, fmt::format("unknown event {}", quote_input(name)),
                   suggestion(name, event_names()));
  }
  LedgerEntry entry;
  entry.seq = (*tree)["seq"].get<int>();
  entry.time = (*tree)["time"].get<std::string>();
  entry.event = *event;
  entry.attempt = (*tree)["attempt"].get<int>();
  entry.data = std::move((*tree)["data"]);
  entry.prev = (*tree)["prev"].get<std::string>();
  entry.hash = std::string(parts.hash);
  return entry;
}

std::string hash_of_line(std::string_view line) {
  SplitLine parts;
  return split(line, parts) ? std::string(parts.hash) : std::string{};
}

bool line_has_hash(std::string_view line, std::string_view hash) {
  SplitLine parts;
  return split(line, parts) && parts.hash == hash && sha256_hex(parts.body) == hash;
}

}  // namespace tensorpath::forge
