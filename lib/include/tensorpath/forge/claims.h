// The one place where a claim about a kernel is worded. A claim exists only where the ledger holds
// the state that carries it, and names the line that does (tensorpath-claims(7)).
#pragma once

#include <string>
#include <vector>

#include <tensorpath/base/json.h>
#include <tensorpath/forge/ledger.h>

namespace tensorpath::forge {

// The block `claims` of a packet: none unless the attempt holds a verdict. `task`, `validation` and
// `performance` are the packet's blocks (performance may be null).
[[nodiscard]] Json claims_of(const LedgerHistory& ledger, int attempt, const Json& task,
                             const Json& validation, const Json& performance);

// The sentences of a block that claims_of made; none where `outcome` carries no claim, whatever the
// block says.
[[nodiscard]] std::vector<std::string> claim_sentences(const Json& claims,
                                                       std::string_view outcome);

}  // namespace tensorpath::forge
