// What a packet.json must keep: the schema, and the rules that a schema cannot say.
#pragma once

#include "json_schema.h"

#include <array>
#include <string_view>
#include <vector>

#include <tensorpath/base/json.h>

namespace tensorpath {

inline constexpr std::string_view kStatementType = "https://in-toto.io/Statement/v1";
inline constexpr std::string_view kPredicateType = "urn:tensorpath:packet:v1";
// Blocks that are null where nothing was measured.
inline constexpr std::array<std::string_view, 10> kBlocks{
    "task",         "candidate", "environment", "validation", "performance",
    "emitted_code", "security",  "agent",       "economics",  "recommendation"};

// A block of packets of this kind alone.
inline constexpr std::string_view kProfileBlock = "profile";

// `text` is what `statement` was read from.
[[nodiscard]] std::vector<SchemaMistake> packet_mistakes(const Json& statement,
                                                         std::string_view text);

// A path that names a file inside a packet and cannot name anything else.
[[nodiscard]] bool is_subject_name(std::string_view name);

}  // namespace tensorpath
