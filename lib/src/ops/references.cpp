// The references that were built in. The table is made from the files of kernels/reference.
#include <tensorpath/ops/operator.h>

namespace tensorpath {
namespace {

using reference::Entry;

struct Shipped {
  const Entry* entry;
  const char* digest;  // SHA-256 of its source
};

}  // namespace
}  // namespace tensorpath

using tensorpath::Shipped;
using tensorpath::reference::Entry;
#include "reference_table.inc"

namespace tensorpath {

const Entry* find_reference(std::string_view name) {
  for (const Shipped& shipped : kShipped) {
    if (name == shipped.entry->name) return shipped.entry;
  }
  return nullptr;
}

std::string reference_digest(std::string_view name) {
  for (const Shipped& shipped : kShipped) {
    if (name == shipped.entry->name) return shipped.digest;
  }
  return {};
}

}  // namespace tensorpath
