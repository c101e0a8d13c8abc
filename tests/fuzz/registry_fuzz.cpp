// read_entry: no input may crash or hang, and what it takes is written and read back as it was.
#include <cstdlib>
#include <string>

#include <tensorpath/registry.h>

namespace {

using namespace tensorpath;
using namespace tensorpath::registry;

void must(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto entry = read_entry(text, "fuzz.json");
  if (!entry) {
    must(!entry.error().to_string().empty());
    return 0;
  }
  const std::string written = entry_text(*entry);
  const auto again = read_entry(written, "again.json");
  must(again.has_value());
  must(entry_text(*again) == written);
  must(is_kernel_word(kernel_name(*entry)));
  must(entry->id.empty() || version_of(entry->id, kernel_name(*entry)));
  must(!measured_text(*entry).empty());
  must(!explain(*entry).applies.empty());
  Query query;
  query.op = entry->op;
  query.dtype = entry->dtype;
  query.gpu = entry->gpu;
  query.shape = entry->tuned_shape;
  query.layout = entry->layouts.front();
  query.attributes = entry->attributes;
  must(against(*entry, query).empty());
  must(stale(*entry, {entry->toolchain, entry->op_digest}).empty());
  return 0;
}
