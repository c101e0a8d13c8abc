# shellcheck shell=bash
# What the tests of forge share: runs and compiled operators in the scratch directory, operators of
# the source tree, and a right kernel for silu.
source "$(dirname "${BASH_SOURCE[0]}")/check.bash"

export TENSORPATH_RUNS=$scratch/runs XDG_CACHE_HOME=$scratch/cache
unset TENSORPATH_DATA
# shellcheck disable=SC2034 # for those who source this
{
  cache=$XDG_CACHE_HOME/tensorpath/ops
  example=$TENSORPATH_SOURCE_DIR/tests/data/operators
  kernels=$TENSORPATH_SOURCE_DIR/kernels
  silu='#include "task.h"
#include <cmath>
extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i)
    args->y[i] = args->x[i] / (1.0F + std::exp(-args->x[i]));
}'
}

new_run() { # SOURCE OPTIONS...: sets id
  local source=$1
  shift
  run forge create -q "$@"
  expect_status 0
  id=$stdout
  printf '%s\n' "$source" >"$TENSORPATH_RUNS/$id/candidate/kernel.cpp"
}
