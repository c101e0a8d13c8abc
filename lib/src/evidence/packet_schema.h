// data/schemas/packet.schema.json as it was when this library was built.
#pragma once

#include <tensorpath/base/json.h>

namespace tensorpath {

[[nodiscard]] const Json& packet_schema();

}  // namespace tensorpath
