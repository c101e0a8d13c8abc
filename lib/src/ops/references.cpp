// The references that were built in, and the headers that they and those of others include. The
// tables are made from the files of kernels/reference.
#include <tensorpath/base/file.h>
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

const std::vector<ReferenceHeader>& reference_headers() {
  static const std::vector<ReferenceHeader> kHeaders = {
#include "reference_headers.inc"
  };
  return kHeaders;
}

const std::string& reference_headers_digest() {
  static const std::string kDigest = [] {
    std::string digests;
    for (const ReferenceHeader& header : reference_headers()) {
      digests += sha256_hex(header.path) + sha256_hex(header.text);
    }
    return sha256_hex(digests);
  }();
  return kDigest;
}

}  // namespace tensorpath
