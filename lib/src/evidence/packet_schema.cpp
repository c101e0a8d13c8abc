#include "packet_schema.h"

#include <string_view>

namespace tensorpath {
namespace {

constexpr std::string_view kText =
#include "packet_schema.inc"
    ;

}  // namespace

const Json& packet_schema() {
  static const Json kSchema = parse_json(kText, "packet.schema.json").value();
  return kSchema;
}

}  // namespace tensorpath
