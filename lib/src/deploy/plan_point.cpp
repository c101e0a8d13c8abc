#include "plan_point.h"

#include "json_reader.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace tensorpath::deploy {
namespace {

constexpr int kMostParallel = 4096;  // more ranks than any one replica has had
constexpr int kMostReplicas = 100'000;
constexpr int kMostTokens = 100'000'000;  // a context or a batch; guards the products below
constexpr std::size_t kMostPlans = 10'000;

std::vector<std::string> gpu_names(const Catalog& catalog) {
  std::vector<std::string> names;
  for (const Gpu& gpu : catalog.gpus()) names.push_back(gpu.name);
  return names;
}

const Gpu* read_gpu(JsonReader& reader, const Catalog& catalog, const Gpu* inherited) {
  if (inherited != nullptr && reader.find("gpu") == nullptr) return inherited;
  const std::string name = reader.text("gpu", true);
  if (name.empty()) return nullptr;
  const Gpu* gpu = catalog.find_gpu(name);
  if (gpu == nullptr) {
    reader.mistake("gpu", fmt::format("unknown GPU '{}'", name),
                   suggestion(name, gpu_names(catalog)));
  }
  return gpu;
}

Pool read_pool(JsonReader& reader, const Catalog& catalog, const Pool* whole) {
  Pool pool;
  pool.gpu = read_gpu(reader, catalog, whole == nullptr ? nullptr : whole->gpu);
  pool.replicas = reader.integer("replicas", 1, kMostReplicas);
  pool.gpus_per_replica = reader.integer("gpus_per_replica", 1, kMostParallel);
  pool.tp = reader.integer_or("tp", 1, kMostParallel, 1);
  pool.pp = reader.integer_or("pp", 1, kMostParallel, 1);
  pool.ep = reader.integer_or("ep", 1, kMostParallel, 1);
  pool.attn_dp = reader.integer_or("attn_dp", 1, kMostParallel, 1);
  pool.max_batch =
      reader.integer_or("max_batch", 1, kMostTokens, whole == nullptr ? 256 : whole->max_batch);
  pool.max_batched_tokens = reader.integer_or("max_batched_tokens", 1, kMostTokens,
                                              whole == nullptr ? 8192 : whole->max_batched_tokens);
  const double ranks = static_cast<double>(pool.pp) * pool.tp * pool.attn_dp;
  if (ranks != pool.gpus_per_replica) {
    reader.mistake("gpus_per_replica",
                   fmt::format("{} is not pp x tp x attn_dp = {}", pool.gpus_per_replica, ranks));
  } else if (pool.group() % pool.ep != 0) {
    reader.mistake("ep",
                   fmt::format("{} does not divide tp x attn_dp = {}", pool.ep, pool.group()));
  }
  return pool;
}

Speculative read_speculative(JsonReader& plan) {
  Speculative spec;
  const Json* node = plan.find("spec");
  if (node == nullptr || (node->is_string() && node->get<std::string>() == "none")) return spec;
  if (!node->is_object()) {
    plan.mistake("spec", "expected \"none\" or an object with method and draft_tokens, found " +
                             type_name(*node));
    return spec;
  }
  JsonReader reader(*node, plan.path_of("spec"), plan.diagnostics());
  static const std::vector<std::string> kMethods = {"none", "mtp", "eagle3", "ngram"};
  spec.method = reader.text("method", true);
  if (!spec.method.empty() &&
      std::find(kMethods.begin(), kMethods.end(), spec.method) == kMethods.end()) {
    reader.mistake("method", fmt::format("unknown method '{}'", spec.method),
                   suggestion(spec.method, kMethods));
  }
  if (spec.method != "none") spec.draft_tokens = reader.integer("draft_tokens", 1, 64);
  spec.draft_repo = reader.text("draft_repo", false);
  return spec;
}

// requests.isl_tokens and osl_tokens: a number, or the object of the workload format.
LengthDist read_lengths(JsonReader& requests, std::string_view key, double absent, bool& known) {
  constexpr double kLongest = 1e8;
  LengthDist lengths;
  lengths.value = absent;
  const Json* node = requests.find(key);
  if (node == nullptr) {
    known = false;
    return lengths;
  }
  if (node->is_number()) {
    lengths.value = requests.number(key, 1, kLongest).value_or(absent);
    return lengths;
  }
  JsonReader reader(*node, requests.path_of(key), requests.diagnostics());
  const std::string kind = reader.text("dist", false);
  if (kind == "uniform") {
    lengths.kind = LengthDist::Kind::kUniform;
    lengths.min = reader.number("min", 1, kLongest).value_or(1);
    lengths.max = reader.number("max", lengths.min, kLongest).value_or(lengths.min);
  } else if (kind == "lognormal") {
    lengths.kind = LengthDist::Kind::kLognormal;
    lengths.p50 = reader.number("p50", 1, kLongest).value_or(absent);
    lengths.p95 = reader.number("p95", lengths.p50, kLongest).value_or(lengths.p50);
    lengths.min = reader.number("min", 0, kLongest).value_or(1);
    lengths.max = reader.number("max", lengths.min, kLongest).value_or(kLongest);
  } else if (const auto value = reader.number("value", 1, kLongest)) {
    lengths.value = *value;
  } else if (const auto mean = reader.number("mean", 1, kLongest)) {
    lengths.value = *mean;
  } else {
    known = false;  // a trace: the lengths are in its file
  }
  return lengths;
}

double variation(const LengthDist& lengths) {
  const double mean = lengths.mean();
  return mean > 0 ? std::sqrt(std::max(0.0, lengths.variance())) / mean : 0;
}

void read_arrivals(const Json& node, const std::string& path, BenchLoad& load,
                   Diagnostics& diagnostics) {
  JsonReader reader(node, path, diagnostics);
  const std::string kind = reader.text("kind", false);
  load.concurrency = reader.number("concurrency", 0, 1e7).value_or(load.concurrency);
  if (kind == "closed" || kind == "all_at_once") {
    if (kind == "all_at_once") {
      load.concurrency = reader.number("count", 0, 1e9).value_or(load.concurrency);
    }
    return;
  }
  load.rate_rps = reader.number("rate_rps", 0, 1e7).value_or(0);
  load.arrival_cv = reader.number("cv", 0.01, 100).value_or(1);
}

BenchLoad read_load(JsonReader& document, JsonReader& plan) {
  BenchLoad load;
  load.concurrency = plan.number("expected_concurrency", 0, 1e9).value_or(0);
  const Json* workload = document.object("workload", true);
  if (workload == nullptr) return load;
  Diagnostics& mistakes = document.diagnostics();
  JsonReader reader(*workload, "workload", mistakes);
  if (const Json* requests = reader.object("requests", false)) {
    JsonReader lengths(*requests, "workload.requests", mistakes);
    const LengthDist isl = read_lengths(lengths, "isl_tokens", load.isl_mean, load.lengths_known);
    const LengthDist osl = read_lengths(lengths, "osl_tokens", load.osl_mean, load.lengths_known);
    load.isl_mean = std::max(1.0, isl.mean());
    load.osl_mean = std::max(1.0, osl.mean());
    load.isl_cv = variation(isl);
    load.osl_cv = variation(osl);
  }
  if (const Json* prefix = reader.object("prefix", false)) {
    JsonReader parts(*prefix, "workload.prefix", mistakes);
    load.prefix_tokens = parts.number("stable_tokens", 0, 1e8).value_or(0);
  }
  if (const Json* arrivals = reader.object("arrivals", false)) {
    read_arrivals(*arrivals, "workload.arrivals", load, mistakes);
  }
  // recommend's own means, which count a session's history; the prefix is what the cache may hit.
  if (const Json* lengths = plan.object("lengths", false)) {
    JsonReader means(*lengths, plan.path_of("lengths"), mistakes);
    load.isl_mean = std::max(1.0, means.number("isl_tokens_mean", 0, 1e8).value_or(load.isl_mean));
    load.osl_mean = std::max(1.0, means.number("osl_tokens_mean", 0, 1e8).value_or(load.osl_mean));
    load.lengths_known = true;
    const auto hit_rate = means.number("prefix_hit_rate", 0, 1);
    if (hit_rate) load.prefix_tokens = *hit_rate * load.isl_mean;
  }
  load.prefix_tokens = std::min(load.prefix_tokens, load.isl_mean - 1);
  const Json* slo = reader.object("slo", false);
  if (slo != nullptr && slo->contains("goodput") && (*slo)["goodput"].is_object()) {
    JsonReader goodput((*slo)["goodput"], "workload.slo.goodput", mistakes);
    load.goodput_ttft_ms = goodput.number("ttft_ms", 0, 1e9);
    load.goodput_tpot_ms = goodput.number("tpot_ms", 0, 1e9);
    load.goodput_e2e_ms = goodput.number("e2e_ms", 0, 1e9);
  }
  return load;
}

void read_engine(JsonReader& plan, const Catalog& catalog, PlanPoint& point) {
  const std::string name = plan.text("engine", true);
  point.engine_release = plan.text("engine_release", true);
  if (name.empty()) return;
  point.engine = catalog.find_engine(name);
  if (point.engine != nullptr) return;
  std::vector<std::string> names;
  for (const Engine& engine : catalog.engines()) names.push_back(engine.name);
  plan.mistake("engine", fmt::format("unknown engine '{}'", name), suggestion(name, names));
}

void read_model(JsonReader& plan, const Catalog& catalog, PlanPoint& point) {
  point.model_name = plan.text("model", true);
  point.model = catalog.find_model(point.model_name);
  const std::string weight = plan.text("weight_format", true);
  const Format* format = catalog.find_format(weight);
  point.format = format;
  point.weight_format = format == nullptr ? weight : format->name;
  const std::string kv = plan.text("kv_format", true);
  const KvFormat* kv_format = catalog.find_kv_format(kv);
  point.kv_format = kv_format == nullptr ? kv : kv_format->name;
  const Json* checkpoint = plan.object("checkpoint", true);
  if (checkpoint == nullptr) return;
  JsonReader reader(*checkpoint, plan.path_of("checkpoint"), plan.diagnostics());
  point.checkpoint_repo = reader.text("repo", false);
  point.checkpoint_how = reader.text("quantise", false);
  point.gated = reader.boolean_or("gated", point.model != nullptr && point.model->gated);
  for (const std::string& name : {point.model_name, point.checkpoint_repo}) {
    if (name.rfind("./", 0) == 0 || name.rfind("../", 0) == 0 || name.rfind('~', 0) == 0 ||
        name.rfind('-', 0) == 0) {
      reader.mistake("repo", fmt::format("'{}' is no repository and no absolute path", name),
                     "give a Hugging Face id such as meta-llama/Llama-3.1-8B-Instruct, or a path "
                     "that begins with '/'");
    }
  }
}

void read_pools(JsonReader& plan, const Catalog& catalog, PlanPoint& point) {
  const Json* prefill = plan.object("prefill", false);
  const Json* decode = plan.object("decode", false);
  if ((prefill == nullptr) != (decode == nullptr)) {
    plan.mistake(prefill == nullptr ? "prefill" : "decode",
                 "missing; prefill and decode come together");
  }
  if (decode != nullptr && prefill != nullptr) {
    Pool whole;
    whole.gpu = read_gpu(plan, catalog, nullptr);
    whole.max_batch = plan.integer_or("max_batch", 1, kMostTokens, 256);
    whole.max_batched_tokens = plan.integer_or("max_batched_tokens", 1, kMostTokens, 8192);
    JsonReader first(*prefill, plan.path_of("prefill"), plan.diagnostics());
    JsonReader second(*decode, plan.path_of("decode"), plan.diagnostics());
    point.prefill = read_pool(first, catalog, &whole);
    point.serve = read_pool(second, catalog, &whole);
    point.kv_transfer = plan.text("kv_transfer", true);
    if (!point.kv_transfer.empty() && point.kv_transfer != "nixl") {
      plan.mistake("kv_transfer", fmt::format("unknown transport '{}'", point.kv_transfer),
                   "the exported manifests use nixl");
    }
  } else {
    point.serve = read_pool(plan, catalog, nullptr);
  }
  double gpus = static_cast<double>(point.serve.replicas) * point.serve.gpus_per_replica;
  if (point.prefill) {
    gpus += static_cast<double>(point.prefill->replicas) * point.prefill->gpus_per_replica;
  }
  point.gpu_count = plan.integer("gpu_count", 1, kMostReplicas * 10);
  if (plan.diagnostics().empty() && gpus != point.gpu_count) {
    plan.mistake("gpu_count", fmt::format("{} is not the sum of replicas x gpus_per_replica = {}",
                                          point.gpu_count, gpus));
  }
}

// plans[]: the entry whose rank is asked for; a mistake names the nearest.
const Json* find_rank(const Json& plans, int rank, std::size_t& index, Diagnostics& mistakes) {
  std::vector<int> ranks;
  for (index = 0; index < plans.size() && index < kMostPlans; ++index) {
    const Json& plan = plans[index];
    const bool has = plan.is_object() && plan.contains("rank") && plan["rank"].is_number_integer();
    const int its = has ? plan["rank"].get<int>() : static_cast<int>(index) + 1;
    if (its == rank) return &plan;
    ranks.push_back(its);
  }
  if (ranks.empty()) {
    mistakes.add({}, "plans: the document holds no plan",
                 "run `tensorpath recommend` with limits that something meets");
    return nullptr;
  }
  const int nearest = *std::min_element(ranks.begin(), ranks.end(), [rank](int a, int b) {
    return std::abs(static_cast<double>(a) - rank) < std::abs(static_cast<double>(b) - rank);
  });
  mistakes.add({},
               fmt::format("no plan of rank {}; the document holds ranks {} to {}", rank,
                           *std::min_element(ranks.begin(), ranks.end()),
                           *std::max_element(ranks.begin(), ranks.end())),
               fmt::format("the nearest is --rank {}", nearest));
  return nullptr;
}

}  // namespace

int Pool::nodes() const {
  const int per_node = gpu == nullptr || gpu->gpus_per_node < 1 ? 8 : gpu->gpus_per_node;
  return (gpus_per_replica + per_node - 1) / per_node;
}

Expected<PlanPoint> read_plan_point(const Json& document, int rank, const Catalog& catalog) {
  Diagnostics mistakes;
  JsonReader reader(document, "", mistakes);
  const std::string schema = reader.text("schema", true);
  if (!schema.empty() && schema != "tensorpath.plan/v1") {
    reader.mistake("schema", fmt::format("'{}' is not tensorpath.plan/v1", schema));
  }
  const Json* plans = reader.array("plans", true);
  if (plans == nullptr) return tl::unexpected(mistakes.to_error());
  std::size_t index = 0;
  const Json* plan = find_rank(*plans, rank, index, mistakes);
  if (plan == nullptr) return tl::unexpected(mistakes.to_error());

  JsonReader fields(*plan, fmt::format("plans[{}]", index), mistakes);
  PlanPoint point;
  point.rank = rank;
  read_engine(fields, catalog, point);
  read_model(fields, catalog, point);
  read_pools(fields, catalog, point);
  point.max_context_tokens = fields.integer("max_context_tokens", 1, kMostTokens);
  point.chunked_prefill = fields.boolean_or("chunked_prefill", true);
  point.prefix_cache = fields.boolean_or("prefix_cache", true);
  point.spec = read_speculative(fields);
  point.kv_capacity_tokens = fields.number("kv_capacity_tokens", 0, 1e15).value_or(0);
  point.load = read_load(reader, fields);
  if (const Json* metrics = fields.object("metrics", false)) point.metrics = *metrics;
  if (const Json* cost = fields.object("cost", false)) point.cost = *cost;
  if (const Json* workload = reader.find("workload");
      workload != nullptr && workload->is_object()) {
    JsonReader names(*workload, "workload", mistakes);
    point.workload_name = names.text("name", false);
  }
  if (!mistakes.empty()) return tl::unexpected(mistakes.to_error());
  return point;
}

std::string object_name(std::string_view text) {
  constexpr std::size_t kLongest = 40;
  std::string name;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool digit = byte >= '0' && byte <= '9';
    const bool upper = byte >= 'A' && byte <= 'Z';
    const bool lower = byte >= 'a' && byte <= 'z';
    if (digit || lower) {
      name += c;
    } else if (upper) {
      name += static_cast<char>(c - 'A' + 'a');
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
    if (name.size() == kLongest) break;
  }
  while (!name.empty() && name.back() == '-') name.pop_back();
  // Kubernetes names of Services begin with a letter.
  if (name.empty() || name.front() < 'a') name = "m-" + name;
  while (!name.empty() && name.back() == '-') name.pop_back();
  return name;
}

}  // namespace tensorpath::deploy
