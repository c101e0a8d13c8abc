// y = the rows of table that ids name.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void embedding(const Call& call) {
  const Tensor& ids = call.input("ids");
  const Tensor& table = call.input("table");
  const Output& y = call.output("y");
  const std::int64_t hidden = call.dim("hidden");
  for (std::int64_t token = 0; token < ids.size; ++token) {
    for (std::int64_t i = 0; i < hidden; ++i) {
      y.move(token * hidden + i, table, ids.integer(token) * hidden + i);
    }
  }
}

}  // namespace

TENSORPATH_REFERENCE(embedding)
