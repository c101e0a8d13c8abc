#include "op_surface.h"

#include <cmath>

namespace tensorpath::perf {
namespace {

constexpr NumberRange kEfficiency{0, 2, true};
constexpr NumberRange kAnyPositive{0, 1e9};

FitError read_error(MapReader& reader) {
  FitError error;
  error.rows = static_cast<int>(reader.integer("rows").value_or(0));
  error.median = reader.number("median_error").value_or(0);
  error.p90 = reader.number("p90_error").value_or(0);
  error.held_out_median = reader.number("held_out_median_error").value_or(0);
  error.held_out_p90 = reader.number("held_out_p90_error").value_or(0);
  return error;
}

void write_error(Json& json, const FitError& error) {
  json["rows"] = error.rows;
  json["median_error"] = json_number(error.median, 3);
  json["p90_error"] = json_number(error.p90, 3);
  if (error.held_out_p90 <= 0) return;
  json["held_out_median_error"] = json_number(error.held_out_median, 3);
  json["held_out_p90_error"] = json_number(error.held_out_p90, 3);
}

Surface read_surface(const YamlNode& node, const std::string& path, Diagnostics& diagnostics) {
  MapReader reader(node, path, diagnostics);
  Surface surface;
  reader.require("compute_efficiency", "a share of the data-sheet rate");
  reader.require("memory_efficiency", "a share of the data-sheet bandwidth");
  surface.compute_efficiency = reader.number("compute_efficiency", kEfficiency).value_or(0.5);
  surface.memory_efficiency = reader.number("memory_efficiency", kEfficiency).value_or(0.5);
  surface.launch_us = reader.number("launch_us", kAnyPositive).value_or(0);
  surface.half_tiles = reader.number("half_tiles", kAnyPositive).value_or(0);
  surface.half_depth = reader.number("half_depth", kAnyPositive).value_or(0);
  surface.rows_per_expert = reader.number("rows_per_expert", kAnyPositive).value_or(0);
  surface.io_bytes_per_element = reader.number("io_bytes_per_element", kAnyPositive).value_or(0);
  surface.norm = static_cast<int>(reader.integer("norm", NumberRange{1, 8}).value_or(4));
  surface.error = read_error(reader);
  reader.finish();
  return surface;
}

Json surface_to_json(const Surface& surface) {
  Json json;
  json["compute_efficiency"] = json_number(surface.compute_efficiency, 4);
  json["memory_efficiency"] = json_number(surface.memory_efficiency, 4);
  json["launch_us"] = json_number(surface.launch_us, 4);
  if (surface.half_tiles > 0) json["half_tiles"] = json_number(surface.half_tiles, 4);
  if (surface.half_depth > 0) json["half_depth"] = json_number(surface.half_depth, 4);
  if (surface.rows_per_expert > 0) {
    json["rows_per_expert"] = json_number(surface.rows_per_expert, 4);
  }
  if (surface.io_bytes_per_element > 0) {
    json["io_bytes_per_element"] = json_number(surface.io_bytes_per_element, 4);
  }
  json["norm"] = surface.norm;
  write_error(json, surface.error);
  return json;
}

void read_surfaces(MapReader& reader, std::string_view key, std::map<std::string, Surface>& out) {
  const YamlNode* node = reader.node(key);
  if (node == nullptr || !node->is_map()) return;
  for (const auto& [type, child] : node->entries) {
    const std::string path = reader.path_of(key) + "." + type;
    out[type] = read_surface(child, path, reader.diagnostics());
  }
}

GpuSurfaces read_gpu(const std::string& name, const YamlNode& node, Diagnostics& diagnostics) {
  MapReader reader(node, "gpus." + name, diagnostics);
  GpuSurfaces gpu;
  gpu.gpu = name;
  reader.require("architecture", "as in the GPU's catalog entry");
  reader.require("gemm", "at least the bf16 surface");
  gpu.architecture = reader.text("architecture").value_or("");
  gpu.family = reader.text("family").value_or("");
  gpu.source = reader.text("source").value_or("");
  read_surfaces(reader, "gemm", gpu.gemm);
  read_surfaces(reader, "moe", gpu.moe);
  read_surfaces(reader, "attention_decode", gpu.decode);
  read_surfaces(reader, "attention_context", gpu.context);
  if (const YamlNode* link = reader.node("all_reduce"); link != nullptr) {
    MapReader all_reduce(*link, reader.path_of("all_reduce"), diagnostics);
    gpu.all_reduce.latency_us[0] = all_reduce.number("latency_us_2_gpus").value_or(5);
    gpu.all_reduce.latency_us[1] = all_reduce.number("latency_us_4_gpus").value_or(6);
    gpu.all_reduce.latency_us[2] = all_reduce.number("latency_us_8_gpus").value_or(8);
    gpu.all_reduce.bandwidth_efficiency =
        all_reduce.number("bandwidth_efficiency", kEfficiency).value_or(0.7);
    gpu.all_reduce.error = read_error(all_reduce);
    all_reduce.finish();
  }
  reader.finish();
  return gpu;
}

}  // namespace

double norm(double a, double b, int q) {
  switch (q) {
    case 1:
      return a + b;
    case 2:
      return std::sqrt(a * a + b * b);
    case 4: {
      const double a2 = a * a, b2 = b * b;
      return std::sqrt(std::sqrt(a2 * a2 + b2 * b2));
    }
    default: {
      const double a4 = a * a * a * a, b4 = b * b * b * b;
      return std::sqrt(std::sqrt(std::sqrt(a4 * a4 + b4 * b4)));
    }
  }
}

double CollectiveSurface::latency_on(int gpus) const {
  if (gpus <= 1) return 0;
  // Doublings past 2 GPUs; beyond 8 the last doubling's step goes on.
  const double doublings = std::log2(static_cast<double>(gpus)) - 1;
  if (doublings <= 1) return latency_us[0] + doublings * (latency_us[1] - latency_us[0]);
  return latency_us[1] + (doublings - 1) * (latency_us[2] - latency_us[1]);
}

const GpuSurfaces& OpSurfaces::of(const Gpu& gpu, bool* exact) const {
  if (exact != nullptr) *exact = true;
  for (const GpuSurfaces& candidate : gpus) {
    if (candidate.gpu == gpu.name) return candidate;
  }
  if (exact != nullptr) *exact = false;
  const auto named = [&](const std::string& name) -> const GpuSurfaces* {
    const auto found = borrow.find(name);
    if (found == borrow.end()) return nullptr;
    for (const GpuSurfaces& candidate : gpus) {
      if (candidate.gpu == found->second) return &candidate;
    }
    return nullptr;
  };
  if (const GpuSurfaces* lent = named(gpu.name); lent != nullptr) return *lent;
  if (const GpuSurfaces* lent = named(gpu.architecture); lent != nullptr) return *lent;
  for (const GpuSurfaces& candidate : gpus) {
    if (candidate.architecture == gpu.architecture) return candidate;
  }
  for (const GpuSurfaces& candidate : gpus) {
    if (candidate.family == gpu.family) return candidate;
  }
  if (const GpuSurfaces* lent = named(gpu.family); lent != nullptr) return *lent;
  if (const GpuSurfaces* lent = named("other"); lent != nullptr) return *lent;
  return gpus.front();
}

const Surface& surface_of(const std::map<std::string, Surface>& surfaces, std::string_view type) {
  static const Surface kDefault;
  const auto find = [&](const std::string& name) -> const Surface* {
    const auto found = surfaces.find(name);
    return found == surfaces.end() ? nullptr : &found->second;
  };
  if (const Surface* surface = find(std::string(type)); surface != nullptr) return *surface;
  if (type == "fp8_block") {
    if (const Surface* surface = find("fp8"); surface != nullptr) return *surface;
  }
  if (type == "mxfp4_8" || type == "nvfp4") {
    if (const Surface* surface = find("mxfp4_16"); surface != nullptr) return *surface;
  }
  if (const Surface* surface = find("bf16"); surface != nullptr) return *surface;
  return surfaces.empty() ? kDefault : surfaces.begin()->second;
}

Expected<OpSurfaces> parse_ops(const YamlNode& root) {
  Diagnostics diagnostics;
  OpSurfaces surfaces;
  MapReader reader(root, "", diagnostics);
  (void)reader.word("schema", {"tensorpath.calibration-ops/v1"});
  (void)reader.text("source");
  (void)reader.text("command");
  reader.require("gpus", "operator efficiency by GPU");
  if (const YamlNode* gpus = reader.node("gpus"); gpus != nullptr && gpus->is_map()) {
    for (const auto& [name, node] : gpus->entries) {
      surfaces.gpus.push_back(read_gpu(name, node, diagnostics));
    }
  }
  reader.finish();
  if (surfaces.gpus.empty() && diagnostics.empty()) {
    diagnostics.add(root.where, "no GPU has operator surfaces");
  }
  if (!diagnostics.empty()) return tl::make_unexpected(diagnostics.to_error());
  return surfaces;
}

Json to_json(const OpSurfaces& surfaces) {
  Json gpus = Json::object();
  for (const GpuSurfaces& gpu : surfaces.gpus) {
    Json json;
    json["architecture"] = gpu.architecture;
    json["family"] = gpu.family;
    json["source"] = gpu.source;
    const auto add = [&](const char* key, const std::map<std::string, Surface>& by_type) {
      Json group = Json::object();
      for (const auto& [type, surface] : by_type) group[type] = surface_to_json(surface);
      if (!group.empty()) json[key] = std::move(group);
    };
    add("gemm", gpu.gemm);
    add("moe", gpu.moe);
    add("attention_decode", gpu.decode);
    add("attention_context", gpu.context);
    Json link;
    link["latency_us_2_gpus"] = json_number(gpu.all_reduce.latency_us[0], 4);
    link["latency_us_4_gpus"] = json_number(gpu.all_reduce.latency_us[1], 4);
    link["latency_us_8_gpus"] = json_number(gpu.all_reduce.latency_us[2], 4);
    link["bandwidth_efficiency"] = json_number(gpu.all_reduce.bandwidth_efficiency, 4);
    write_error(link, gpu.all_reduce.error);
    json["all_reduce"] = std::move(link);
    gpus[gpu.gpu] = std::move(json);
  }
  Json root;
  root["gpus"] = std::move(gpus);
  return root;
}

}  // namespace tensorpath::perf
