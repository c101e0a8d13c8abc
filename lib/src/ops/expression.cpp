#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include <fmt/format.h>

#include <tensorpath/ops/expression.h>

namespace tensorpath {
namespace {

using Op = Expression::Op;
using Step = Expression::Step;

// Deep enough for any formula a person writes, shallow enough for the stack.
constexpr int kMostDepth = 64;
constexpr std::size_t kMostText = 4096;

struct Function {
  std::string_view name;
  Op op;
  int arguments;
};

constexpr std::array<Function, 6> kFunctions = {{
    {"min", Op::kMin, 2},
    {"max", Op::kMax, 2},
    {"ceil_div", Op::kCeilDiv, 2},
    {"round_up", Op::kRoundUp, 2},
    {"pow2_ceil", Op::kPow2Ceil, 1},
    {"log2_ceil", Op::kLog2Ceil, 1},
}};

// Its size is looked up beside the symbols, as "sizeof(T)".
constexpr std::string_view kType = "T";

std::vector<std::string> function_names() {
  std::vector<std::string> names = {"sizeof"};
  for (const Function& function : kFunctions) names.emplace_back(function.name);
  return names;
}

struct Binary {
  std::string_view token;
  Op op;
  int level;  // the tightest is the highest
};

// Two-character tokens come first: "<=" is not "<".
constexpr std::array<Binary, 13> kBinaries = {{
    {"||", Op::kOr, 1},
    {"&&", Op::kAnd, 2},
    {"==", Op::kEqual, 3},
    {"!=", Op::kNotEqual, 3},
    {"<=", Op::kLessEqual, 4},
    {">=", Op::kGreaterEqual, 4},
    {"<", Op::kLess, 4},
    {">", Op::kGreater, 4},
    {"+", Op::kAdd, 5},
    {"-", Op::kSubtract, 5},
    {"*", Op::kMultiply, 6},
    {"/", Op::kDivide, 6},
    {"%", Op::kModulo, 6},
}};

bool is_name_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_name_part(char c) {
  return is_name_start(c) || std::isdigit(static_cast<unsigned char>(c)) != 0;
}

// Recursive descent to postfix code.
class Parser {
 public:
  Parser(std::string_view text, SourceLocation where) : text_(text), where_(std::move(where)) {}

  Expected<std::vector<Step>> parse() {
    if (text_.size() > kMostText) return problem("is too long");
    if (!choice(0)) return tl::unexpected(error_);
    skip_space();
    if (at_ != text_.size()) {
      (void)stop("expected an operator or the end");
      return tl::unexpected(error_);
    }
    return std::move(steps_);
  }

 private:
  tl::unexpected<Error> problem(const std::string& what, const std::string& hint = {}) {
    SourceLocation place = where_;
    if (place.column > 0) place.column += static_cast<int>(at_);
    return fail_at(place, fmt::format("in the expression {}: {}", quote_input(text_), what), hint);
  }
  bool stop(const std::string& what, const std::string& hint = {}) {
    error_ = problem(at_ < text_.size()
                         ? fmt::format("{}, found {}", what, quote_input(text_.substr(at_, 12)))
                         : fmt::format("{}, found the end", what),
                     hint)
                 .value();
    return false;
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool take(std::string_view token) {
    skip_space();
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  void emit(Op op, std::int64_t value = 0, std::string name = {}) {
    steps_.push_back({op, value, std::move(name)});
  }

  bool choice(int depth) {
    if (depth > kMostDepth) return stop("it nests too deep");
    if (!binary(1, depth)) return false;
    if (!take("?")) return true;
    if (!choice(depth + 1)) return false;
    if (!take(":")) return stop("expected ':' of the choice");
    if (!choice(depth + 1)) return false;
    emit(Op::kChoose);
    return true;
  }

  std::optional<Binary> next_binary(int level) {
    skip_space();
    for (const Binary& candidate : kBinaries) {
      if (text_.substr(at_, candidate.token.size()) == candidate.token) {
        if (candidate.level < level) return std::nullopt;
        return candidate;
      }
    }
    return std::nullopt;
  }

  bool binary(int level, int depth) {
    if (!unary(depth)) return false;
    while (const auto next = next_binary(level)) {
      at_ += next->token.size();
      if (!binary(next->level + 1, depth + 1)) return false;
      emit(next->op);
    }
    return true;
  }

  bool unary(int depth) {
    if (depth > kMostDepth) return stop("it nests too deep");
    skip_space();
    // "!=" cannot start an operand, so a '!' here negates.
    if (take("-")) return unary(depth + 1) && (emit(Op::kNegate), true);
    if (take("!")) return unary(depth + 1) && (emit(Op::kNot), true);
    return operand(depth);
  }

  bool operand(int depth) {
    skip_space();
    if (take("(")) {
      if (!choice(depth + 1)) return false;
      return take(")") || stop("expected ')'");
    }
    if (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0) {
      return number();
    }
    if (at_ < text_.size() && is_name_start(text_[at_])) return name(depth);
    return stop("expected a number, a name or '('");
  }

  bool number() {
    std::int64_t value = 0;
    while (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0) {
      if (__builtin_mul_overflow(value, 10, &value) ||
          __builtin_add_overflow(value, text_[at_] - '0', &value)) {
        return stop("a number does not fit into 64 bits");
      }
      ++at_;
    }
    emit(Op::kConstant, value);
    return true;
  }

  bool name(int depth) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_name_part(text_[at_])) ++at_;
    const std::string word(text_.substr(begin, at_ - begin));
    if (!take("(")) {
      if (word == kType) {
        at_ = begin;
        return stop("expected a number, T is a type",
                    "write sizeof(T) for the bytes of an element");
      }
      emit(Op::kSymbol, 0, word);
      return true;
    }
    if (word == "sizeof") return size_of();
    const auto* const function =
        std::find_if(kFunctions.begin(), kFunctions.end(),
                     [&](const Function& candidate) { return candidate.name == word; });
    if (function == kFunctions.end()) {
      at_ = begin;
      return stop("expected a function", suggestion(word, function_names()));
    }
    for (int i = 0; i < function->arguments; ++i) {
      if (i > 0 && !take(",")) return stop("expected ','");
      if (!choice(depth + 1)) return false;
    }
    if (!take(")")) return stop("expected ')'");
    emit(function->op);
    return true;
  }

  // sizeof(T): the bytes of an element of the type that the task chose for T.
  bool size_of() {
    skip_space();
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_name_part(text_[at_])) ++at_;
    if (text_.substr(begin, at_ - begin) != kType) {
      at_ = begin;
      return stop("expected T, the only type that is not known beforehand");
    }
    emit(Op::kSizeOf, 0, "sizeof(T)");
    return take(")") || stop("expected ')'");
  }

  std::string_view text_;
  SourceLocation where_;
  std::size_t at_ = 0;
  std::vector<Step> steps_;
  Error error_;
};

std::optional<std::int64_t> divide(std::int64_t a, std::int64_t b) {
  if (b == 0 || (a == INT64_MIN && b == -1)) return std::nullopt;
  return a / b;
}

std::optional<std::int64_t> ceil_divide(std::int64_t a, std::int64_t b) {
  if (b <= 0 || a < 0) return std::nullopt;
  return a / b + (a % b != 0 ? 1 : 0);
}

// By reference: which argument is evaluated first is the compiler's choice.
std::optional<std::int64_t> checked(bool overflowed, const std::int64_t& value) {
  if (overflowed) return std::nullopt;
  return value;
}

std::optional<std::int64_t> apply(Op op, std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  switch (op) {
    case Op::kAdd:
      return checked(__builtin_add_overflow(a, b, &out), out);
    case Op::kSubtract:
      return checked(__builtin_sub_overflow(a, b, &out), out);
    case Op::kMultiply:
      return checked(__builtin_mul_overflow(a, b, &out), out);
    case Op::kDivide:
      return divide(a, b);
    case Op::kModulo:
      return divide(a, b) ? std::optional(a % b) : std::nullopt;
    case Op::kEqual:
      return a == b ? 1 : 0;
    case Op::kNotEqual:
      return a != b ? 1 : 0;
    case Op::kLess:
      return a < b ? 1 : 0;
    case Op::kLessEqual:
      return a <= b ? 1 : 0;
    case Op::kGreater:
      return a > b ? 1 : 0;
    case Op::kGreaterEqual:
      return a >= b ? 1 : 0;
    case Op::kMin:
      return std::min(a, b);
    case Op::kMax:
      return std::max(a, b);
    case Op::kCeilDiv:
      return ceil_divide(a, b);
    case Op::kRoundUp: {
      const auto blocks = ceil_divide(a, b);
      return blocks ? checked(__builtin_mul_overflow(*blocks, b, &out), out) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

std::optional<std::int64_t> apply(Op op, std::int64_t a) {
  switch (op) {
    case Op::kNegate:
      return a == INT64_MIN ? std::nullopt : std::optional(-a);
    case Op::kNot:
      return a == 0 ? 1 : 0;
    case Op::kPow2Ceil:
    case Op::kLog2Ceil: {
      if (a < 1 || a > (std::int64_t{1} << 62)) return std::nullopt;
      int power = 0;
      while ((std::int64_t{1} << power) < a) ++power;
      return op == Op::kLog2Ceil ? power : std::int64_t{1} << power;
    }
    default:
      return std::nullopt;
  }
}

int operands_of(Op op) {
  switch (op) {
    case Op::kConstant:
    case Op::kSymbol:
    case Op::kSizeOf:
      return 0;
    case Op::kNegate:
    case Op::kNot:
    case Op::kPow2Ceil:
    case Op::kLog2Ceil:
      return 1;
    case Op::kChoose:
      return 3;
    default:
      return 2;
  }
}

// An operand that could not be computed has no value, and nor has what needs it: the side that ?:,
// && and || leave out may divide by zero.
std::optional<std::int64_t> result_of(Op op, const std::optional<std::int64_t>* operands) {
  const auto& first = operands[0];
  if (!first) return std::nullopt;
  if (op == Op::kChoose) return operands[*first != 0 ? 1 : 2];
  if (op == Op::kAnd && *first == 0) return 0;
  if (op == Op::kOr && *first != 0) return 1;
  if (operands_of(op) == 1) return apply(op, *first);
  const auto& second = operands[1];
  if (!second) return std::nullopt;
  if (op == Op::kAnd || op == Op::kOr) return *second != 0 ? 1 : 0;
  return apply(op, *first, *second);
}

}  // namespace

Expected<Expression> Expression::parse(std::string_view text, SourceLocation where) {
  auto steps = Parser(text, where).parse();
  if (!steps) return tl::unexpected(steps.error());
  Expression expression;
  expression.text_ = std::string(text);
  expression.where_ = std::move(where);
  expression.steps_ = std::move(*steps);
  return expression;
}

Expression Expression::constant(std::int64_t value) {
  Expression expression;
  expression.text_ = std::to_string(value);
  expression.steps_ = {{Op::kConstant, value, {}}};
  return expression;
}

Expected<std::int64_t> Expression::evaluate(const Symbols& symbols) const {
  const auto problem = [this](const std::string& what, const std::string& hint = {}) {
    Error error = fail_at(where_, fmt::format("{}: {}", quote_input(text_), what), hint).value();
    return tl::unexpected(std::move(error));
  };
  if (steps_.empty()) return problem("there is nothing to compute");
  std::vector<std::optional<std::int64_t>> stack;
  for (const Step& step : steps_) {
    const int operands = operands_of(step.op);
    if (step.op == Op::kConstant) {
      stack.emplace_back(step.value);
    } else if (operands == 0) {
      const auto found = symbols.find(step.name);
      if (found == symbols.end()) {
        std::vector<std::string> known;
        for (const auto& symbol : symbols) known.push_back(symbol.first);
        return problem(fmt::format("{} is not known here", quote_input(step.name)),
                       suggestion(step.name, known));
      }
      stack.emplace_back(found->second);
    } else {
      const std::size_t first = stack.size() - static_cast<std::size_t>(operands);
      const auto result = result_of(step.op, &stack[first]);
      stack.resize(first);
      stack.push_back(result);
    }
  }
  if (!stack.back()) return problem("it overflows, divides by zero, or rounds a negative number");
  return *stack.back();
}

std::vector<std::string> Expression::names() const {
  std::vector<std::string> names;
  for (const Step& step : steps_) {
    if (step.op != Op::kSymbol) continue;
    if (std::find(names.begin(), names.end(), step.name) == names.end()) names.push_back(step.name);
  }
  return names;
}

}  // namespace tensorpath
