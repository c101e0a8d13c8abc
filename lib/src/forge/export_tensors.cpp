#include "export_tensors.h"

#include "export_shapes.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace tensorpath::forge {
namespace {

using Op = Expression::Op;

std::string torch_type(DType dtype, bool python) {
  switch (dtype) {
    case DType::kFp32:
      return python ? "torch.float32" : "at::kFloat";
    case DType::kFp16:
      return python ? "torch.float16" : "at::kHalf";
    case DType::kBf16:
      return python ? "torch.bfloat16" : "at::kBFloat16";
    case DType::kInt32:
      return python ? "torch.int32" : "at::kInt";
    case DType::kInt64:
      return python ? "torch.int64" : "at::kLong";
    case DType::kInt8:
      return python ? "torch.int8" : "at::kChar";
    default:
      return python ? "torch.uint8" : "at::kByte";
  }
}

// The formula in Python, right for symbolic sizes too; `names` gives the symbols.
std::string python_formula(const Expression& formula,
                           const std::function<std::string(const std::string&)>& symbol,
                           std::int64_t bytes_of_t) {
  std::vector<std::string> stack;
  for (const Expression::Step& step : formula.steps()) {
    if (step.op == Op::kConstant) {
      stack.push_back(fmt::to_string(step.value));
      continue;
    }
    if (step.op == Op::kSymbol || step.op == Op::kSizeOf) {
      stack.push_back(step.op == Op::kSizeOf ? fmt::to_string(bytes_of_t) : symbol(step.name));
      continue;
    }
    const auto pop = [&] {
      std::string top = std::move(stack.back());
      stack.pop_back();
      return top;
    };
    const auto binary = [&](const char* sign) {
      const std::string b = pop();
      const std::string a = pop();
      stack.push_back(fmt::format("({} {} {})", a, sign, b));
    };
    const auto call = [&](const char* pattern) {
      const std::string b = pop();
      const std::string a = pop();
      stack.push_back(fmt::format(fmt::runtime(pattern), a, b));
    };
    switch (step.op) {
      case Op::kAdd:
        binary("+");
        break;
      case Op::kSubtract:
        binary("-");
        break;
      case Op::kMultiply:
        binary("*");
        break;
      case Op::kDivide:
        binary("//");
        break;
      case Op::kModulo:
        binary("%");
        break;
      case Op::kEqual:
        binary("==");
        break;
      case Op::kNotEqual:
        binary("!=");
        break;
      case Op::kLess:
        binary("<");
        break;
      case Op::kLessEqual:
        binary("<=");
        break;
      case Op::kGreater:
        binary(">");
        break;
      case Op::kGreaterEqual:
        binary(">=");
        break;
      case Op::kAnd:
        binary("and");
        break;
      case Op::kOr:
        binary("or");
        break;
      case Op::kMin:
        call("min({}, {})");
        break;
      case Op::kMax:
        call("max({}, {})");
        break;
      case Op::kCeilDiv:
        call("(-(-{} // {}))");
        break;
      case Op::kRoundUp:
        call("(-(-{0} // {1}) * {1})");
        break;
      case Op::kNegate:
        stack.push_back(fmt::format("(-{})", pop()));
        break;
      case Op::kNot:
        stack.push_back(fmt::format("(not {})", pop()));
        break;
      case Op::kPow2Ceil:
        stack.push_back(fmt::format("(1 << ({} - 1).bit_length())", pop()));
        break;
      case Op::kLog2Ceil:
        stack.push_back(fmt::format("(({} - 1).bit_length())", pop()));
        break;
      default: {
        const std::string no = pop();
        const std::string yes = pop();
        stack.push_back(fmt::format("({} if {} else {})", yes, pop(), no));
      }
    }
  }
  return stack.empty() ? "0" : stack.back();
}

// How a dim is read off an axis whose formula has that dim alone: rows, 2 * hidden, experts + 1.
struct Inversion {
  std::string dim;
  std::int64_t factor = 1;
  std::int64_t addend = 0;
};
std::optional<Inversion> inverse(const Expression& formula) {
  const auto& steps = formula.steps();
  if (steps.size() == 1 && steps[0].op == Op::kSymbol) return Inversion{steps[0].name, 1, 0};
  if (steps.size() != 3) return std::nullopt;
  const bool first = steps[0].op == Op::kSymbol && steps[1].op == Op::kConstant;
  const bool second = steps[1].op == Op::kSymbol && steps[0].op == Op::kConstant;
  if (!first && !second) return std::nullopt;
  const std::string& name = steps[first ? 0 : 1].name;
  const std::int64_t value = steps[first ? 1 : 0].value;
  if (steps[2].op == Op::kMultiply && value > 0) return Inversion{name, value, 0};
  if (steps[2].op == Op::kAdd) return Inversion{name, 1, value};
  return std::nullopt;
}

struct Tensor {
  const TensorSpec* spec;
  DType dtype;
  bool output;
  bool given;
  int number;  // in the order of the struct
};

// Names that Python or the template itself has taken.
std::string python_name(const std::string& name) {
  for (const char* taken : {"global", "in", "is", "lambda", "from", "if", "not", "and", "or"}) {
    if (name == taken) return name + "_";
  }
  return name;
}

class TensorNames {
 public:
  explicit TensorNames(const ExportSubject& subject) : subject_(subject), op_(subject.op) {
    const DType t = subject.task.domain.dtype;
    for (const TensorSpec& one : op_.inputs) add(one, t, false);
    for (const TensorSpec& one : op_.outputs) add(one, t, true);
    for (const DimSpec& dim : op_.dims) find_axis(dim.name);
  }

  Replacements run() {
    schema();
    cpp();
    python();
    test();
    return std::move(out_);
  }

 private:
  struct Axis {
    const Tensor* tensor;
    std::size_t index;
    Inversion inversion;
  };

  void add(const TensorSpec& spec, DType t, bool output) {
    tensors_.push_back({&spec, op_.dtype_of(spec, t), output, !output || spec.inout,
                        static_cast<int>(tensors_.size())});
  }
  void find_axis(const std::string& dim) {
    for (const bool plain : {true, false}) {
      for (const Tensor& tensor : tensors_) {
        if (!tensor.given) continue;
        for (std::size_t i = 0; i < tensor.spec->shape.size(); ++i) {
          const auto found = inverse(tensor.spec->shape[i]);
          if (!found || found->dim != dim) continue;
          if (plain != (found->factor == 1 && found->addend == 0)) continue;
          axes_.emplace_back(dim, Axis{&tensor, i, *found});
          return;
        }
      }
    }
    free_.push_back(dim);
  }
  const Axis* axis_of(const std::string& dim) const {
    for (const auto& [name, axis] : axes_) {
      if (name == dim) return &axis;
    }
    return nullptr;
  }
  static std::string join(const std::vector<std::string>& parts) {
    return fmt::format("{}", fmt::join(parts, ", "));
  }

  void schema() {
    std::vector<std::string> parts;
    std::vector<std::string> results;
    char alias = 'a';
    for (const Tensor& tensor : tensors_) {
      const bool written = tensor.output && tensor.given;
      if (tensor.given) {
        parts.push_back(written ? fmt::format("Tensor({}!) {}", alias++, tensor.spec->name)
                                : "Tensor " + python_name(tensor.spec->name));
      }
      if (tensor.output && !tensor.given) results.emplace_back("Tensor");
    }
    if (!free_.empty() || !op_.attributes.empty()) parts.emplace_back("*");
    for (const std::string& dim : free_) parts.push_back("SymInt " + dim);
    for (const auto& [name, value] : subject_.task.domain.attributes) {
      parts.push_back(is_integer(name)
                          ? fmt::format("int {}={}", name, static_cast<std::int64_t>(value))
                          : fmt::format("float {}={}", name, exact_number(value)));
    }
    const std::string list = "(" + join(parts) + ") -> ";
    out_["SCHEMA"] = list + (results.size() == 1 ? results[0] : "(" + join(results) + ")");
    // It looks and writes nothing.
    std::string looking = list;
    for (std::size_t at = 0; (at = looking.find("!)", at)) != std::string::npos;) {
      looking.erase(at - 2, 4);
    }
    out_["PATH_SCHEMA"] = looking + "int";
  }
  bool is_integer(const std::string& attribute) const {
    const AttributeSpec* spec = op_.find_attribute(attribute);
    return spec != nullptr && spec->integer;
  }

  void cpp() {
    std::vector<std::string> parameters, list, results, types, given;
    std::string pointers, strides, attributes;
    for (const Tensor& tensor : tensors_) {
      const std::string& name = tensor.spec->name;
      if (tensor.given) parameters.push_back("const at::Tensor& " + name);
      list.push_back(tensor.given ? name : "Tensor()");
      if (tensor.output && !tensor.given) {
        results.push_back(fmt::format("tpx_tensors[{}]", tensor.number));
      }
      types.push_back(torch_type(tensor.dtype, false));
      given.emplace_back(tensor.given ? "true" : "false");
      pointers += fmt::format(
          "    case {0}:\n      a.{1} = static_cast<decltype(a.{1})>(data);\n      break;\n",
          tensor.number, name);
      if (tensor.spec->strided) {
        strides += fmt::format("    case {}:\n      a.{}_stride = stride;\n      break;\n",
                               tensor.number, name);
      }
    }
    for (const std::string& dim : free_) {
      parameters.push_back("std::int64_t " + dim);
      attributes += fmt::format("  tpx_call.{0} = {0};\n", dim);
    }
    for (const auto& [name, value] : subject_.task.domain.attributes) {
      parameters.push_back((is_integer(name) ? "std::int64_t " : "double ") + name);
      attributes += fmt::format("  tpx_call.{0} = static_cast<double>({0});\n", name);
    }
    out_["RETURN"] = results.empty()       ? "void"
                     : results.size() == 1 ? "at::Tensor"
                                           : tuple_of(results.size());
    out_["RESULT"] = results.size() == 1 ? results[0]
                     : results.empty()   ? ""
                                         : "{" + join(results) + "}";
    out_["PARAMETERS"] = join(parameters);
    out_["TENSOR_LIST"] = join(list);
    out_["TYPES"] = join(types);
    out_["GIVEN"] = join(given);
    out_["SET_POINTERS"] = pointers;
    out_["SET_STRIDES"] = strides;
    out_["SET_ATTRIBUTES"] = attributes;
    std::string infer;
    for (const auto& [dim, axis] : axes_) {
      infer +=
          fmt::format("  a.{} = (axis(tensors[{}], {}, {}, {}) - {}) / {};\n", dim,
                      axis.tensor->number, axis.tensor->number, axis.tensor->spec->shape.size(),
                      axis.index, axis.inversion.addend, axis.inversion.factor);
    }
    out_["INFER"] = infer;
  }
  static std::string tuple_of(std::size_t count) {
    std::string out = "std::tuple<at::Tensor";
    for (std::size_t i = 1; i < count; ++i) out += ", at::Tensor";
    return out + ">";
  }

  std::string in_python(const Expression& formula, const std::string& pattern) const {
    return python_formula(
        formula, [&](const std::string& name) { return fmt::format(fmt::runtime(pattern), name); },
        tensorpath::bytes_of(subject_.task.domain.dtype, 1));
  }

  void python() {
    std::vector<std::string> names, parameters, call, pass, shapes, fakes;
    std::string dims, shapes_text;
    for (const Tensor& tensor : tensors_) {
      const std::string name = python_name(tensor.spec->name);
      std::vector<std::string> sizes;
      std::string words;
      for (const Expression& dim : tensor.spec->shape) {
        sizes.push_back(in_python(dim, "{}"));
        words += (words.empty() ? "" : ", ") + dim.text();
      }
      shapes_text +=
          fmt::format("- `{}` [{}] {}{}\n", name, words, tensorpath::name_of(tensor.dtype),
                      !tensor.output ? ""
                      : tensor.given ? ", written in place"
                                     : ", returned");
      if (tensor.given) {
        parameters.push_back(name);
        continue;
      }
      if (bits_of(tensor.dtype) < 8) sizes.back() = sizes.back() + " // 2";
      fakes.push_back(fmt::format("{}.new_empty(shapes[{}], dtype={})",
                                  python_name(tensors_.front().spec->name), shapes.size(),
                                  torch_type(tensor.dtype, true)));
      shapes.push_back("(" + join(sizes) + ",)");
    }
    names = call = pass = parameters;
    if (!free_.empty() || !op_.attributes.empty()) {
      names.emplace_back("*");
      parameters.emplace_back("*");
    }
    for (const std::string& dim : free_) {
      names.push_back(dim);
      parameters.push_back(dim);
      call.push_back(fmt::format("{0}={0}", dim));
      pass.push_back(fmt::format("{0}={0}", dim));
    }
    for (const auto& [name, value] : subject_.task.domain.attributes) {
      names.push_back(name);
      const std::string number =
          is_integer(name) ? fmt::to_string(static_cast<std::int64_t>(value)) : exact_number(value);
      parameters.push_back(fmt::format("{}={}", name, number));
      call.push_back(fmt::format("{0}={0}", name));
      pass.push_back(fmt::format("{0}={0}", name));
    }
    for (const auto& [dim, axis] : axes_) {
      std::string size =
          fmt::format("{}.shape[{}]", python_name(axis.tensor->spec->name), axis.index);
      const bool packed =
          bits_of(axis.tensor->dtype) < 8 && axis.index + 1 == axis.tensor->spec->shape.size();
      if (packed) size += " * 2";
      if (axis.inversion.addend != 0) size = fmt::format("({} - {})", size, axis.inversion.addend);
      if (axis.inversion.factor != 1) size = fmt::format("({}) // {}", size, axis.inversion.factor);
      dims += fmt::format("    {} = {}\n", dim, size);
    }
    out_["PYTHON_NAMES"] = join(names);
    out_["PYTHON_PARAMETERS"] = join(parameters);
    out_["PYTHON_CALL"] = join(call);
    out_["PYTHON_PASS"] = join(pass);
    out_["PYTHON_DIMS"] = dims;
    out_["PYTHON_SHAPES"] = join(shapes);
    out_["PYTHON_FAKE"] = fakes.empty() ? "None" : join(fakes);
    out_["SHAPES_TEXT"] = shapes_text;
  }

  void test() {
    constexpr std::array<std::string_view, 10> kFills = {
        "values",  "weight",  "index",       "unique", "length",
        "offsets", "uniform", "probability", "scale",  "bits"};
    std::string tensors;
    for (const Tensor& tensor : tensors_) {
      std::vector<std::string> sizes;
      for (const Expression& dim : tensor.spec->shape) sizes.push_back(in_python(dim, "d[\"{}\"]"));
      tensors += fmt::format(
          "    (\"{}\", \"{}\", \"{}\", {}, {}, {}, {}, lambda d: ({},), lambda d: {}),\n",
          tensor.spec->name, tensorpath::name_of(tensor.dtype),
          kFills[static_cast<std::size_t>(tensor.spec->fill)],
          tensor.output ? fmt::format("\"{}\"", tensorpath::name_of(tensor.spec->rule)) : "None",
          tensor.given ? "True" : "False", tensor.spec->positive ? "True" : "False",
          exact_number(tensor.spec->around), join(sizes),
          in_python(tensor.spec->below, "d[\"{}\"]"));
    }
    out_["PYTHON_TENSORS"] = tensors;
    out_["PYTHON_CALLS"] = calls();
    std::string attributes;
    for (const auto& [name, value] : subject_.task.domain.attributes) {
      attributes += fmt::format("{}\"{}\": {}", attributes.empty() ? "" : ", ", name,
                                is_integer(name) ? fmt::to_string(static_cast<std::int64_t>(value))
                                                 : exact_number(value));
    }
    out_["PYTHON_ATTRIBUTES"] = attributes;
    out_["PYTHON_REDUCTION"] = in_python(op_.reduction, "d[\"{}\"]");
    std::string free;
    for (const std::string& dim : free_)
      free += fmt::format("{}\"{}\"", free.empty() ? "" : ", ", dim);
    out_["FREE_DIMS"] = free;
    out_["TORCH_T"] = torch_type(subject_.task.domain.dtype, true).substr(6);
    const auto first = std::find_if(tensors_.begin(), tensors_.end(), [](const Tensor& tensor) {
      return torch_type(tensor.dtype, true) != "torch.uint8";
    });
    out_["FIRST_KIND"] = std::string(tensorpath::name_of(first->dtype));
  }

  std::string calls() const {
    std::string out;
    for (const ExampleShape& shape : example_shapes(subject_.task, subject_.entry.tuned_shape)) {
      // A row of codes that ends inside of a byte is no tensor.
      if (!ends_on_bytes(shape)) continue;
      std::string words;
      std::string dims;
      for (const DimRange& dim : subject_.task.domain.dims) {
        const std::int64_t size = shape.dims.find(dim.name)->second;
        words += fmt::format(" {}={}", dim.name, size);
        dims += fmt::format("{}\"{}\": {}", dims.empty() ? "" : ", ", dim.name, size);
      }
      out += fmt::format("    (\"{}:{}\", {{{}}}, {}),\n", shape.inside ? "inside" : "outside",
                         words, dims, shape.inside ? "True" : "False");
    }
    return out;
  }
  bool ends_on_bytes(const ExampleShape& shape) const {
    return std::all_of(tensors_.begin(), tensors_.end(), [&](const Tensor& tensor) {
      if (bits_of(tensor.dtype) >= 8) return true;
      return tensor.spec->shape.back().evaluate(shape.dims).value_or(1) % 2 == 0;
    });
  }

  const ExportSubject& subject_;
  const OperatorSpec& op_;
  std::vector<Tensor> tensors_;
  std::vector<std::pair<std::string, Axis>> axes_;
  std::vector<std::string> free_;  // dims that no shape tells
  Replacements out_;
};

}  // namespace

Replacements tensor_names(const ExportSubject& subject) { return TensorNames(subject).run(); }

}  // namespace tensorpath::forge
