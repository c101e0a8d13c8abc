#include <algorithm>
#include <cctype>
#include <tuple>

#include <fmt/format.h>

#include <tensorpath/base/error.h>

namespace tensorpath {
namespace {

// Longer names are not mistyped ones; the bound keeps the quadratic distance cheap on hostile
// input.
constexpr std::size_t kLongestName = 64;
// A message quotes at most this much of the input, so that a line stays a line.
constexpr std::size_t kLongestQuote = 60;

std::string normalised(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

// Damerau-Levenshtein distance (optimal string alignment): a swap of neighbours is one mistake.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, substitute});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

bool one_starts_the_other(const std::string& a, const std::string& b) {
  const std::size_t shorter = std::min(a.size(), b.size());
  return shorter >= 3 && a.compare(0, shorter, b, 0, shorter) == 0;
}

}  // namespace

std::string SourceLocation::to_string() const {
  std::string out = file;
  if (line > 0) {
    if (!out.empty()) out += ':';
    out += std::to_string(line);
    if (column > 0) out += ':' + std::to_string(column);
  }
  return out;
}

std::string Diagnostic::to_string() const {
  const std::string place = where.to_string();
  std::string out = place.empty() ? message : place + ": " + message;
  if (!hint.empty()) out += "\n  hint: " + hint;
  return out;
}

std::string Error::to_string() const {
  std::string out;
  for (const Diagnostic& diagnostic : diagnostics) {
    if (!out.empty()) out += '\n';
    out += diagnostic.to_string();
  }
  return out;
}

tl::unexpected<Error> fail(ExitCode code, std::string message, std::string hint) {
  return tl::unexpected<Error>(Error{code, {{{}, std::move(message), std::move(hint)}}});
}

tl::unexpected<Error> fail_at(SourceLocation where, std::string message, std::string hint) {
  return tl::unexpected<Error>(
      Error{ExitCode::kUsage, {{std::move(where), std::move(message), std::move(hint)}}});
}

std::string quote_input(std::string_view text) {
  std::string out = "'";
  std::size_t shown = 0;
  for (const char c : text) {
    // Cut before a UTF-8 sequence starts, never inside one.
    const bool continues = (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
    if (shown >= kLongestQuote && !continues) {
      out += "...";
      break;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
    ++shown;
  }
  return out + "'";
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  if (name.size() > kLongestName) return {};
  const std::string wanted = normalised(name);
  if (wanted.empty()) return {};
  const std::string* best = nullptr;
  // A candidate that starts with the name (or the other way round) was cut short, not mistyped: it
  // comes before every other one but an equal one, the shortest first.
  std::tuple<int, std::size_t, bool> best_rank{};
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongestName) continue;
    const std::string have = normalised(candidate);
    const std::size_t distance = edit_distance(wanted, have);
    // A third of the letters wrong is a typo; more is another word.
    const std::size_t allowed = std::max(wanted.size(), have.size()) / 3;
    const bool starts = one_starts_the_other(wanted, have);
    if (distance > allowed && !starts) continue;
    const std::tuple<int, std::size_t, bool> rank{
        distance == 0 ? 0 : (distance == 1 || starts ? 1 : 2), distance,
        have.size() < wanted.size()};
    if (best == nullptr || rank < best_rank) {
      best = &candidate;
      best_rank = rank;
    }
  }
  return best == nullptr ? std::string{} : *best;
}

std::string suggestion(std::string_view name, const std::vector<std::string>& candidates,
                       std::size_t most) {
  if (candidates.empty()) return {};
  const std::string nearest = nearest_name(name, candidates);
  if (!nearest.empty()) return fmt::format("did you mean '{}'?", nearest);
  std::string out = "one of: ";
  for (std::size_t i = 0; i < std::min(most, candidates.size()); ++i) {
    if (i > 0) out += ", ";
    out += candidates[i];
  }
  if (candidates.size() > most) out += fmt::format(", ... ({} in all)", candidates.size());
  return out;
}

}  // namespace tensorpath
