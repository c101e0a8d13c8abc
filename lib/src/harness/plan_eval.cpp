#include "plan_eval.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include <fmt/format.h>

namespace tensorpath {
namespace {

// CUDA C++ Programming Guide, "Features and Technical Specifications".
constexpr std::int64_t kMostGridX = 2147483647;
constexpr std::int64_t kMostGridYZ = 65535;
constexpr std::int64_t kMostBlockXY = 1024;
constexpr std::int64_t kMostBlockZ = 64;
constexpr std::int64_t kMostThreads = 1024;
constexpr std::int64_t kMostClusterBlocks = 16;
constexpr std::int64_t kMostSharedBytes = 1 << 20;  // the device's own limit is lower, and checked
// cuTensorMapEncodeTiled.
constexpr std::int64_t kMostMapDim = std::int64_t{1} << 32;
constexpr std::int64_t kMostMapStride = (std::int64_t{1} << 40) - 1;
constexpr std::int64_t kMostBox = 256;

struct Range {
  std::int64_t least = 0;
  std::int64_t most = INT64_MAX;
};

Expected<std::int64_t> evaluate_in(const Expression& expression, const Symbols& symbols,
                                   const Range& range, std::string_view what) {
  auto value = expression.evaluate(symbols);
  if (!value) return value;
  if (*value < range.least || *value > range.most) {
    return fail(ExitCode::kUsage,
                fmt::format("{}: {} gives {}, which is not in {} to {}", what,
                            quote_input(expression.text()), *value, range.least, range.most));
  }
  return value;
}

// CUtensorMapDataType.
std::optional<std::uint32_t> map_type(DType dtype) {
  switch (dtype) {
    case DType::kFp32:
      return 7;
    case DType::kFp16:
      return 6;
    case DType::kBf16:
      return 9;
    case DType::kInt32:
      return 3;
    case DType::kInt64:
      return 5;
    default:
      return bits_of(dtype) == 8 ? std::optional<std::uint32_t>(0) : std::nullopt;
  }
}

std::uint32_t swizzle_code(std::string_view name) {
  return name == "32" ? 1 : name == "64" ? 2 : name == "128" ? 3 : 0;
}

class Evaluator {
 public:
  Evaluator(const LaunchPlan& plan, const PlanAtShape& at) : plan_(plan), at_(at) {}

  Expected<LaunchList> run() {
    for (const PlanLaunch& launch : plan_.prepare) {
      if (const auto status = add_launch(launch); !status) return tl::unexpected(status.error());
    }
    out_.prepare = static_cast<std::uint32_t>(out_.launches.size());
    for (const PlanLaunch& launch : plan_.launches) {
      if (const auto status = add_launch(launch); !status) return tl::unexpected(status.error());
    }
    if (out_.launches.size() == out_.prepare) {
      return fail(ExitCode::kUsage, "no launch of the plan applies at this shape",
                  "the conditions under `when` must leave one at every shape of the task");
    }
    return std::move(out_);
  }

 private:
  Expected<std::uint32_t> buffer(const std::string& name) const {
    const auto found = std::find(at_.buffers.begin(), at_.buffers.end(), name);
    if (found == at_.buffers.end()) {
      return fail(ExitCode::kUsage, fmt::format("there is no buffer {}", quote_input(name)));
    }
    return static_cast<std::uint32_t>(found - at_.buffers.begin());
  }

  // One to three sizes; the missing ones are 1.
  Status sizes(const std::vector<Expression>& formulas, const Range (&ranges)[3],
               std::uint32_t (&out)[3], const std::string& what) const {
    std::fill(std::begin(out), std::end(out), 1U);
    for (std::size_t i = 0; i < std::min<std::size_t>(formulas.size(), 3); ++i) {
      const auto value = evaluate_in(formulas[i], at_.symbols, ranges[i], what);
      if (!value) return tl::unexpected(value.error());
      out[i] = static_cast<std::uint32_t>(*value);
    }
    return {};
  }

  Status geometry(const PlanLaunch& from, worker::Launch& launch) const {
    const Range grid[3] = {{1, kMostGridX}, {1, kMostGridYZ}, {1, kMostGridYZ}};
    const Range block[3] = {{1, kMostBlockXY}, {1, kMostBlockXY}, {1, kMostBlockZ}};
    const Range cluster[3] = {
        {1, kMostClusterBlocks}, {1, kMostClusterBlocks}, {1, kMostClusterBlocks}};
    if (auto status = sizes(from.grid, grid, launch.grid, from.kernel + ": grid"); !status) {
      return status;
    }
    if (auto status = sizes(from.block, block, launch.block, from.kernel + ": block"); !status) {
      return status;
    }
    if (auto status = sizes(from.cluster, cluster, launch.cluster, from.kernel + ": cluster");
        !status) {
      return status;
    }
    const std::int64_t threads = std::int64_t{launch.block[0]} * launch.block[1] * launch.block[2];
    if (threads > kMostThreads) {
      return fail(ExitCode::kUsage, fmt::format("{}: {} threads in a block, more than {}",
                                                from.kernel, threads, kMostThreads));
    }
    const std::int64_t blocks =
        std::int64_t{launch.cluster[0]} * launch.cluster[1] * launch.cluster[2];
    if (blocks > kMostClusterBlocks) {
      return fail(ExitCode::kUsage, fmt::format("{}: {} blocks in a cluster, more than {}",
                                                from.kernel, blocks, kMostClusterBlocks));
    }
    for (int i = 0; i < 3; ++i) {
      if (launch.grid[i] % launch.cluster[i] != 0) {
        return fail(ExitCode::kUsage,
                    fmt::format("{}: a grid of {} is no multiple of a cluster of {}", from.kernel,
                                launch.grid[i], launch.cluster[i]));
      }
    }
    return {};
  }

  Status add_launch(const PlanLaunch& from) {
    const auto when = from.when.evaluate(at_.symbols);
    if (!when) return tl::unexpected(when.error());
    if (*when == 0) return {};
    worker::Launch launch{};
    std::memcpy(launch.kernel, from.kernel.data(),
                std::min(from.kernel.size(), sizeof launch.kernel - 1));
    if (auto status = geometry(from, launch); !status) return status;
    const auto shared = evaluate_in(from.shared_bytes, at_.symbols, {0, kMostSharedBytes},
                                    from.kernel + ": shared_bytes");
    if (!shared) return tl::unexpected(shared.error());
    launch.shared_bytes = static_cast<std::uint32_t>(*shared);
    for (const PlanArgument& argument : from.arguments) {
      const auto value = word(argument, from.kernel);
      if (!value) return tl::unexpected(value.error());
      out_.words.push_back(*value);
    }
    if (out_.words.size() > worker::kMaxLaunchWords) {
      return fail(ExitCode::kUsage, fmt::format("more than {} arguments of all launches together",
                                                worker::kMaxLaunchWords));
    }
    launch.words = static_cast<std::uint32_t>(from.arguments.size());
    out_.launches.push_back(launch);
    return {};
  }

  Expected<worker::Word> word(const PlanArgument& argument, const std::string& kernel) {
    using Kind = PlanArgument::Kind;
    switch (argument.kind) {
      case Kind::kTensor:
      case Kind::kWorkspace: {
        const auto index = buffer(argument.name);
        if (!index) return tl::unexpected(index.error());
        return worker::Word{worker::Word::Kind::kBuffer, 0, *index};
      }
      case Kind::kTensorMap:
        return map_word(argument.name);
      case Kind::kInt32:
      case Kind::kInt64: {
        const bool narrow = argument.kind == Kind::kInt32;
        const Range range = narrow ? Range{INT32_MIN, INT32_MAX} : Range{INT64_MIN, INT64_MAX};
        const auto value = evaluate_in(argument.value, at_.symbols, range, kernel + ": args");
        if (!value) return tl::unexpected(value.error());
        return worker::Word{narrow ? worker::Word::Kind::kInt32 : worker::Word::Kind::kInt64, 0,
                            static_cast<std::uint64_t>(*value)};
      }
      case Kind::kFloat:
      case Kind::kDouble:
        return attribute_word(argument);
    }
    return fail(ExitCode::kUsage, "an argument of no kind");
  }

  // A map is made only where a launch that runs uses it: at other shapes it may be impossible.
  Expected<worker::Word> map_word(const std::string& name) {
    const auto made = std::find(map_names_.begin(), map_names_.end(), name);
    const auto index = static_cast<std::uint64_t>(made - map_names_.begin());
    const worker::Word word{worker::Word::Kind::kTensorMap, 0, index};
    if (made != map_names_.end()) return word;
    for (const PlanTensorMap& map : plan_.tensor_maps) {
      if (map.name != name) continue;
      if (const auto status = add_map(map); !status) return tl::unexpected(status.error());
      map_names_.push_back(name);
      return word;
    }
    return fail(ExitCode::kUsage, fmt::format("there is no tensor map {}", quote_input(name)));
  }

  Expected<worker::Word> attribute_word(const PlanArgument& argument) const {
    for (const auto& [name, value] : at_.attributes) {
      if (name != argument.name) continue;
      worker::Word word{worker::Word::Kind::kDouble, 0, 0};
      if (argument.kind == PlanArgument::Kind::kFloat) {
        const auto narrow = static_cast<float>(value);
        word.kind = worker::Word::Kind::kFloat;
        std::memcpy(&word.value, &narrow, sizeof narrow);
      } else {
        std::memcpy(&word.value, &value, sizeof value);
      }
      return word;
    }
    return fail(ExitCode::kUsage,
                fmt::format("there is no attribute {}", quote_input(argument.name)));
  }

  Status add_map(const PlanTensorMap& from) {
    worker::TensorMap map{};
    const auto index = buffer(from.tensor);
    if (!index) return tl::unexpected(index.error());
    const TensorSpec* spec = at_.op.find_input(from.tensor);
    if (spec == nullptr) spec = at_.op.find_output(from.tensor);
    if (spec == nullptr) {
      return fail(ExitCode::kUsage, fmt::format("there is no tensor {}", quote_input(from.tensor)));
    }
    const auto type = map_type(at_.op.dtype_of(*spec, at_.dtype));
    if (!type) {
      return fail(ExitCode::kUsage,
                  fmt::format("{}: no tensor map has elements of type {}", from.name,
                              name_of(at_.op.dtype_of(*spec, at_.dtype))));
    }
    map.buffer = *index;
    map.type = *type;
    map.rank = static_cast<std::uint32_t>(from.dims.size());
    map.swizzle = swizzle_code(from.swizzle);
    std::fill(std::begin(map.element_strides), std::end(map.element_strides), 1U);
    for (std::size_t i = 0; i < std::min<std::size_t>(from.dims.size(), 5); ++i) {
      const auto dim =
          evaluate_in(from.dims[i], at_.symbols, {1, kMostMapDim}, from.name + ": dims");
      if (!dim) return tl::unexpected(dim.error());
      const auto box = evaluate_in(from.box[i], at_.symbols, {1, kMostBox}, from.name + ": box");
      if (!box) return tl::unexpected(box.error());
      map.dims[i] = static_cast<std::uint64_t>(*dim);
      map.box[i] = static_cast<std::uint32_t>(*box);
      if (i == 0) continue;
      const auto stride = evaluate_in(from.strides_bytes[i - 1], at_.symbols, {16, kMostMapStride},
                                      from.name + ": strides_bytes");
      if (!stride) return tl::unexpected(stride.error());
      if (*stride % 16 != 0) {
        return fail(
            ExitCode::kUsage,
            fmt::format("{}: a stride of {} bytes is no multiple of 16", from.name, *stride),
            "give such shapes another launch, under `when`");
      }
      map.strides[i - 1] = static_cast<std::uint64_t>(*stride);
    }
    out_.maps.push_back(map);
    return {};
  }

  const LaunchPlan& plan_;
  const PlanAtShape& at_;
  std::vector<std::string> map_names_;  // of out_.maps
  LaunchList out_;
};

}  // namespace

Expected<std::vector<WorkspaceSize>> workspace_sizes(const LaunchPlan& plan, const Symbols& symbols,
                                                     std::uint64_t limit_bytes) {
  std::vector<WorkspaceSize> sizes;
  std::uint64_t total = 0;
  const auto most = static_cast<std::int64_t>(
      std::min<std::uint64_t>(limit_bytes, std::uint64_t{INT64_MAX} / 64));
  for (const PlanWorkspace& workspace : plan.workspaces) {
    const auto bytes =
        evaluate_in(workspace.bytes, symbols, {0, most}, "workspace " + workspace.name);
    if (!bytes) return tl::unexpected(bytes.error());
    total += static_cast<std::uint64_t>(*bytes);
    sizes.push_back({workspace.name, static_cast<std::uint64_t>(*bytes), workspace.zeroed});
  }
  if (total > limit_bytes) {
    return fail(ExitCode::kUsage,
                fmt::format("workspaces of {} bytes together, more than {}", total, limit_bytes));
  }
  return sizes;
}

Expected<LaunchList> evaluate_plan(const LaunchPlan& plan, const PlanAtShape& at) {
  return Evaluator(plan, at).run();
}

}  // namespace tensorpath
