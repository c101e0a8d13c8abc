#!/usr/bin/env bash
# forge bench times what passed every gate, refuses the rest, and a candidate that is right only
# while nobody times it is rejected.
source "$(dirname "$0")/lib/forge.bash"
runs=$TENSORPATH_RUNS

json() { # EXPRESSION: of the document on standard output, as d
  python3 -c "import json, sys; d = json.load(open(sys.argv[1])); print(($1))" "$scratch/stdout" 2>&1
}
expect_json() { # EXPRESSION VALUE
  local value
  value=$(json "$1")
  [ "$value" = "$2" ] || fail "expected $1 to be $2, not $value"
}
last_event() { tail -n 1 "$runs/$1/ledger.jsonl" | grep -o '"event":"[a-z_]*"' | cut -d'"' -f4; }
verified_run() { # source on stdin: sets id
  run forge create -q --op relu --dtype fp32 --shape rows=8,hidden=512
  expect_status 0
  id=$stdout
  cat >"$runs/$id/candidate/kernel.cpp"
  run forge verify -q --no-sanitizers --run-id "$id"
  expect_status 0
}
if [ "$(nproc)" -lt 2 ]; then
  run forge create -q --op relu --dtype fp32
  run forge bench --run-id "$stdout"
  expect_status 2
  echo "one core: only the refusal was tried"
  exit 0
fi

# --- what is not verified is not timed ------------------------------------------------------------

run forge create -q --op relu --dtype fp32 --shape rows=8,hidden=512
id=$stdout
run forge bench --run-id "$id"
expect_status 2
expect_no_stdout
expect_stderr "no attempt that passed every gate"
expect_stderr "forge verify comes first"
echo 'extern "C" int nothing;' >"$runs/$id/candidate/kernel.cpp"
run forge verify -q --run-id "$id"
expect_status 1
run forge bench --run-id "$id" --attempt 1
expect_status 2
expect_stderr "attempt 1: rejected (missing_entry): it cannot be timed"

# --- an honest kernel -----------------------------------------------------------------------------

verified_run <<'KERNEL'
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  const std::int64_t n = args->rows * args->hidden;
  for (std::int64_t i = 0; i < n; ++i) args->y[i] = args->x[i] < 0 ? 0.0F : args->x[i];
}
KERNEL
run forge bench --run-id "$id" --rounds 10 --threads 1 --format json
expect_status 0
expect_json 'd["decision"] in ("FAST", "SLOW", "SAME", "AMBIGUOUS")' True
expect_json 'd["rounds"], d["pairs"] >= 200' "(10, True)"
expect_json '[a["name"] for a in d["plan"]["arms"]][:2]' "['candidate', 'naive']"
expect_json 'd["checked_calls"] >= 90' True
expect_json 'd["cases"][0]["case"]' "rows=8 hidden=512"
expect_json 'd["cases"][0]["arms"][0]["cold"]["samples"] + d["dropped_pairs"] >= 200' True
expect_json 'd["environment"]["worker_cores"] != [d["environment"]["harness_core"]]' True
expect_json 'd["state"]' "attempt 1: verified and timed, not decided on"
[ "$(last_event "$id")" = benched ] || fail "expected the event benched"
samples=$runs/$id/attempts/1/bench-1/samples.bin
digest=$(sha256sum <"$samples" | cut -d' ' -f1)
grep -q "\"samples_digest\":\"$digest\"" "$runs/$id/ledger.jsonl" || fail "expected the samples' digest in the ledger"
[ -s "$runs/$id/attempts/1/bench-1/bench.json" ] || fail "expected bench.json"

# Again: beside the first, and as a table that fits a terminal.
COLUMNS=80 run forge bench --run-id "$id" --rounds 10 --threads 1
expect_status 0
[ -s "$runs/$id/attempts/1/bench-2/samples.bin" ] || fail "expected a second directory"
[ "$(wc -L <"$scratch/stdout")" -le 80 ] || fail "expected lines of at most 80 columns"

# What is timed is what was verified.
echo >>"$runs/$id/attempts/1/candidate/kernel.cpp"
run forge bench --run-id "$id" --rounds 10
expect_status 2
expect_stderr "is not what attempt 1 was given for"

# --- right only while nobody times it -------------------------------------------------------------

# In a timed call all buffers lie close together: a kernel may notice, and do nothing.
verified_run <<'KERNEL'
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  const auto gap = reinterpret_cast<std::intptr_t>(args->y) - reinterpret_cast<std::intptr_t>(args->x);
  if (gap > -(1 << 20) && gap < 1 << 20) return;
  const std::int64_t n = args->rows * args->hidden;
  for (std::int64_t i = 0; i < n; ++i) args->y[i] = args->x[i] < 0 ? 0.0F : args->x[i];
}
KERNEL
run forge bench -q --run-id "$id" --rounds 10 --format json
expect_status 1
expect_json 'd["failure_class"], d["decision"], d["promotion"]["carries"]' "('not_written', None, False)"
expect_json 'd["state"]' "attempt 1: rejected (not_written)"
[ "$(last_event "$id")" = rejected ] || fail "expected the event rejected"

# It finds the mailbox of the timed calls and says that all of them are done before it begins.
verified_run <<'KERNEL'
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  const auto gap = reinterpret_cast<std::intptr_t>(args->y) - reinterpret_cast<std::intptr_t>(args->x);
  if (gap > -(1 << 20) && gap < 1 << 20) {
    auto page = reinterpret_cast<std::uintptr_t>(args->x) & ~std::uintptr_t{4095};
    // The first page: a number of requests, one more than are done, and few slots.
    for (;; page -= 4096) {
      auto* box = reinterpret_cast<volatile std::uint64_t*>(page);
      if (box[0] > 0 && box[0] < 1000000 && box[1] < box[0]) {
        box[1] = box[0];
        break;
      }
      if (box[0] > 0 && box[0] < 1000000 && box[1] == box[0]) break;
    }
  }
  const std::int64_t n = args->rows * args->hidden;
  for (std::int64_t i = 0; i < n; ++i) args->y[i] = args->x[i] < 0 ? 0.0F : args->x[i];
}
KERNEL
run forge bench -q --run-id "$id" --rounds 10 --format json
expect_status 1
expect_json 'd["failure_class"]' not_written

# It crashes there.
verified_run <<'KERNEL'
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  const auto gap = reinterpret_cast<std::intptr_t>(args->y) - reinterpret_cast<std::intptr_t>(args->x);
  if (gap > -(1 << 20) && gap < 1 << 20) __builtin_trap();
  const std::int64_t n = args->rows * args->hidden;
  for (std::int64_t i = 0; i < n; ++i) args->y[i] = args->x[i] < 0 ? 0.0F : args->x[i];
}
KERNEL
run forge bench -q --run-id "$id" --rounds 10 --format json
expect_status 1
expect_json 'd["failure_class"]' crash

finish
