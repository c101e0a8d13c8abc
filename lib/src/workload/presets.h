// What a workload type means where the file is silent: one row per value, each with its reason.
// Rows are written in the file's own syntax and merged into the document before it is read, so a
// preset can say nothing that a file could not.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tensorpath::workload_file {

struct PresetValue {
  std::string_view key;     // dotted path
  std::string_view value;   // YAML
  std::string_view reason;  // source, or the thought where there is none
};

// Rows of one type, and those of every type (key order is the order of the file format).
[[nodiscard]] const std::vector<PresetValue>& preset_of(std::string_view type);
[[nodiscard]] const std::vector<PresetValue>& defaults();
// What a request of the original TensorPath leaves open: it knew neither load nor lengths.
[[nodiscard]] const std::vector<PresetValue>& original_request_rows();
// The row for a key, or null.
[[nodiscard]] const PresetValue* find_row(const std::vector<PresetValue>& rows,
                                          std::string_view key);

}  // namespace tensorpath::workload_file
