#include "kernel_query.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include <tensorpath/forge/create_run.h>
#include <tensorpath/harness/task.h>

namespace tensorpath::cli {
namespace {

const std::vector<std::string> kKeys = {"op", "shape", "dtype", "gpu", "arch", "layout"};

using Words = std::map<std::string, std::string>;

Expected<Words> words_of(std::string_view text) {
  Words words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equal = part.find('=');
    if (equal == 0 || equal == std::string_view::npos || equal + 1 == part.size()) {
      return fail(ExitCode::kUsage, fmt::format("--select: {} is no key=value", quote_input(part)),
                  "as in: --select op=rmsnorm,shape=16x4096,dtype=fp32,gpu=host");
    }
    const auto added =
        words.emplace(std::string(part.substr(0, equal)), std::string(part.substr(equal + 1)));
    if (!added.second) {
      return fail(ExitCode::kUsage, fmt::format("--select: {} is given twice", added.first->first));
    }
  }
  return words;
}

// Takes a key out of the words.
std::optional<std::string> take(Words& words, const std::string& key) {
  const auto found = words.find(key);
  if (found == words.end()) return std::nullopt;
  std::string value = std::move(found->second);
  words.erase(found);
  return value;
}

std::string dims_text(const OperatorSpec& op) {
  std::string text;
  for (const DimSpec& dim : op.dims) text += (text.empty() ? "" : "x") + dim.name;
  return text;
}

// shape=16x4096, in the order of the operator's dims.
Status take_shape(const OperatorSpec& op, std::string text, registry::Query& query) {
  std::string spelled;
  for (const DimSpec& dim : op.dims) {
    const std::size_t end = std::min(text.find('x'), text.size());
    const std::string size = text.substr(0, end);
    text.erase(0, std::min(end + 1, text.size()));
    if (size.empty()) {
      return fail(ExitCode::kUsage, fmt::format("--select: the shape has no {}", dim.name),
                  fmt::format("the shape of {} is {}", op.name, dims_text(op)));
    }
    spelled += fmt::format("{}{}={}", spelled.empty() ? "" : ",", dim.name, size);
  }
  if (!text.empty()) {
    return fail(ExitCode::kUsage,
                fmt::format("--select: the shape has more than {} sizes", op.dims.size()),
                fmt::format("the shape of {} is {}", op.name, dims_text(op)));
  }
  const auto dims = forge::parse_shape(spelled);
  if (!dims) return tl::unexpected(dims.error());
  for (const DimRange& dim : *dims) query.shape[dim.name] = dim.least;
  return {};
}

// What is left are dims and attributes by name.
Status take_named(const OperatorSpec& op, const Words& words, registry::Query& query) {
  for (const auto& [name, value] : words) {
    if (op.find_dim(name) != nullptr) {
      const auto dim = forge::parse_shape(name + "=" + value);
      if (!dim) return tl::unexpected(dim.error());
      if (!dim->front().fixed()) {
        return fail(ExitCode::kUsage, fmt::format("--select: {} is a range", name),
                    "a call has one size of each dim");
      }
      query.shape[name] = dim->front().least;
    } else if (op.find_attribute(name) != nullptr) {
      const auto attribute = forge::parse_attributes(name + "=" + value);
      if (!attribute) return tl::unexpected(attribute.error());
      const auto known =
          std::find_if(query.attributes.begin(), query.attributes.end(),
                       [&, &wanted = name](const auto& a) { return a.first == wanted; });
      known->second = attribute->front().second;
    } else {
      std::vector<std::string> names = kKeys;
      for (const DimSpec& dim : op.dims) names.push_back(dim.name);
      for (const AttributeSpec& attribute : op.attributes) names.push_back(attribute.name);
      return fail(ExitCode::kUsage,
                  fmt::format("--select: {} has no {}", op.name, quote_input(name)),
                  suggestion(name, names));
    }
  }
  for (const DimSpec& dim : op.dims) {
    if (query.shape.contains(dim.name)) continue;
    return fail(ExitCode::kUsage, fmt::format("--select: the shape has no {}", dim.name),
                fmt::format("shape={} in numbers, or {}=...", dims_text(op), dim.name));
  }
  return {};
}

// The device's canonical name and what it runs.
Status take_device(const Session& session, Words& words, registry::Query& query) {
  query.gpu = take(words, "gpu").value_or("host");
  if (query.gpu == "host") {
    query.architecture = host_level();
  } else {
    const auto catalog = session.load_catalog();
    if (!catalog) return tl::unexpected(catalog.error());
    const auto gpu = catalog->gpu(query.gpu);
    if (!gpu) return tl::unexpected(gpu.error());
    query.gpu = (*gpu)->name;
    query.architecture = (*gpu)->architecture;
  }
  if (const auto architecture = take(words, "arch")) query.architecture = *architecture;
  return {};
}

}  // namespace

Expected<registry::Query> parse_kernel_query(const Session& session, std::string_view text,
                                             const Operators& operators) {
  auto words = words_of(text);
  if (!words) return tl::unexpected(words.error());
  registry::Query query;
  const auto name = take(*words, "op");
  if (!name) {
    return fail(ExitCode::kUsage, "--select: there is no op=",
                "as in: --select op=rmsnorm,shape=16x4096,dtype=fp32,gpu=host");
  }
  const auto op = operators.find(*name);
  if (!op) return tl::unexpected(op.error());
  query.op = (*op)->name;
  query.dtype = take(*words, "dtype").value_or(std::string(name_of((*op)->dtypes.front())));
  const auto dtype = dtype_of(query.dtype);
  if (!dtype) {
    return fail(ExitCode::kUsage,
                fmt::format("--select: there is no type {}", quote_input(query.dtype)),
                suggestion(query.dtype, dtype_names()));
  }
  query.layout = take(*words, "layout").value_or("contiguous");
  const std::vector<std::string> layouts = registry::layout_names();
  if (std::find(layouts.begin(), layouts.end(), query.layout) == layouts.end()) {
    return fail(ExitCode::kUsage,
                fmt::format("--select: there is no layout {}", quote_input(query.layout)),
                suggestion(query.layout, layouts));
  }
  for (const AttributeSpec& attribute : (*op)->attributes) {
    query.attributes.emplace_back(attribute.name, attribute.standard);
  }
  if (const Status device = take_device(session, *words, query); !device) {
    return tl::unexpected(device.error());
  }
  if (const auto shape = take(*words, "shape")) {
    if (const Status taken = take_shape(**op, *shape, query); !taken) {
      return tl::unexpected(taken.error());
    }
  }
  if (const Status taken = take_named(**op, *words, query); !taken) {
    return tl::unexpected(taken.error());
  }
  return query;
}

}  // namespace tensorpath::cli
