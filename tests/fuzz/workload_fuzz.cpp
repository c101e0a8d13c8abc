// parse_workload: no text may crash, hang or give a workload with nonsense in it; what is accepted
// survives being written and read again.
#include <cmath>
#include <cstdlib>

#include <tensorpath/workload.h>

namespace {

tensorpath::Catalog& catalog() {
  // Where the data is: the tests set it, by hand it is the source tree's.
  static tensorpath::Catalog loaded = [] {
    const char* data = std::getenv("TENSORPATH_DATA");
    auto result = tensorpath::Catalog::load({data != nullptr ? data : "data"});
    if (!result) std::abort();
    return std::move(*result);
  }();
  return loaded;
}

bool sane(double value) { return std::isfinite(value) && value >= 0; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // Paths would reach the file system; the readers of traces and configs have their own tests.
  if (text.find('/') != std::string_view::npos || text.find("json") != std::string_view::npos ||
      text.find("trace") != std::string_view::npos) {
    return 0;
  }
  const auto workload = tensorpath::parse_workload(text, "fuzz.yaml", catalog());
  if (!workload) {
    if (workload.error().diagnostics.empty()) std::abort();
    return 0;
  }
  const double hit = workload->prefix_hit_rate();
  if (!sane(hit) || hit > 1 || !sane(workload->mean_prompt_tokens())) std::abort();
  for (const auto* dist : {&workload->isl_tokens, &workload->osl_tokens}) {
    if (!sane(dist->mean()) || !sane(dist->variance()) ||
        dist->mean() > dist->max_value() * 1.001) {
      std::abort();
    }
    if (dist->quantile(0.1) > dist->quantile(0.9)) std::abort();
  }
  const tensorpath::Json written = tensorpath::to_json(*workload);
  const auto again = tensorpath::parse_workload(tensorpath::to_text(written), "a.json", catalog());
  if (!again) std::abort();
  if (tensorpath::to_line(tensorpath::to_json(*again)) != tensorpath::to_line(written))
    std::abort();
  return 0;
}
