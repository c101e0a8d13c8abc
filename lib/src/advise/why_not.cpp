#include "why_not.h"

#include <algorithm>

#include <fmt/format.h>

namespace tensorpath::advise {
namespace {

struct Triple {
  const Gpu* gpu = nullptr;
  const Engine* engine = nullptr;
  const Format* format = nullptr;
};

Expected<Triple> parse_triple(const Catalog& catalog, const std::string& asked) {
  const auto first = asked.find(':');
  const auto second = first == std::string::npos ? first : asked.find(':', first + 1);
  if (second == std::string::npos || asked.find(':', second + 1) != std::string::npos) {
    return fail(ExitCode::kUsage, fmt::format("--why-not '{}' is not GPU:ENGINE:FORMAT", asked),
                "for example h100_sxm:vllm:fp8");
  }
  const auto gpu = catalog.gpu(asked.substr(0, first));
  if (!gpu) return tl::unexpected(gpu.error());
  const auto engine = catalog.engine(asked.substr(first + 1, second - first - 1));
  if (!engine) return tl::unexpected(engine.error());
  const auto format = catalog.format(asked.substr(second + 1));
  if (!format) return tl::unexpected(format.error());
  return Triple{*gpu, *engine, *format};
}

bool matches(const Triple& triple, const Layout& layout) {
  return layout.gpu == triple.gpu && layout.engine == triple.engine &&
         layout.weight == triple.format;
}

// Its place among the plans, when it is among them.
std::string rank_text(const Triple& triple, const std::vector<Evaluated>& plans) {
  for (std::size_t i = 0; i < plans.size(); ++i) {
    if (!matches(triple, plans[i].candidate.layout)) continue;
    if (i == 0) return "it is the winner";
    const Scores& its = plans[i].scores;
    const Scores& best = plans.front().scores;
    return fmt::format(
        "feasible: {} ({} GPUs, {} a month) scores {:.2f} against {:.2f} of the "
        "winner (latency {:+.2f}, throughput {:+.2f}, cost {:+.2f}, quality {:+.2f}, "
        "simplicity {:+.2f} doublings)",
        short_name(plans[i].candidate), plans[i].gpu_count,
        human_usd(plans[i].rate.usd_per_hour * kHoursPerMonth), its.total, best.total,
        its.latency - best.latency, its.throughput - best.throughput, its.cost - best.cost,
        its.quality - best.quality, its.simplicity - best.simplicity);
  }
  return {};
}

// The layout that came furthest through the filters, and what stopped it.
std::string furthest_text(const Question& question, const Triple& triple,
                          const std::vector<const ModelSpace*>& spaces) {
  std::string unsupported;
  Verdict furthest;
  furthest.rejection = Rejection::kUnsupported;
  std::string layout_name;
  for (const ModelSpace* space : spaces) {
    for (const Family& family : space->families) {
      if (family.gpu != triple.gpu || family.engine != triple.engine ||
          family.weight != triple.format) {
        continue;
      }
      if (!family.unsupported.empty() && unsupported.empty()) unsupported = family.unsupported;
      const auto floor = question.workload->quality_floor;
      if (!family.layouts.empty() && floor && family.quality < *floor - 1e-9) {
        furthest.rejection = std::max(furthest.rejection, Rejection::kQualityFloor);
        continue;
      }
      for (const CompiledLayout& compiled : family.layouts) {
        Evaluated evaluated;
        const Verdict verdict =
            evaluate(question, compiled, default_candidate(compiled), family.quality, evaluated);
        if (verdict.feasible || verdict.rejection < furthest.rejection) continue;
        if (verdict.rejection == furthest.rejection && !layout_name.empty()) continue;
        furthest = verdict;
        layout_name = short_name(default_candidate(compiled));
      }
    }
  }
  if (furthest.rejection == Rejection::kUnsupported) {
    return unsupported.empty() ? "no layout of it exists" : unsupported;
  }
  return fmt::format("{}{}{}: {}", layout_name, layout_name.empty() ? "" : ": ",
                     to_string(furthest.rejection), describe(furthest, *question.workload));
}

}  // namespace

Expected<WhyNot> why_not(const Question& question, const std::vector<const ModelSpace*>& spaces,
                         const SearchResult& found, const std::string& asked) {
  const auto triple = parse_triple(*question.catalog, asked);
  if (!triple) return tl::unexpected(triple.error());
  if (!question.allows(*triple->gpu)) {
    return WhyNot{asked, triple->gpu->name + " is not among hardware.allow or hardware.owned"};
  }
  if (std::string text = rank_text(*triple, found.plans); !text.empty()) return WhyNot{asked, text};
  if (std::string text = rank_text(*triple, found.near_misses); !text.empty()) {
    return WhyNot{asked, "over the budget, up to twice: a near miss"};
  }
  return WhyNot{asked, furthest_text(question, *triple, spaces)};
}

}  // namespace tensorpath::advise
