#!/usr/bin/env bash
# forge promote refuses with a reason what the ledger or the times do not carry, and publishes the rest
# with a packet that replays. Whether the last one wins is this machine's word, not the test's.
source "$(dirname "$0")/lib/forge.bash"
without_shipped_kernels
runs=$TENSORPATH_RUNS
export TENSORPATH_REGISTRY=$scratch/kernels

json() { # EXPRESSION: of the document on standard output, as d
  python3 -c "import json, sys; d = json.load(open(sys.argv[1])); print(($1))" "$scratch/stdout" 2>&1
}
expect_json() { # EXPRESSION VALUE
  local value
  value=$(json "$1")
  [ "$value" = "$2" ] || fail "expected $1 to be $2, not $value"
}
last_event() { tail -n 1 "$runs/$1/ledger.jsonl" | grep -o '"event":"[a-z_]*"' | cut -d'"' -f4; }

# --- too early ------------------------------------------------------------------------------------

new_run "$silu" --op silu --dtype fp32 --shape rows=4,hidden=256
run forge promote --run-id "$id"
expect_status 2
expect_no_stdout
expect_stderr "no attempt that passed every gate"
run forge verify -q --no-sanitizers --run-id "$id"
expect_status 0
run forge promote --run-id "$id"
expect_status 2
expect_stderr "not timed: it is too early"
expect_stderr "forge bench comes first"
run forge promote --run-id "$id" --attempt 2
expect_status 2
expect_stderr "no attempt 2"
run forge promote --run-id "$id" --sign "$scratch/none.pem"
expect_status 2
expect_stderr "none.pem"
if [ "$(nproc)" -lt 2 ]; then
  echo "one core: only the refusals without a measurement were tried"
  finish
  exit 0
fi

# --- a gate was left out --------------------------------------------------------------------------

run forge bench -q --run-id "$id" --threads 1 --rounds 10
expect_status 0
run forge promote --run-id "$id" --threads 1 --rounds 10
expect_status 1
expect_stdout "attempt 1: verified and timed, promotion refused"
expect_stdout 'refused: gates were left out: ["sanitize"]'
expect_no_stderr
[ "$(last_event "$id")" = refused ] || fail "expected the event refused"
[ ! -e "$TENSORPATH_REGISTRY" ] || fail "expected no registry"
run replay "$runs/$id/attempts/1/packet"
expect_status 0
expect_stdout "promotion refused"

# --- every gate, and a measurement anew -----------------------------------------------------------

run forge create -q --op dequant_int4 --dtype fp16 --shape k=512,n=256
id=$stdout
cp "$kernels/examples/dequant_int4/kernel.cpp" "$runs/$id/candidate/"
run forge verify -q --run-id "$id"
expect_status 0
run forge bench -q --run-id "$id" --threads 1 --rounds 10
expect_status 0
run forge promote --run-id "$id" --threads 1 --rounds 10 --format json
[ "$status" -le 1 ] || fail "expected a decision, not status $status: $stderr"
expect_json 'd["measurements"]' 1
expect_json 'd["timing"]["checked_calls"] >= 90' True
expect_json '(d["reason"] is None) == d["promoted"]' True
grep -q '"purpose":"promotion"' "$runs/$id/ledger.jsonl" || fail "expected a measurement for the promotion"
packet=$(json 'd["packet"]')
entry=$(json 'd["entry"]')
if [ "$status" -eq 1 ]; then
  echo "not promoted here: $(json 'd["reason"]')"
  [ "$(last_event "$id")" = refused ] || fail "expected the event refused"
  expect_json 'd["entry"]' None
  run list-kernels --format json
  expect_json 'len(d["kernels"])' 0
else
  [ "$(last_event "$id")" = promoted ] || fail "expected the event promoted"
  [ "$entry" = cpp_dequant_int4_host_fp16_512x256x128_v1 ] || [ -d "$TENSORPATH_REGISTRY/dequant_int4/$entry" ] ||
    fail "expected a directory for the entry $entry"
  run list-kernels --explain "$entry"
  expect_status 0
  run replay "$TENSORPATH_REGISTRY/dequant_int4/$entry/packet"
  expect_status 0
  run forge promote -q --run-id "$id"
  expect_status 0
  expect_stdout "$entry"
  [ "$(find "$TENSORPATH_REGISTRY" -name entry.json | wc -l)" -eq 1 ] || fail "expected one entry"
fi
run replay "$packet"
expect_status 0

finish
