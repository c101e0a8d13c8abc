// read_operator: no file may crash or hang it, and what it takes can be made a domain and drawn
// from.
#include <algorithm>
#include <cstdlib>

#include <tensorpath/ops/cases.h>
#include <tensorpath/ops/operator.h>

using namespace tensorpath;

namespace {

// Stands for whatever operator the file names itself.
const reference::Entry kReference = {
    "fuzzed", [](const reference::Call&) {},
    [](const reference::Call&, const reference::Tensor*, reference::Judgement&) {}};

void check_dims(const OperatorSpec& spec) {
  for (const DimSpec& dim : spec.dims) {
    if (dim.least < 0 || dim.least > dim.typical || dim.typical > dim.most) std::abort();
  }
  if (spec.dtypes.empty() || spec.outputs.empty() || spec.regimes.empty()) std::abort();
}

void check_cases(const OperatorSpec& spec) {
  const auto domain = make_domain(spec, spec.dtypes.front(), {}, {});
  if (!domain) return;
  const auto public_ones = smoke_cases(spec, *domain);
  if (public_ones && public_ones->size() != spec.smoke.size()) std::abort();
  const auto cases = draw_cases(spec, *domain, Key{}, 3);
  if (!cases) return;
  for (const Case& one : *cases) {
    if (one.dims.size() != spec.dims.size()) std::abort();
    (void)symbols_of(spec, *domain, one);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto spec = read_operator(text, "fuzz.yaml", &kReference, "");
  if (!spec) {
    if (spec.error().to_string().empty()) std::abort();
    return 0;
  }
  check_dims(*spec);
  check_cases(*spec);
  return 0;
}
