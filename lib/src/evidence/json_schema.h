// The part of JSON Schema 2020-12 that the packet's schema uses: $ref to #/$defs, type, const,
// enum, properties, required, additionalProperties, items, minItems, minLength, maxLength, pattern,
// minimum. Nothing else: an unknown keyword in a schema is an error of the schema.
#pragma once

#include <string>
#include <vector>

#include <tensorpath/base/json.h>

namespace tensorpath {

struct SchemaMistake {
  std::string where;  // JSON pointer: "/predicate/packet/kind"
  std::string what;
};

// At most `most` mistakes, in the order of the document.
[[nodiscard]] std::vector<SchemaMistake> check_schema(const Json& schema, const Json& value,
                                                      std::size_t most = 20);

// Keywords of the schema that check_schema does not know.
[[nodiscard]] std::vector<std::string> unknown_keywords(const Json& schema);

// A key as one step of a JSON pointer (RFC 6901).
[[nodiscard]] std::string pointer_step(std::string_view key);

}  // namespace tensorpath
