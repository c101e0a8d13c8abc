#include <algorithm>
#include <charconv>
#include <tuple>

#include <fmt/format.h>

#include <tensorpath/registry/select.h>

namespace tensorpath::registry {
namespace {

constexpr std::string_view kHostPrefix = "x86-64";
constexpr std::string_view kCudaPrefix = "sm_";

// 1 for "x86-64", 3 for "x86-64-v3".
std::optional<int> host_level_of(std::string_view name) {
  if (!name.starts_with(kHostPrefix)) return std::nullopt;
  name.remove_prefix(kHostPrefix.size());
  if (name.empty()) return 1;
  int level = 0;
  if (!name.starts_with("-v")) return std::nullopt;
  const auto [end, error] = std::from_chars(name.data() + 2, name.data() + name.size(), level);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return level;
}

struct CudaArchitecture {
  int number = 0;     // 90
  bool plain = true;  // no suffix: "sm_90", not "sm_90a"
};

std::optional<CudaArchitecture> cuda_architecture_of(std::string_view name) {
  if (!name.starts_with(kCudaPrefix)) return std::nullopt;
  CudaArchitecture found;
  const char* last = name.data() + name.size();
  const auto [end, error] = std::from_chars(name.data() + kCudaPrefix.size(), last, found.number);
  if (error != std::errc()) return std::nullopt;
  found.plain = end == last;
  return found;
}

std::string range_text(const DimRange& dim) {
  return dim.fixed() ? std::to_string(dim.least) : fmt::format("{}..{}", dim.least, dim.most);
}

std::optional<double> value_of(const std::vector<std::pair<std::string, double>>& attributes,
                               const std::string& name) {
  for (const auto& [known, value] : attributes) {
    if (known == name) return value;
  }
  return std::nullopt;
}

void shape_against(const Entry& entry, const Query& query, std::vector<std::string>& reasons) {
  for (const DimRange& dim : entry.dims) {
    const auto asked = query.shape.find(dim.name);
    if (asked == query.shape.end()) {
      reasons.push_back(fmt::format("the shape has no {}", dim.name));
    } else if (asked->second < dim.least || asked->second > dim.most) {
      reasons.push_back(
          fmt::format("{} = {} is outside {}", dim.name, asked->second, range_text(dim)));
    }
  }
  for (const auto& [name, size] : query.shape) {
    const bool known = std::any_of(entry.dims.begin(), entry.dims.end(),
                                   [&, &wanted = name](const auto& d) { return d.name == wanted; });
    if (!known) reasons.push_back(fmt::format("it knows no dim {}", name));
  }
}

struct Ranked {
  const Entry* entry = nullptr;
  const CaseResult* here = nullptr;
  int version = 0;

  [[nodiscard]] double ratio() const { return here ? here->ratio : entry->performance.ratio; }
  [[nodiscard]] double lower() const { return here ? here->lower : entry->performance.lower; }
};

bool is_ahead(const Ranked& a, const Ranked& b) {
  const auto key = [](const Ranked& r) {
    return std::tuple(r.here == nullptr, -r.ratio(), -r.lower(), -r.version);
  };
  if (key(a) != key(b)) return key(a) < key(b);
  return a.entry->id < b.entry->id;
}

std::string behind(const Ranked& loser, const Ranked& winner) {
  if (winner.here != nullptr && loser.here == nullptr) {
    return fmt::format("not measured at this shape, {} was", winner.entry->id);
  }
  const std::string_view where = winner.here != nullptr ? "at this shape" : "over its own cases";
  if (loser.ratio() < winner.ratio()) {
    return fmt::format("{:.3g}x against {} {}, less than {:.3g}x", loser.ratio(),
                       loser.here ? loser.here->baseline : loser.entry->performance.baseline, where,
                       winner.ratio());
  }
  if (loser.lower() < winner.lower()) {
    return fmt::format("as high {}, but only {:.3g}x at its lower end, less than {:.3g}x", where,
                       loser.lower(), winner.lower());
  }
  return loser.version < winner.version ? "equal, and an earlier version"
                                        : "equal, and later in the alphabet";
}

std::string joined(const std::vector<std::string>& reasons) {
  return fmt::format("{}", fmt::join(reasons, "; "));
}

std::string attributes_text(const Entry& entry) {
  std::string text;
  for (const auto& [name, value] : entry.attributes) {
    text += fmt::format(", {} = {:g}", name, value);
  }
  return text;
}

}  // namespace

std::vector<std::string> stale(const Entry& entry, const Now& now) {
  std::vector<std::string> reasons;
  if (!now.op_digest.empty() && now.op_digest != entry.op_digest) {
    reasons.emplace_back("the operator has changed");
  }
  const auto compare = [&](const char* what, const std::string& then, const std::string& is) {
    if (is.empty() || is == then) return;
    reasons.push_back(fmt::format("{} was {}, is {}", what, then.empty() ? "not known" : then, is));
  };
  compare("compiler", entry.toolchain.compiler, now.toolchain.compiler);
  compare("flags", entry.toolchain.flags, now.toolchain.flags);
  compare("driver", entry.toolchain.driver, now.toolchain.driver);
  compare("device", entry.toolchain.device, now.toolchain.device);
  return reasons;
}

bool runs_on(std::string_view built_for, std::string_view machine) {
  if (built_for == machine) return true;
  const auto level = host_level_of(built_for);
  const auto machine_level = host_level_of(machine);
  if (level && machine_level) return *level <= *machine_level;
  const auto built = cuda_architecture_of(built_for);
  const auto gpu = cuda_architecture_of(machine);
  // Ten minor numbers to a major one: sm_80 and sm_86, sm_100 and sm_103.
  return built && gpu && built->plain && built->number / 10 == gpu->number / 10 &&
         built->number <= gpu->number;
}

std::vector<std::string> against(const Entry& entry, const Query& query) {
  std::vector<std::string> reasons;
  if (entry.op != query.op) reasons.push_back(fmt::format("it is of {}", entry.op));
  if (entry.dtype != query.dtype) {
    reasons.push_back(fmt::format("it is for {}, not {}", entry.dtype, query.dtype));
  }
  if (entry.gpu != query.gpu) {
    reasons.push_back(fmt::format("it is for {}, not {}", entry.gpu, query.gpu));
  } else if (!query.architecture.empty() && !runs_on(entry.architecture, query.architecture)) {
    reasons.push_back(
        fmt::format("it needs {}, the machine has {}", entry.architecture, query.architecture));
  }
  shape_against(entry, query, reasons);
  for (const auto& [name, value] : query.attributes) {
    const auto has = value_of(entry.attributes, name);
    if (!has) {
      reasons.push_back(fmt::format("it knows no attribute {}", name));
    } else if (*has != value) {
      reasons.push_back(fmt::format("{} = {:g} is not {:g}", name, *has, value));
    }
  }
  const auto& layouts = entry.layouts;
  if (std::find(layouts.begin(), layouts.end(), query.layout) == layouts.end()) {
    reasons.push_back(fmt::format("it takes no {} layout", query.layout));
  }
  return reasons;
}

const CaseResult* result_at(const Entry& entry, const Symbols& shape) {
  for (const CaseResult& one : entry.performance.cases) {
    if (one.shape == shape) return &one;
  }
  return nullptr;
}

Selection select(const std::vector<Entry>& entries, const Query& query,
                 const std::function<std::vector<std::string>(const Entry&)>& stale_reasons) {
  std::vector<Ranked> able;
  std::vector<Loser> others;
  for (const Entry& entry : entries) {
    if (entry.op != query.op) continue;
    std::vector<std::string> reasons = against(entry, query);
    if (reasons.empty()) {
      if (const auto old = stale_reasons(entry); !old.empty()) {
        reasons.push_back("stale: " + joined(old));
      }
    }
    if (!reasons.empty()) {
      others.push_back({&entry, joined(reasons)});
      continue;
    }
    able.push_back({&entry, result_at(entry, query.shape),
                    version_of(entry.id, kernel_name(entry)).value_or(0)});
  }
  std::sort(able.begin(), able.end(), is_ahead);
  std::sort(others.begin(), others.end(),
            [](const Loser& a, const Loser& b) { return a.entry->id < b.entry->id; });
  Selection selection;
  if (!able.empty()) selection.winner = able.front().entry;
  for (std::size_t i = 1; i < able.size(); ++i) {
    selection.losers.push_back({able[i].entry, behind(able[i], able.front())});
  }
  selection.losers.insert(selection.losers.end(), others.begin(), others.end());
  return selection;
}

Explanation explain(const Entry& entry) {
  Explanation out;
  out.applies.push_back(fmt::format("{} in {}{}", entry.op, entry.dtype, attributes_text(entry)));
  std::string dims;
  for (const DimRange& dim : entry.dims) {
    dims += fmt::format("{}{} = {}", dims.empty() ? "" : ", ", dim.name, range_text(dim));
  }
  out.applies.push_back(
      fmt::format("{}; tuned for {}", dims, shape_text(entry, entry.tuned_shape)));
  out.applies.push_back(fmt::format("layouts: {}", fmt::join(entry.layouts, ", ")));
  out.applies.push_back(fmt::format("{}, {}{}", entry.gpu, entry.architecture,
                                    host_level_of(entry.architecture) ? " or above" : ""));
  out.falls_back.push_back(fmt::format("everything else is given to: {}", entry.falls_back_to));
  out.falls_back.emplace_back("so is everything while the entry is stale, until it is replayed");
  out.measured.push_back(measured_text(entry));
  const Performance& p = entry.performance;
  for (const CaseResult& one : p.cases) {
    out.measured.push_back(
        fmt::format("{}: {:.4g} us, {} {:.4g} us, {}", shape_text(entry, one.shape), one.kernel_us,
                    one.baseline, one.baseline_us, ratio_text(one.ratio, one.lower, one.upper)));
  }
  if (p.sol_score) out.measured.push_back(fmt::format("SOL score {:.2f}", *p.sol_score));
  if (entry.evidence_level == EvidenceLevel::kOp) {
    out.measured.emplace_back(
        "op-level evidence: the kernel was timed alone; what a runtime or an endpoint gains from "
        "it "
        "was not measured");
  } else {
    out.measured.push_back(fmt::format("{}-level evidence", name_of(entry.evidence_level)));
  }
  return out;
}

}  // namespace tensorpath::registry
