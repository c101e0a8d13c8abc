// The form of one ledger line, apart from its place in the chain.
#pragma once

#include <string>
#include <string_view>

#include <tensorpath/base/clock.h>
#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/forge/ledger.h>

namespace tensorpath::forge {

// 64 lowercase hex characters.
[[nodiscard]] bool is_digest(std::string_view text);

// The line, without newline, that records `entry`; its hash is worked out here. Errors (usage):
// data that is not an object or would not read back as it is (NUL, bad UTF-8, not finite, too
// deep); (limit): longer than kMaxLedgerLine.
[[nodiscard]] Expected<std::string> ledger_line(const LedgerEntry& entry);

// Reads a line back; anything but the canonical form with its own hash is an error at `where`.
[[nodiscard]] Expected<LedgerEntry> parse_ledger_line(std::string_view line,
                                                      const SourceLocation& where);

// The hash at the end of a line that ledger_line made.
[[nodiscard]] std::string hash_of_line(std::string_view line);
// Does the line carry this hash, and is it the hash of what it says?
[[nodiscard]] bool line_has_hash(std::string_view line, std::string_view hash);

}  // namespace tensorpath::forge
