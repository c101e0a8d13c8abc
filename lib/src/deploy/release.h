// What one engine release understands, read from data/engines/<engine>/<release>: the mapping from
// plan fields to arguments, the lists of arguments, and script templates. A new release is a
// folder. Loading refuses a mapping that names an argument its release does not have, whatever the
// plan.
#pragma once

#include "flag_list.h"
#include "rules.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <tensorpath/base/error.h>

namespace tensorpath::deploy {

// flag = template, under conditions. `variable` prints "$NAME" of the script instead of a value.
struct ArgumentRule {
  std::string flag;
  std::string value;     // a template; empty for a switch
  std::string variable;  // of the script, instead of a value
  std::string suffix;    // after the variable
  bool split = false;    // the value is several words
  std::vector<Condition> when;
  SourceLocation where;
};

// A table from a fact to a word of the engine: kv_cache_dtype of kv_format.
struct ValueTable {
  std::string of;
  std::map<std::string, std::string> values;
  SourceLocation where;
};

// A command with its arguments, all of them in `flags`.
struct CommandMapping {
  std::vector<std::string> command;
  std::string positional;  // a template, before the flags; may be empty
  FlagList flags;
  std::vector<ArgumentRule> arguments;
};

struct ConfigMapping {
  enum class Style { kNone, kYaml, kNestedYaml, kEnvironment };

  Style style = Style::kNone;
  std::string file;  // name in the export
  std::string flag;  // the argument that takes it; empty for environment files
  FlagList flags;
  std::vector<ArgumentRule> settings;
};

struct DynamoMapping {
  std::string release;
  std::string bundles;  // the engine and release inside its image
  std::string image;
  std::vector<std::string> frontend_command;
  std::vector<ArgumentRule> frontend_arguments;
  FlagList frontend_flags;
  CommandMapping worker;
};

struct ReleaseMapping {
  std::string engine;
  std::string release;
  std::string directory;
  std::map<std::string, ValueTable> tables;
  std::vector<Guarded> images;    // the first that holds
  std::vector<Guarded> refusals;  // plans the release cannot run, with the reason
  std::vector<Guarded> notes;     // for the page: attention backend, what to watch
  std::vector<std::pair<std::string, Guarded>> environment;  // NAME, value
  std::vector<std::string> online_formats;  // quantised while loading, from the original weights
  CommandMapping serve;
  std::string container_program;  // where the image has it, when that is not the first word
  int port = 8000;
  std::string health = "/health";
  bool probe_with_curl = false;       // the image has curl; else it has python3
  bool gguf_weights = false;          // runs GGUF files, not Hugging Face checkpoints
  bool arguments_span_nodes = false;  // every node runs the same command with its rank
  ConfigMapping config;
  CommandMapping bench;
  std::string bench_result;  // vllm | sglang | batched: how measured.csv is made from its output
  std::optional<DynamoMapping> dynamo;

  // "vllm 0.24.0"
  [[nodiscard]] std::string label() const { return engine + " " + release; }
};

// Errors: no such release (with the releases there are), and anything wrong in its files.
[[nodiscard]] Expected<ReleaseMapping> load_release(
    const std::vector<std::string>& data_directories, const std::string& engine,
    const std::string& release);

// templates/NAME of the release; nullopt when it has none.
[[nodiscard]] Expected<std::optional<std::string>> read_template(const ReleaseMapping& mapping,
                                                                 const std::string& name);

// One argument of a command line or one key of a configuration file, checked.
struct Setting {
  const FlagSpec* flag = nullptr;
  std::string name;  // as the mapping spells it
  std::string value;
  Json typed;
  std::string variable;
  std::string suffix;
  bool split = false;
};

// The rules that hold, in the mapping's order, their values checked against the list.
[[nodiscard]] Expected<std::vector<Setting>> apply_rules(const std::vector<ArgumentRule>& rules,
                                                         const FlagList& flags, const Facts& facts,
                                                         const ReleaseMapping& mapping);
// The text of the first that holds; empty when none does.
[[nodiscard]] Expected<std::string> first_text(const std::vector<Guarded>& texts,
                                               const Facts& facts);
// Adds the facts that the mapping's tables give. A value the table lacks is no fact: a rule that
// needs it fails with the values that the table has.
void add_table_facts(const ReleaseMapping& mapping, Facts& facts);

}  // namespace tensorpath::deploy
