#include <algorithm>

#include <fmt/format.h>

#include <tensorpath/ops/mutants.h>
#include <tensorpath/ops/prove.h>

namespace tensorpath {
namespace {

constexpr int kCases = 44;  // as a candidate meets by default

// Wide enough that every dim takes part; cases shrink to the operator's own limits.
Expected<Domain> whole_domain(const OperatorSpec& spec, const ProofPart& part) {
  std::vector<DimRange> dims;
  for (const DimSpec& dim : spec.dims) dims.push_back({dim.name, dim.least, dim.most});
  std::vector<std::pair<std::string, double>> attributes;
  for (const AttributeSpec& attribute : spec.attributes) {
    attributes.emplace_back(attribute.name,
                            part.last_choices ? attribute.choices.back() : attribute.standard);
  }
  return make_domain(spec, part.dtype, dims, attributes);
}

// Smaller cases than a candidate meets, so that an operator takes seconds; the draw is the same.
OperatorSpec with_small_cases(const OperatorSpec& spec) {
  OperatorSpec small = spec;
  small.most_elements = std::max<std::int64_t>(spec.most_elements / 16, 1024);
  small.most_flops = std::max<std::int64_t>(spec.most_flops / 16, 1 << 16);
  return small;
}

Expected<MutationReport> check(const OperatorSpec& spec, const ProofPart& part,
                               const std::string& where) {
  const auto domain = whole_domain(spec, part);
  if (!domain) return tl::unexpected(domain.error());
  const Key seed = derive_key(Key{}, fmt::format("mutation check {} 1", where));
  return check_mutants(with_small_cases(spec), *domain, seed, kCases);
}

void add_report(const MutationReport& report, const std::string& where, DType dtype, Proof& proof) {
  for (const MutantResult& mutant : report.mutants) {
    const std::string killer = mutant.killed_by != 0 ? mutant.case_text
                               : mutant.equal        ? "(equal to the truth)"
                                                     : "NONE";
    proof.rows.push_back({std::string(name_of(dtype)), mutant.mutant, killer});
    if (mutant.killed_by == 0 && !mutant.equal) {
      proof.problems.push_back(
          fmt::format("{}: no case kills the mutant that {}", where, mutant.mutant));
    }
  }
  for (const int idle : report.idle_cases) {
    proof.problems.push_back(fmt::format("{}: case {} kills no mutant", where, idle));
  }
  for (const std::string& failed : report.wrongly_failed) {
    proof.problems.push_back(fmt::format("{}: refused though right: {}", where, failed));
  }
}

// False: the check itself did not get through.
bool prove_part(const OperatorSpec& spec, const ProofPart& part, Proof& proof) {
  const std::string where = fmt::format("{} {}{}", spec.name, name_of(part.dtype),
                                        part.last_choices ? " (last choices)" : "");
  const auto report = check(spec, part, where);
  if (!report) {
    for (const Diagnostic& one : report.error().diagnostics) {
      proof.problems.push_back(where + ": " + one.to_string());
    }
    return false;
  }
  add_report(*report, where, part.dtype, proof);
  return true;
}

}  // namespace

std::vector<ProofPart> proof_parts(const OperatorSpec& spec) {
  std::vector<ProofPart> parts;
  for (const DType dtype : spec.dtypes) {
    parts.push_back({dtype, false});
    if (!spec.attributes.empty()) parts.push_back({dtype, true});
  }
  return parts;
}

Proof prove(const OperatorSpec& spec, const ProofPart& part) {
  Proof proof;
  (void)prove_part(spec, part, proof);
  return proof;
}

Proof prove(const OperatorSpec& spec) {
  Proof proof;
  for (const ProofPart& part : proof_parts(spec)) {
    if (!prove_part(spec, part, proof)) break;
  }
  return proof;
}

}  // namespace tensorpath
