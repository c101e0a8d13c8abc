// hardware, cost, availability: what a plan may use.
#include "catalog/names.h"
#include "read.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace tensorpath::workload_file {
namespace {

// The largest fleet that one plan is asked for.
constexpr NumberRange kGpuCount{1, 100'000, false};
constexpr NumberRange kPrice{0, 1e4, false};

// The catalog's name for a GPU; an unknown one is reported where it stands.
std::string gpu_name(const std::string& name, const SourceLocation& where, Context& context) {
  const auto gpu = context.catalog.gpu(name);
  if (gpu) return (*gpu)->name;
  for (const Diagnostic& problem : gpu.error().diagnostics) {
    context.problems.add(where, problem.message, problem.hint);
  }
  return {};
}

std::string read_gpu_key(MapReader& reader, Context& context) {
  reader.require("gpu", "a GPU of the catalog");
  const auto name = reader.text("gpu");
  return name ? gpu_name(*name, reader.where("gpu"), context) : std::string{};
}

// Calls `read` with each item of a list of mappings.
template <typename Read>
void each_item(MapReader& parent, std::string_view key, std::string_view example, Read read) {
  const YamlNode* list = parent.node(key);
  if (list == nullptr) return;
  if (!list->is_sequence()) {
    parent.diagnostics().add(
        list->where,
        fmt::format("{} is {}, expected a list", parent.path_of(key), list->kind_name()),
        fmt::format("write [{}]", example));
    return;
  }
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    MapReader reader(list->items[i], fmt::format("{}[{}]", parent.path_of(key), i),
                     parent.diagnostics());
    read(reader);
    reader.finish();
  }
}

void read_allow(MapReader& reader, Context& context, Hardware& out) {
  const YamlNode* list = reader.node("allow");
  if (list == nullptr) return;
  const std::vector<std::string> names = reader.text_list("allow");
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool in_place = list->is_sequence() && list->items.size() == names.size();
    const std::string name =
        gpu_name(names[i], in_place ? list->items[i].where : list->where, context);
    const bool known = std::find(out.allow.begin(), out.allow.end(), name) != out.allow.end();
    if (!name.empty() && !known) out.allow.push_back(name);
  }
  if (list->is_sequence() && list->items.empty()) {
    context.problems.add(list->where, "hardware.allow is empty, so nothing may be used",
                         "name a GPU, or leave the key out to allow all");
  }
}

bool is_default(const SourceLocation& where) { return where.file == "default"; }

// A misspelt region would leave the prices of any region only, unasked. One that merely has no
// price of its own is fine: the plan lists it among its assumptions.
void check_region(MapReader& reader, const Catalog& catalog, const std::string& region) {
  std::set<std::string> known;
  for (const Price& price : catalog.prices()) known.insert(price.region);
  const std::string key = catalog::name_key(region);
  const bool found = std::any_of(known.begin(), known.end(), [&](const std::string& name) {
    return catalog::name_key(name) == key;
  });
  const std::string near = nearest_name(region, {known.begin(), known.end()});
  if (found || key == "any" || near.empty()) return;
  reader.diagnostics().add(reader.where("region"),
                           fmt::format("no price is for the region {}", quote_input(region)),
                           fmt::format("did you mean '{}'?", near));
}

}  // namespace

void read_hardware(const YamlNode& node, Context& context, Workload& workload) {
  Hardware& out = workload.hardware;
  MapReader reader(node, "hardware", context.problems);
  read_allow(reader, context, out);
  each_item(reader, "owned", "{gpu: NAME, count: N, usd_per_gpu_hour: N}", [&](MapReader& item) {
    OwnedGpus owned;
    owned.gpu = read_gpu_key(item, context);
    item.require("count", "how many there are");
    owned.count = static_cast<int>(item.integer("count", kGpuCount).value_or(0));
    owned.usd_per_gpu_hour = item.number("usd_per_gpu_hour", kPrice).value_or(0);
    const bool twice = std::any_of(out.owned.begin(), out.owned.end(),
                                   [&](const OwnedGpus& have) { return have.gpu == owned.gpu; });
    if (!owned.gpu.empty() && twice) {
      context.problems.add(item.where("gpu"),
                           fmt::format("hardware.owned names {} twice", owned.gpu),
                           "add the counts up");
    }
    if (!owned.gpu.empty() && owned.count > 0) out.owned.push_back(owned);
  });
  out.max_gpus = static_cast<int>(reader.integer("max_gpus", kGpuCount).value_or(out.max_gpus));
  reader.finish();
}

void read_cost(const YamlNode& node, Context& context, Workload& workload) {
  CostSpec& out = workload.cost;
  MapReader reader(node, "cost", context.problems);
  if (const auto region = reader.text("region")) {
    out.region = *region;
    // The default names no choice of the user's, and a catalog may hold no price for it.
    if (!is_default(reader.where("region"))) check_region(reader, context.catalog, *region);
  }
  out.commitment = reader.word("commitment", {"on_demand", "reserved_1y", "reserved_3y", "spot"})
                       .value_or(out.commitment);
  out.max_usd_per_month = reader.number("max_usd_per_month", {0, 1e12, true});
  each_item(reader, "overrides", "{gpu: NAME, usd_per_gpu_hour: N}", [&](MapReader& item) {
    const std::string gpu = read_gpu_key(item, context);
    item.require("usd_per_gpu_hour", "its price");
    const auto price = item.number("usd_per_gpu_hour", kPrice);
    if (gpu.empty() || !price) return;
    if (!out.override_usd_per_gpu_hour.emplace(gpu, *price).second) {
      context.problems.add(item.where("gpu"), fmt::format("cost.overrides names {} twice", gpu),
                           "keep one");
    }
  });
  out.usd_per_kwh = reader.number("usd_per_kwh", {0, 10, false}).value_or(out.usd_per_kwh);
  // 1 is no cooling at all; the worst rooms measured are near 3.
  out.pue = reader.number("pue", {1, 5, false}).value_or(out.pue);
  reader.finish();
}

void read_availability(const YamlNode& node, Context& context, Workload& workload) {
  Availability& out = workload.availability;
  MapReader reader(node, "availability", context.problems);
  out.spare_replicas = static_cast<int>(
      reader.integer("spare_replicas", {0, 1000, false}).value_or(out.spare_replicas));
  out.max_utilization =
      reader.number("max_utilization", {0, 1, true}).value_or(out.max_utilization);
  reader.finish();
}

}  // namespace tensorpath::workload_file
