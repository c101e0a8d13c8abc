#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include <tensorpath/base/random.h>
#include <tensorpath/forge/run_id.h>

namespace tensorpath::forge {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// Crockford's base32: no i, l, o (mistaken for digits) and no u.
constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::string_view kShape = "dddddddd-dddddd-ddd-ccccccc";  // d digit, c of the alphabet
constexpr std::size_t kLastGroup = 20;                              // where it starts
constexpr int kRandomBits = 25;
constexpr std::size_t kMostNames = 12;

bool has_shape(std::string_view text) {
  if (text.size() != kShape.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool fits = kShape[i] == 'd'   ? text[i] >= '0' && text[i] <= '9'
                      : kShape[i] == 'c' ? kAlphabet.find(text[i]) != std::string_view::npos
                                         : text[i] == kShape[i];
    if (!fits) return false;
  }
  return true;
}

// As somebody may have typed it, in the letters that ids have.
std::string normalised(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    out += lower == 'i' || lower == 'l' ? '1' : lower == 'o' ? '0' : lower;
  }
  return out;
}

// Newest first: the run that is meant is most often a recent one.
std::string newest_names(const std::vector<std::string>& ids) {
  std::vector<std::string> newest = ids;
  std::sort(newest.rbegin(), newest.rend());
  const std::size_t shown = std::min(kMostNames, newest.size());
  std::string out = fmt::format(
      "one of: {}",
      fmt::join(newest.begin(), newest.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (shown < newest.size()) out += fmt::format(", ... ({} in all)", newest.size());
  return out;
}

std::vector<std::string> matches(std::string_view wanted, const std::vector<std::string>& ids,
                                 std::size_t from) {
  std::vector<std::string> out;
  for (const std::string& id : ids) {
    if (id.size() >= from && std::string_view(id).substr(from).starts_with(wanted)) {
      out.push_back(id);
    }
  }
  return out;
}

}  // namespace

std::string run_id_of(WallTime time, std::uint64_t random) {
  const auto whole = std::chrono::floor<milliseconds>(time);
  // 2026-11-29T15:33:16.123000Z
  const std::string text = utc_text(whole);
  auto group = static_cast<std::uint64_t>((time - whole).count()) << kRandomBits |
               (random & ((std::uint64_t{1} << kRandomBits) - 1));
  std::array<char, 7> letters{};
  for (auto letter = letters.rbegin(); letter != letters.rend(); ++letter) {
    *letter = kAlphabet[group % kAlphabet.size()];
    group /= kAlphabet.size();
  }
  const auto part = [&](std::size_t at, std::size_t size) {
    return std::string_view(text).substr(at, size);
  };
  return fmt::format("{}{}{}-{}{}{}-{}-{}", part(0, 4), part(5, 2), part(8, 2), part(11, 2),
                     part(14, 2), part(17, 2), part(20, 3),
                     std::string_view(letters.data(), letters.size()));
}

Expected<std::string> new_run_id(WallTime time) {
  const auto bytes = random_bytes(sizeof(std::uint64_t));
  if (!bytes) return tl::unexpected(bytes.error());
  std::uint64_t random = 0;
  std::memcpy(&random, bytes->data(), sizeof random);
  return run_id_of(time, random);
}

bool is_run_id(std::string_view text) { return run_time(text).has_value(); }

std::optional<WallTime> run_time(std::string_view id) {
  if (!has_shape(id)) return std::nullopt;
  const auto part = [&](std::size_t at, std::size_t size) { return id.substr(at, size); };
  const auto time =
      parse_utc(fmt::format("{}-{}-{}T{}:{}:{}.{}Z", part(0, 4), part(4, 2), part(6, 2), part(9, 2),
                            part(11, 2), part(13, 2), part(16, 3)));
  const std::size_t within_ms =
      kAlphabet.find(id[kLastGroup]) * kAlphabet.size() + kAlphabet.find(id[kLastGroup + 1]);
  if (!time || within_ms >= 1000) return std::nullopt;
  return *time + microseconds(within_ms);
}

Expected<std::string> resolve_run_id(std::string_view text, const std::vector<std::string>& ids) {
  if (text.empty()) return fail(ExitCode::kUsage, "the run id is empty", "name a run");
  const std::string wanted = normalised(text);
  std::vector<std::string> found = matches(wanted, ids, 0);
  if (found.empty()) found = matches(wanted, ids, kLastGroup);
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    const std::string near = nearest_name(wanted, ids);
    return fail(ExitCode::kUsage, fmt::format("no run {}", quote_input(text)),
                !near.empty() ? fmt::format("did you mean '{}'?", near)
                : ids.empty() ? "there are no runs here: make one, or name their directory"
                              : newest_names(ids));
  }
  return fail(ExitCode::kUsage,
              fmt::format("{} may be any of {} runs", quote_input(text), found.size()),
              newest_names(found));
}

}  // namespace tensorpath::forge
