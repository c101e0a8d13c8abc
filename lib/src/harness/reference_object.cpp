#include "reference_object.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace tensorpath {
namespace {

// In a portable build the C++ runtime is linked in, and its part of the unwinder is set up by its
// first own exception. Without that, one that a reference throws through its runtime aborts here.
void set_up_unwinder() {
  try {
    throw 0;
  } catch (int) {
  }
}

}  // namespace

Expected<const reference::Entry*> open_reference(const std::string& path, const std::string& op) {
  set_up_unwinder();
  void* object = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (object == nullptr) {
    const char* reason = ::dlerror();
    return fail(ExitCode::kEnvironment, fmt::format("cannot load the reference of {}: {}", op,
                                                    reason == nullptr ? "" : reason));
  }
  const auto refuse = [&](std::string_view what, std::string hint) {
    ::dlclose(object);
    return fail(ExitCode::kUsage, fmt::format("the reference of {} {}", op, what), std::move(hint));
  };
  // Before anything else of it is read: only this tells that the rest is what it looks like.
  const auto* layout =
      static_cast<const std::uint64_t*>(::dlsym(object, ("tensorpath_layout_" + op).c_str()));
  const auto* entry =
      static_cast<const reference::Entry*>(::dlsym(object, ("tensorpath_reference_" + op).c_str()));
  if (layout == nullptr || entry == nullptr) {
    return refuse("registers nothing of that name",
                  fmt::format("end it with TENSORPATH_REFERENCE({}), outside every namespace", op));
  }
  if (*layout != reference::kLayout) {
    return refuse("was built against headers of another tensorpath", "have it compiled anew");
  }
  return entry;
}

}  // namespace tensorpath
