// The workload document as a tree that presets are merged into before it is read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/yaml.h>

namespace tensorpath::workload_file {

// The node at a dotted path ("slo.ttft_ms.p95"), or null when it is absent or null.
[[nodiscard]] const YamlNode* find_path(const YamlNode& root, std::string_view path);
// Where that node is; where its nearest present parent is, when it is absent.
[[nodiscard]] SourceLocation where_path(const YamlNode& root, std::string_view path);
// Puts a node at a path, making the mappings on the way. Leaves the tree alone where a parent is
// something else than a mapping: that mistake is the reader's to report.
void set_path(YamlNode& root, std::string_view path, YamlNode value);

// Whether hardware.owned names anything (or something that the reader will complain about).
[[nodiscard]] bool has_owned_hardware(const YamlNode& root);

// Fills what the file leaves open from the type's preset and the defaults. Returns one line per
// filled value, in the order of the rows.
std::vector<std::string> fill_in(YamlNode& root, const std::string& type);

// Fills what the original's request could not say. Returns one line per filled value.
std::vector<std::string> fill_in_original(YamlNode& root);

// Whether the document is a request of the original TensorPath, and the same in the keys of
// tensorpath.workload/v1 (every value keeps its place in the file).
[[nodiscard]] bool is_original_request(const YamlNode& root);
[[nodiscard]] YamlNode from_original_request(const YamlNode& root, Diagnostics& problems);

}  // namespace tensorpath::workload_file
