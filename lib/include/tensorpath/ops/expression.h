// Integer expressions over named symbols: shapes, FLOPs and bytes of an operator, and grids,
// sizes and conditions of a launch plan.
//   ceil_div(rows * hidden, 256)      rows > 1 && hidden % 8 == 0 ? 2 : 1
// Operators, from loose to tight: ?:  ||  &&  == !=  < <= > >=  + -  * / %  unary - !
// Functions: min max ceil_div round_up (to a multiple) pow2_ceil log2_ceil sizeof(T).
// 64-bit signed; overflow, division by zero and unknown names are errors, never wrong numbers. Of
// ?:
// && and || only the side that counts is computed. Division rounds to zero, as in C.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>

namespace tensorpath {

using Symbols = std::map<std::string, std::int64_t, std::less<>>;

class Expression {
 public:
  // Errors carry `where` with the column moved to the place in the text.
  [[nodiscard]] static Expected<Expression> parse(std::string_view text, SourceLocation where = {});
  [[nodiscard]] static Expression constant(std::int64_t value);

  [[nodiscard]] Expected<std::int64_t> evaluate(const Symbols& symbols) const;
  [[nodiscard]] const std::string& text() const { return text_; }
  // Names it uses, each once, in the order of their first use. T in sizeof(T) is none.
  [[nodiscard]] std::vector<std::string> names() const;

  // Postfix code of the parsed text. Public for the parser; not an interface.
  enum class Op : std::uint8_t {
    kConstant,
    kSymbol,
    kSizeOf,
    kNegate,
    kNot,
    kAdd,
    kSubtract,
    kMultiply,
    kDivide,
    kModulo,
    kEqual,
    kNotEqual,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,
    kAnd,
    kOr,
    kChoose,
    kMin,
    kMax,
    kCeilDiv,
    kRoundUp,
    kPow2Ceil,
    kLog2Ceil,
  };
  struct Step {
    Op op = Op::kConstant;
    std::int64_t value = 0;
    std::string name;
  };
  // For who writes the formula down in another language.
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }

 private:
  std::string text_;
  SourceLocation where_;
  std::vector<Step> steps_;
};

}  // namespace tensorpath
