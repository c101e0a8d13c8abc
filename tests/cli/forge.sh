#!/usr/bin/env bash
# forge create makes a run or names the mistake; forge verify says what a candidate is worth, and
# what it writes and prints holds nothing of the hidden cases before the ledger has its end.
source "$(dirname "$0")/lib/forge.bash"
runs=$TENSORPATH_RUNS
kernel=$silu
small=(--op silu --dtype fp32 --shape "rows=1..4,hidden=1..64")

json() { # EXPRESSION: of the document on standard output, as d
  python3 -c "import json, sys; d = json.load(open(sys.argv[1])); print(($1))" "$scratch/stdout" 2>&1
}
expect_json() { # EXPRESSION VALUE
  local value
  value=$(json "$1")
  [ "$value" = "$2" ] || fail "expected $1 to be $2, not $value"
}
events() { grep -o '"event":"[a-z_]*"' "$runs/$1/ledger.jsonl" | cut -d'"' -f4 | tr '\n' ' '; }
expect_events() { # ID EVENTS
  [ "$(events "$1")" = "$2 " ] || fail "expected the events $2, not $(events "$1")"
}
mistake() { # WHAT HINT OPTIONS...
  local what=$1 hint=$2
  shift 2
  run forge create "$@"
  expect_status 2
  expect_no_stdout
  expect_stderr "$what"
  expect_stderr "$hint"
}

# --- create -------------------------------------------------------------------------------------

command_line="32 times forge create at once"
pids=()
for i in {1..32}; do
  "$TENSORPATH" forge create -q "${small[@]}" >"$scratch/id$i" 2>&1 &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || fail "expected exit status 0"; done
[ "$(sort -u "$scratch"/id[0-9]* | wc -l)" -eq 32 ] || fail "expected 32 different ids"
[ "$(find "$runs" -mindepth 1 -maxdepth 1 | wc -l)" -eq 32 ] || fail "expected 32 runs and nothing else"

run forge create --op rmsnorm --dtype bf16 --shape rows=1..64,hidden=512 --attribute eps=1e-5 \
  --arch x86-64-v2 --format json
expect_status 0
expect_json 'd["op"], d["dtype"], d["language"], d["architecture"]' "('rmsnorm', 'bf16', 'cpp', 'x86-64-v2')"
expect_json 'd["shape"]' "{'rows': [1, 64], 'hidden': 512}"
id=$(json 'd["run_id"]')
for file in task.yaml contract.md include/task.h include/tensorpath_kernel.h ledger.jsonl; do
  [ -s "$runs/$id/$file" ] || fail "expected $file in the run"
done
grep -q 'eps: 1e-05' "$runs/$id/task.yaml" || fail "expected the attribute in the task"
expect_events "$id" "created"

# The id alone on standard output, what to do next on standard error.
run forge create "${small[@]}"
[[ $stdout =~ ^[0-9]{8}-[0-9]{6}-[0-9]{3}-[0-9a-z]{7}$ ]] || fail "expected a run id alone"
expect_stderr "forge verify --run-id $stdout"

# What create wrote, --spec reads.
command_line="forge create --spec - <task.yaml"
again=$("$TENSORPATH" forge create -q --spec - <"$runs/$id/task.yaml") || fail "expected exit status 0"
cmp -s "$runs/$id/task.yaml" "$runs/$again/task.yaml" || fail "expected the same task"

cat >"$scratch/captures.json" <<'EOF'
[{"op": "silu", "dtype": "fp32", "shape": {"rows": 2, "hidden": 48}, "count": 900},
 {"op": "silu", "dtype": "fp16", "shape": {"rows": 7, "hidden": 48}},
 {"op": "silu", "dtype": "fp32", "shape": {"rows": 4}, "count": 3}]
EOF
run forge create --op silu --dtype fp32 --shape hidden=48 --shapes "$scratch/captures.json" --format json
expect_status 0
expect_json 'd["shape"]' "{'rows': [2, 4], 'hidden': 48}"
grep -q 'weight: 900, dims: {hidden: 48, rows: 2}' "$runs/$(json 'd["run_id"]')/task.yaml" ||
  fail "expected the captured shape with its count"
mistake "a shape has rows = 4, and the task is about 1 to 3" "" --op silu --dtype fp32 \
  --shape hidden=48,rows=1..3 --shapes "$scratch/captures.json"
mistake "a shape has no hidden" "names each dim" --op silu --dtype fp32 --shape hidden=1..48 \
  --shapes "$scratch/captures.json"
mistake "has no shapes of gelu" "" --op gelu --shapes "$scratch/captures.json"
echo '[{"shape": {"rows": 1.5}}]' >"$scratch/captures.json"
mistake "captures.json: shape 1: rows is no integer" "" --op silu --shapes "$scratch/captures.json"
echo '[{' >"$scratch/captures.json"
mistake "captures.json:2:1: not valid JSON" "" --op silu --shapes "$scratch/captures.json"
mistake "absent.json" "" --op silu --shapes "$scratch/absent.json"

mistake "rmsnrom" "did you mean 'rmsnorm'?" --op rmsnrom
mistake "silu has no dim 'row'" "did you mean 'rows'?" --op silu --shape row=16
mistake "there is no type 'fp61'" "did you mean 'fp16'?" --op silu --dtype fp61
mistake "silu is not defined in int8" "one of: fp32, fp16, bf16" --op silu --dtype int8
mistake "rmsnorm has no attribute 'esp'" "did you mean 'eps'?" --op rmsnorm --attribute esp=1e-6
mistake "rmsnorm: eps cannot be nan" "one of:" --op rmsnorm --attribute eps=nan
mistake "there is no ISA level 'x86-64-v9'" "x86-64-v" --op silu --arch x86-64-v9
mistake "h200_sxn" "did you mean 'h200_sxm'?" --op silu --gpu h200_sxn
mistake "there is no architecture 'sm90'" "sm_90" --op silu --gpu h200_sxm --arch sm90
mistake "does not run on the host" "--gpu" --op silu --language cuda
mistake "runs on the host" "--language cuda" --op silu --language cpp --gpu h200_sxm
mistake "does not take 'cp'" "'cpp'" --op silu --language cp
mistake "silu: rows from 9 to 3 is no range" "smaller" --op silu --shape rows=9..3
mistake "silu: rows must lie between" "" --op silu --shape rows=0
mistake "silu: rows is given twice" "" --op silu --shape rows=1,rows=2
mistake "'many' is no size" "rows=1..64" --op silu --shape rows=many
mistake "'rows' is no dim" "name=value" --op silu --shape rows
mistake "neither --op nor --spec" "--op rmsnorm"
mistake "--spec" "" --op silu --spec x.yaml
mistake "--cases" "" --op silu --cases 0
mistake "x.yaml" "" --spec "$scratch/x.yaml"
printf 'op: silu\nshape: 5\nattributes: {eps: abc}\n' >"$scratch/wrong.yaml"
mistake "wrong.yaml:2:8: shape: expected a mapping" "wrong.yaml:3:19: attributes.eps: expected a number" \
  --spec "$scratch/wrong.yaml"
printf 'op: silu\nshapes:\n  - {dims: {rows: 2.5}}\ncasse: 3\n' >"$scratch/wrong.yaml"
mistake "shapes.rows: expected a number" "did you mean 'cases'?" --spec "$scratch/wrong.yaml"

run forge create --op silu --gpu h200_sxm --format json
expect_status 0
expect_json 'd["language"], d["architecture"]' "('cuda', 'sm_90')"

# --- where nothing can be written -----------------------------------------------------------------

run forge create "${small[@]}" --runs /proc/tensorpath-runs
expect_status 3
expect_no_stdout
if [ "$(id -u)" -ne 0 ]; then
  mkdir -m 555 "$scratch/readonly"
  run forge create "${small[@]}" --runs "$scratch/readonly"
  expect_status 3
  expect_stderr "$scratch/readonly"
fi
# No room: ulimit -f makes every write fail as a full disk does.
before=$(find "$runs" | sort)
(ulimit -f 0 && "$TENSORPATH" forge create "${small[@]}" 2>&1 </dev/null) | cat >"$scratch/stdout"
status=${PIPESTATUS[0]} command_line="ulimit -f 0; forge create" stdout=$(<"$scratch/stdout")
expect_status 3
expect_stdout "tensorpath: "
[ "$(find "$runs" | sort)" = "$before" ] || fail "expected nothing half-written"
mkdir "$scratch/full"
if mount -t tmpfs -o size=16k tmpfs "$scratch/full" 2>/dev/null; then
  run forge create "${small[@]}" --runs "$scratch/full"
  umount "$scratch/full"
  expect_status 3
  expect_stderr "No space left"
fi

# --- verify ---------------------------------------------------------------------------------------

new_run "$kernel" "${small[@]}" --cases 12
honest=$id
run forge verify --run-id "$id" --format json
expect_status 0
expect_json 'd["passed"], d["run_id"], d["attempt"]' "(True, '$id', 1)"
expect_json '[g["gate"] for g in d["gates"] if g["status"] == "passed"]' \
  "['contract', 'compile', 'object', 'smoke', 'holdout', 'steady', 'sanitize', 'cleanup']"
expect_json 'd["cases"]["compared"] == d["cases"]["committed"] >= 12' True
expect_json 'd["sandbox"]["level"]' namespaces
expect_json '"seed" in d' False
expect_events "$id" "created proposed compiled smoke_passed verified"
grep '"event":"verified"' "$runs/$id/ledger.jsonl" | grep -q '"seed":"[0-9a-f]\{64\}"' ||
  fail "expected the seed in the last line"
[ "$(grep -c '"seed"' "$runs/$id/ledger.jsonl")" -eq 1 ] || fail "expected the seed in no other line"
grep '"event":"proposed"' "$runs/$id/ledger.jsonl" | grep -q "$(json 'd["commitment"]')" ||
  fail "expected the commitment with the candidate"
cmp -s "$runs/$id/candidate/kernel.cpp" "$runs/$id/attempts/1/candidate/kernel.cpp" ||
  fail "expected the candidate to be kept"
[ -e "$runs/$id/attempts/1/build" ] && fail "expected nothing of the build to be left"

# By the last group of the id, and at whichever level this machine has, which is told.
run forge verify --run-id "${id##*-}" --no-sanitizers --sandbox best-effort
expect_status 0
expect_stdout "attempt 2: verified"
expect_stdout "sandbox: "
expect_stdout "sanitize was not run: switched off"
tail -n 1 "$runs/$id/ledger.jsonl" | grep -q '"not_run":\["sanitize"\]' ||
  fail "expected the ledger to say what was not run"
expect_stderr "holdout"
run forge verify -q --run-id "$id" --no-sanitizers --sandbox best-effort --format json
expect_no_stderr
expect_json 'd["sandbox"]["level"] in ("namespaces", "landlock", "limits")' True
expect_json 'len(d["sandbox"]["reason"]) > 0' True
compiler=$(g++ --version | head -n 1)
expect_json "d['toolchain'].startswith('$compiler -std=c++20 -march=')" True
expect_json 'd["resources"]' "[]"

# Who could not compile it is told too.
new_run "nonsense" "${small[@]}" --cases 12
run forge verify -q --run-id "$id" --no-sanitizers --format json
expect_status 1
expect_json 'd["failure_class"]' compile_error
expect_json "d['toolchain'].startswith('$compiler -std=c++20 -march=')" True

# Wrong on the public cases already: that one is shown.
new_run "${kernel/1.0F/1.1F}" "${small[@]}" --cases 12
run forge verify --run-id "$id" --no-sanitizers --format json
expect_status 1
expect_json 'd["passed"], d["failure_class"]' "(False, 'wrong_result')"
expect_json 'd["public_counter_examples"][0]["output"]' y
expect_json 'd["gates"][-2]["status"], d["gates"][-1]["status"]' "('not_run', 'passed')"
expect_events "$id" "created proposed compiled rejected"

# Wrong where no public case is: the class, and not one word of which case.
new_run "${kernel/= args/= args->hidden < 8 ? 7.0F : args}" "${small[@]}" --cases 12
run forge verify --run-id "$id" --no-sanitizers
expect_status 1
expect_stdout "wrong_result"
expect_stdout "attempt 1: rejected (wrong_result)"
seed=$(grep -o '"seed":"[0-9a-f]*"' "$runs/$id/ledger.jsonl" | cut -d'"' -f4)
[ ${#seed} -eq 64 ] || fail "expected the seed in the ledger"
[[ $stdout$stderr == *"$seed"* ]] && fail "expected no seed in what is printed"
[[ $stdout$stderr == *hidden=* ]] && fail "expected no hidden case in what is printed"
grep -rq "$seed\|hidden=" "$runs/$id/attempts" && fail "expected no hidden case in the report"
expect_events "$id" "created proposed compiled smoke_passed rejected"

# What is no candidate is an attempt all the same.
new_run '#include "/etc/passwd"' "${small[@]}"
run forge verify --run-id "$id"
expect_status 1
expect_stdout "forbidden_include"
expect_events "$id" "created proposed rejected"
ln -s /etc/passwd "$runs/$id/candidate/notes.md"
run forge verify --run-id "$id"
expect_status 1
expect_stdout "bad_candidate"
run forge verify --run-id "$id" --candidate "$scratch/absent"
expect_status 2
expect_stderr "$scratch/absent"

run forge verify --run-id 19990101-000000-000-0000000
expect_status 2
expect_no_stdout
expect_stderr "no run '19990101-000000-000-0000000'"
run forge verify --run-id "${id:0:4}"
expect_status 2
expect_stderr "may be any of"
run forge verify
expect_status 2
expect_stderr "--run-id"

# --- one at a time, and nothing told while it runs ------------------------------------------------

{
  cat "$runs/$id/task.yaml" | grep -v '^limits'
  echo 'limits: {call_s: 6}'
} >"$scratch/slow.yaml"
run forge create -q --spec "$scratch/slow.yaml"
expect_status 0
id=$stdout
echo '#include "task.h"
extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  volatile float* y = args->y;
  for (;;) y[0] = 1;
}' >"$runs/$id/candidate/kernel.cpp"
"$TENSORPATH" forge verify --run-id "$id" --no-sanitizers >"$scratch/first" 2>&1 </dev/null &
first=$!
for _ in {1..300}; do
  grep -q '"event":"compiled"' "$runs/$id/ledger.jsonl" && break
  sleep 0.1
done
run forge verify --run-id "$id"
expect_status 4
expect_stderr "is in use by verify (process $first)"
grep -rq '"seed"' "$runs/$id" && fail "expected no seed before the end"
grep -q '"event":"rejected"' "$runs/$id/ledger.jsonl" && fail "expected the first to be at work still"
status=0
wait "$first" || status=$?
expect_status 1
grep -q call_limit "$scratch/first" || fail "expected call_limit"

# --- what stops a verification before it begins ---------------------------------------------------

lines=$(wc -l <"$runs/$honest/ledger.jsonl")
cp "$runs/$honest/task.yaml" "$scratch/task.yaml"
echo '# harmless' >>"$runs/$honest/task.yaml"
run forge verify --run-id "$honest"
expect_status 2
expect_stderr "the task was changed"
cp "$scratch/task.yaml" "$runs/$honest/task.yaml"

(ulimit -f 0 && "$TENSORPATH" forge verify --run-id "$honest" 2>&1 </dev/null) | cat >"$scratch/stdout"
status=${PIPESTATUS[0]} command_line="ulimit -f 0; forge verify" stdout=$(<"$scratch/stdout")
expect_status 3

if [ "$(id -u)" -ne 0 ]; then
  chmod -R a-w "$runs/$honest"
  run forge verify --run-id "$honest"
  expect_status 3
  chmod -R u+w "$runs/$honest"
fi

# A copy of the command without its worker.
mkdir "$scratch/bin"
ln "$(readlink -f "$TENSORPATH")" "$scratch/bin/tensorpath" 2>/dev/null ||
  cp "$(readlink -f "$TENSORPATH")" "$scratch/bin/tensorpath"
TENSORPATH=$scratch/bin/tensorpath run --data data forge verify --run-id "$honest"
expect_status 3
expect_stderr "tensorpath-worker"
[ "$(wc -l <"$runs/$honest/ledger.jsonl")" -eq "$lines" ] || fail "expected no attempt of it"

finish
