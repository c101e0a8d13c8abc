#!/usr/bin/env bash
# --ops DIR: an operator from outside is its two files. It is compiled in the sandbox and checked
# once, and stands in for a built-in one.
source "$(dirname "$0")/lib/forge.bash"
# $example has both files as tensorpath-operator(5) shows them; unit_manual_operator holds the page
# to that.
small=(--dtype fp32 --shape "rows=1..4,hidden=1..64" --cases 12)
kernel='#include "task.h"
#include <cmath>
extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t row = 0; row < args->rows; ++row) {
    const float* x = args->x + row * args->x_stride;
    float sum = 0;
    for (std::int64_t i = 0; i < args->hidden; ++i) sum += x[i] * x[i];
    float length = std::sqrt(sum);
    if (length < static_cast<float>(args->eps)) length = static_cast<float>(args->eps);
    for (std::int64_t i = 0; i < args->hidden; ++i) args->y[row * args->y_stride + i] = x[i] / length;
  }
}'

verify() { # STATUS OPTIONS...
  local wanted=$1
  shift
  run forge verify -q --run-id "$id" --no-sanitizers "$@"
  expect_status "$wanted"
}
objects() { find "$cache" -name "$1-*.so" 2>/dev/null; }
expect_tidy() { [ -z "$(find "$cache" -name '.*')" ] || fail "expected no build to be left in the cache"; }

# --- the example of the manual ---------------------------------------------------------------------

run forge create --op l2_normalize "${small[@]}"
expect_status 2
expect_stderr "there is no operator 'l2_normalize'"
[ -e "$cache" ] && fail "expected no cache where nothing was compiled"

new_run "$kernel" --ops "$example" --op l2_normalize "${small[@]}"
verify 0 --ops "$example"
expect_stdout "attempt 1: verified"
object=$(objects l2_normalize)
[ -s "$object" ] || fail "expected one object in the cache"
identity=$(stat -c '%i %y' "$object")
expect_tidy
new_run "${kernel/std::sqrt(sum)/std::sqrt(1.1F * sum)}" --ops "$example" \
  --op l2_normalize "${small[@]}"
verify 1 --ops "$example"
expect_stdout "wrong_result"
run forge create --ops "$example" --op l2_normalize "${small[@]}"
[[ $stderr == *compiling* ]] && fail "expected nothing to be compiled again"
umask 002
run forge create -q --ops "$example" --op l2_normalize "${small[@]}"
expect_status 0
umask 022
[ "$(stat -c '%i %y' "$object")" = "$identity" ] || fail "expected the object to be left as it was"

# Without the directory, or with other files in it, there is no verdict.
verify 2
expect_stderr "task.yaml: there is no operator 'l2_normalize'"
expect_stderr "--ops DIR"
mkdir "$scratch/changed"
cp "$example"/l2_normalize.* "$scratch/changed"
echo "// Another text, another operator." >>"$scratch/changed/l2_normalize.cpp"
run forge verify --run-id "$id" --no-sanitizers --ops "$scratch/changed"
expect_status 2
expect_stderr "compiling and checking the operator l2_normalize"
expect_stderr "$scratch/changed/l2_normalize.yaml is not the one this task was made for"
expect_stderr "create the run anew"
[ "$(objects l2_normalize | wc -l)" -eq 2 ] || fail "expected the changed file to be compiled anew"
# Of equal names the first directory wins.
verify 1 --ops "$example" --ops "$scratch/changed"
verify 2 --ops "$scratch/changed" --ops "$example"

# --- in the place of a built-in operator -----------------------------------------------------------

mkdir "$scratch/own"
cp "$kernels/ops/silu.yaml" "$scratch/own"
sed 's/exp(-x)/exp(-x - x)/' "$kernels/reference/silu.cpp" >"$scratch/own/silu.cpp"
new_run "$silu" --ops "$scratch/own" --op silu "${small[@]}"
verify 1 --ops "$scratch/own"
expect_stdout "wrong_result"
printf '%s\n' "${silu/exp(-args->x\[i\])/exp(-2 * args->x[i])}" >"$TENSORPATH_RUNS/$id/candidate/kernel.cpp"
verify 0 --ops "$scratch/own"
verify 2
expect_stderr "silu.yaml is not the one this task was made for"
expect_stderr "--ops DIR"
# The others are still there.
run forge create -q --ops "$scratch/own" --op relu "${small[@]}"
expect_status 0

# --- the cache -------------------------------------------------------------------------------------

# In one type, which is checked sooner.
mkdir "$scratch/one"
sed 's/^dtypes: .*/dtypes: [fp32]/' "$example/l2_normalize.yaml" >"$scratch/one/l2_normalize.yaml"
cp "$example/l2_normalize.cpp" "$scratch/one"
create() { run forge create -q --ops "$scratch/one" --op l2_normalize "${small[@]}"; }
rm -rf "$cache"
create
object=$(objects l2_normalize)
identity=$(stat -c '%i %y' "$object")
chmod 620 "$object"
create
expect_status 0
[ "$(stat -c '%i %y' "$object")" != "$identity" ] || fail "expected an object that others may write to be made anew"
[ "$(stat -c %a "$object")" = 600 ] || fail "expected the object to be its owner's alone"
chmod 777 "$cache"
create
expect_status 3
expect_no_stdout
expect_stderr "others may write to '$cache'"
expect_stderr "chmod go-w $cache"
run doctor --format csv
expect_stdout "compiled operators,absent,"
chmod 700 "$cache"
run doctor --format csv
expect_stdout "compiled operators,ok,"
XDG_CACHE_HOME=/proc/nowhere create
expect_status 3
expect_no_stdout
command_line="forge create --ops without HOME"
(unset HOME XDG_CACHE_HOME && "$TENSORPATH" forge create --ops "$example" --op l2_normalize) \
  >"$scratch/stdout" 2>"$scratch/stderr"
status=$? stderr=$(<"$scratch/stderr")
expect_status 3
expect_stderr "set HOME, or XDG_CACHE_HOME"
# A relative XDG_CACHE_HOME is none.
HOME=$scratch/home XDG_CACHE_HOME=cache create
expect_status 0
[ -n "$(ls "$scratch"/home/.cache/tensorpath/ops/l2_normalize-*.so)" ] || fail "expected ~/.cache to be used"

# Several at once, and one that is killed on the way.
rm -rf "$cache"
command_line="3 times forge create --ops at once"
pids=()
for i in 1 2 3; do
  "$TENSORPATH" forge create -q --ops "$scratch/one" --op l2_normalize >"$scratch/at_once$i" 2>&1 &
  pids+=($!)
done
for i in 1 2 3; do
  wait "${pids[i - 1]}" && continue
  stderr=$(<"$scratch/at_once$i")
  fail "expected exit status 0"
done
[ "$(objects l2_normalize | wc -l)" -eq 1 ] || fail "expected one object"
expect_tidy
rm -rf "$cache"
command_line="forge create --ops, killed"
"$TENSORPATH" forge create -q --ops "$scratch/one" --op l2_normalize >/dev/null 2>&1 &
pid=$!
until compgen -G "$cache/.building-*" >/dev/null || ! kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
kill -9 "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
[ -z "$(objects l2_normalize)" ] || fail "expected nothing half-made in the cache"
create
expect_status 0
expect_tidy

finish
