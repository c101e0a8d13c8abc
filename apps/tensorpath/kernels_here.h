// The registries a command looks into, and this machine's toolchain that their entries are held
// against: what list-kernels and recommend share.
#pragma once

#include "command.h"

#include <optional>

#include <tensorpath/registry.h>

namespace tensorpath::cli {

// --registry, repeatable.
void add_registry_option(CLI::App& command, std::vector<std::string>& directories);

// Those of --registry, else $TENSORPATH_REGISTRY, else .tensorpath/kernels; then kernels/verified
// of the data directories.
[[nodiscard]] std::vector<std::string> registry_roots(const Session& session,
                                                      const std::vector<std::string>& directories);
// Entries that cannot be read are warned of; without `cases` theirs are left out. Error: a
// directory of --registry that is not there.
[[nodiscard]] Expected<registry::Registry> load_registry(
    const Session& session, const std::vector<std::string>& directories, bool cases);

// What there is to build and run kernels of a language for a GPU ("host" among them) on this
// machine; empty fields are not known here. The flags belong to a build and are never known.
[[nodiscard]] registry::Toolchain toolchain_here(const std::string& language,
                                                 const std::string& gpu);

// Asks the machine once for each kind of kernel there is.
class MachineNow {
 public:
  // Without operators their digests are not compared.
  explicit MachineNow(const Operators* operators) : operators_(operators) {}
  [[nodiscard]] registry::Now now_for(const registry::Entry& entry);
  [[nodiscard]] std::vector<std::string> stale(const registry::Entry& entry);

 private:
  const Operators* operators_;
  std::vector<std::pair<std::string, registry::Toolchain>> toolchains_;
};

}  // namespace tensorpath::cli
