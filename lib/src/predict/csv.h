// CSV by RFC 4180 with the place of every cell, for files that people hand in.
// Quotes may hold commas, doubled quotes and line ends; CRLF and LF end a row; a byte-order mark is
// skipped; empty lines are not rows.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>

namespace tensorpath::perf {

struct CsvCell {
  std::string text;
  int line = 0;
  int column = 0;
};

struct CsvTable {
  std::string file;
  std::vector<CsvCell> header;
  std::vector<std::vector<CsvCell>> rows;  // each as wide as the header

  // Index of a column, or -1.
  [[nodiscard]] int column(std::string_view name) const;
  [[nodiscard]] SourceLocation where(const CsvCell& cell) const {
    return {file, cell.line, cell.column};
  }
};

// Errors: no header, a row of another width, an unclosed quote, text after a closing quote, a
// duplicate column, bytes that are no text (NUL).
[[nodiscard]] Expected<CsvTable> parse_csv(std::string_view text, const std::string& file);

// The whole cell as one finite number; surrounding blanks are allowed.
[[nodiscard]] std::optional<double> csv_number(const CsvCell& cell);

}  // namespace tensorpath::perf
