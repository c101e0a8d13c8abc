// Typed access to one object of an untrusted JSON document, by key, collecting every mistake.
// The counterpart of MapReader for a tree that has lost its lines: mistakes name the dotted path.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/json.h>
#include <tensorpath/base/yaml.h>

namespace tensorpath::deploy {

class JsonReader {
 public:
  // `object` must outlive the reader. Anything but an object is reported and reads as empty.
  JsonReader(const Json& object, std::string path, Diagnostics& diagnostics);

  [[nodiscard]] const Json* find(std::string_view key) const;  // null: absent or null
  // A required whole number in [least, most]; `least` when it is wrong.
  [[nodiscard]] int integer(std::string_view key, int least, int most);
  // The same, with a value for absence.
  [[nodiscard]] int integer_or(std::string_view key, int least, int most, int absent);
  [[nodiscard]] std::optional<double> number(std::string_view key, double least, double most);
  [[nodiscard]] bool boolean_or(std::string_view key, bool absent);
  // Text without control characters, at most 1,000 bytes. required: absence is a mistake.
  [[nodiscard]] std::string text(std::string_view key, bool required);
  // An object; null when absent or of another type (which is reported).
  [[nodiscard]] const Json* object(std::string_view key, bool required);
  [[nodiscard]] const Json* array(std::string_view key, bool required);

  [[nodiscard]] std::string path_of(std::string_view key) const;
  [[nodiscard]] Diagnostics& diagnostics() { return diagnostics_; }
  void mistake(std::string_view key, const std::string& message, std::string hint = {});

 private:
  [[nodiscard]] const Json* typed(std::string_view key, bool required, bool (*is)(const Json&),
                                  const char* expected);

  const Json& object_;
  std::string path_;
  Diagnostics& diagnostics_;
};

// "a whole number", "text", "an object": what a value is, for messages.
[[nodiscard]] std::string type_name(const Json& value);

}  // namespace tensorpath::deploy
