// The one table printer: rows of text to a terminal table, Markdown or CSV.
// A terminal table never grows past the width: it drops columns from the least important on, and
// cuts what is left with an ellipsis.
#pragma once

#include <string>
#include <vector>

namespace tensorpath {

struct Column {
  enum class Align { kLeft, kRight };

  std::string title;
  Align align = Align::kLeft;
  int importance = 0;  // the lowest goes first when the table is too wide; equal: the rightmost
  bool whole = false;  // a name to be copied: less important columns go before it is cut
};

class Table {
 public:
  explicit Table(std::vector<Column> columns);
  void add_row(std::vector<std::string> cells);  // as many cells as columns
  [[nodiscard]] std::size_t row_count() const { return rows_.size(); }

  // width 0 is unlimited. Columns two spaces apart, a rule of dashes under the titles.
  [[nodiscard]] std::string to_terminal(int width) const;
  [[nodiscard]] std::string to_markdown() const;
  [[nodiscard]] std::string to_csv() const;  // RFC 4180 quoting; lines end in LF

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Columns a UTF-8 text takes on a terminal (one per code point; combining marks are not ours).
[[nodiscard]] int display_width(const std::string& text);
// Folds text to lines of at most `width`, each after `indent` spaces.
[[nodiscard]] std::string wrap_text(const std::string& text, int width, int indent = 0);

}  // namespace tensorpath
