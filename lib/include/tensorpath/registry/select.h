// Which kernel a call should take: what each entry says against it, and who is ahead of whom.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensorpath/registry/entry.h>

namespace tensorpath::registry {

// What an entry's proof is held against. Empty fields are not known here and are not compared.
struct Now {
  Toolchain toolchain;
  std::string op_digest;
};

// Why the entry must be replayed before it counts again: "compiler was A, is B". Empty: it holds.
[[nodiscard]] std::vector<std::string> stale(const Entry& entry, const Now& now);

struct Query {
  std::string op;
  Symbols shape;  // every dim of the operator
  std::string dtype;
  std::string gpu = "host";
  std::string architecture;  // of the machine; empty: any
  std::string layout = "contiguous";
  std::vector<std::pair<std::string, double>> attributes;  // those not named may be any
};

// Whether code for `built_for` runs on `machine`: x86-64 levels upwards, CUDA cubins on the same
// architecture or, without a suffix, on a later one of the same major number.
[[nodiscard]] bool runs_on(std::string_view built_for, std::string_view machine);

// Every reason why it does not apply: "m = 3 is outside 4..64". Empty: it does.
[[nodiscard]] std::vector<std::string> against(const Entry& entry, const Query& query);

struct Loser {
  const Entry* entry = nullptr;
  std::string reason;
};

struct Selection {
  const Entry* winner = nullptr;  // null: the call falls back
  std::vector<Loser> losers;      // of that operator: those that applied first, best first
};

// Of the entries that apply and are not stale: measured at this very shape goes before not
// measured there, then the higher ratio, the higher lower end, the later version, the id.
[[nodiscard]] Selection select(
    const std::vector<Entry>& entries, const Query& query,
    const std::function<std::vector<std::string>(const Entry&)>& stale_reasons);

// What was measured at that shape; null when it was not.
[[nodiscard]] const CaseResult* result_at(const Entry& entry, const Symbols& shape);

struct Explanation {
  std::vector<std::string> applies;
  std::vector<std::string> falls_back;
  std::vector<std::string> measured;
};
[[nodiscard]] Explanation explain(const Entry& entry);

}  // namespace tensorpath::registry
