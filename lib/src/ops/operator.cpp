#include <algorithm>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/ops/operator.h>

namespace tensorpath {
namespace {

template <typename Entry>
const Entry* find_named(const std::vector<Entry>& entries, std::string_view name) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return entry.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

}  // namespace

const DimSpec* OperatorSpec::find_dim(std::string_view wanted) const {
  return find_named(dims, wanted);
}
const TensorSpec* OperatorSpec::find_input(std::string_view wanted) const {
  return find_named(inputs, wanted);
}
const TensorSpec* OperatorSpec::find_output(std::string_view wanted) const {
  return find_named(outputs, wanted);
}
const AttributeSpec* OperatorSpec::find_attribute(std::string_view wanted) const {
  return find_named(attributes, wanted);
}

DType OperatorSpec::dtype_of(const TensorSpec& tensor, DType t) const {
  return tensor.dtype == "T" ? t : tensorpath::dtype_of(tensor.dtype).value_or(t);
}

Expected<Operators> Operators::load(const std::vector<std::string>& directories) {
  Operators operators;
  Error problems;
  for (const std::string& directory : directories) {
    for (const std::string& file : list_files(directory, ".yaml")) {
      const std::string path = path_join(directory, file);
      const auto text = read_file(path, 1U << 20);
      if (!text) return tl::unexpected(text.error());
      const std::string name = file.substr(0, file.size() - 5);
      if (find_named(operators.specs_, name) != nullptr) continue;
      auto spec = read_operator(*text, path, find_reference(name), reference_digest(name));
      if (!spec) {
        problems.diagnostics.insert(problems.diagnostics.end(), spec.error().diagnostics.begin(),
                                    spec.error().diagnostics.end());
        continue;
      }
      operators.specs_.push_back(std::move(*spec));
    }
  }
  if (!problems.diagnostics.empty()) return tl::unexpected(problems);
  std::sort(operators.specs_.begin(), operators.specs_.end(),
            [](const OperatorSpec& a, const OperatorSpec& b) { return a.name < b.name; });
  return operators;
}

void Operators::add(OperatorSpec spec) {
  const auto place = std::lower_bound(
      specs_.begin(), specs_.end(), spec.name,
      [](const OperatorSpec& entry, const std::string& name) { return entry.name < name; });
  if (place != specs_.end() && place->name == spec.name) {
    *place = std::move(spec);
  } else {
    specs_.insert(place, std::move(spec));
  }
}

Expected<const OperatorSpec*> Operators::find(std::string_view name) const {
  if (const OperatorSpec* found = find_named(specs_, name)) return found;
  std::vector<std::string> names;
  for (const OperatorSpec& spec : specs_) names.push_back(spec.name);
  return fail(ExitCode::kUsage, fmt::format("there is no operator {}", quote_input(name)),
              suggestion(name, names, 60));
}

}  // namespace tensorpath
