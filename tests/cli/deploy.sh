#!/usr/bin/env bash
# tensorpath deploy: what is written starts, with the argv that the plan means, whatever its names hold.
set -euo pipefail

tp=${TENSORPATH:?}
root=${TENSORPATH_SOURCE_DIR:-$PWD}
plans=$root/tests/data/plans
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAIL: $*" >&2; exit 1; }

# Stub engines print their argv, one word a line, and keep the environment that matters.
mkdir "$work/bin"
for name in vllm trtllm-serve llama-server python3; do
  cat > "$work/bin/$name" <<'STUB'
#!/bin/sh
printf '%s\n' "$(basename "$0")" "$@"
env | grep '^LLAMA_ARG_' | sort || true
STUB
  chmod +x "$work/bin/$name"
done

echo "-- every plan is written, and every script is a script"
for plan in "$plans"/*.json; do
  for rank in 1 2 3 4 5; do
    grep -q "\"rank\": $rank," "$plan" || continue
    out=$work/all/$(basename "$plan" .json)-$rank
    "$tp" deploy "$plan" --rank "$rank" --out "$out" > /dev/null || fail "$plan rank $rank"
    for script in "$out"/*.sh; do
      bash -n "$script" || fail "$script does not parse"
      [ -x "$script" ] || fail "$script is not executable"
    done
  done
done

echo "-- a hostile path reaches the engine as one word, and runs nothing"
model=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["plans"][0]["model"])' "$plans/hostile_path.json")
for rank in 1 2 3 4; do
  out=$work/all/hostile_path-$rank
  (cd "$work" && PATH="$work/bin:$PATH" "$out/serve.sh" --further "a b") > "$work/argv"
  grep -qxF -- "$model" "$work/argv" || fail "rank $rank: argv was: $(cat "$work/argv")"
  grep -qxF -- "a b" "$work/argv" || fail "further arguments are lost"
done
(cd "$work" && PATH="$work/bin:$PATH" "$work/all/hostile_path-1/bench.sh" load) > "$work/argv"
grep -qxF -- "$model" "$work/argv" || fail "bench argv was: $(cat "$work/argv")"
[ -z "$(find "$work" -name pwned)" ] || fail "a command in a model's name was run"

echo "-- serve.sh passes the configuration beside it"
(cd / && PATH="$work/bin:$PATH" HF_TOKEN=x "$work/all/dense_fp8_vllm-1/serve.sh") > "$work/argv"
[ "$(head -n 3 "$work/argv" | tail -n 1)" = RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8 ] ||
  fail "argv: $(cat "$work/argv")"
grep -qx -- "--config" "$work/argv" || fail "no --config in: $(cat "$work/argv")"
PATH="$work/bin:$PATH" "$work/all/q4_llama_cpp_cpu-1/serve.sh" > "$work/argv"
grep -qx 'LLAMA_ARG_CTX_SIZE=8192' "$work/argv" || fail "llama.env is not read: $(cat "$work/argv")"

echo "-- a gated model asks for its token; missing weights ask for quantise.sh"
if HF_TOKEN='' PATH="$work/bin:$PATH" "$work/all/dense_fp8_vllm-1/serve.sh" 2> "$work/err"; then
  fail "started without HF_TOKEN"
fi
grep -q "HF_TOKEN" "$work/err" || fail "no word of HF_TOKEN: $(cat "$work/err")"
code=0
HF_TOKEN=x PATH="$work/bin:$PATH" "$work/all/awq_self_quantised-1/serve.sh" 2> "$work/err" || code=$?
[ $code = 3 ] && grep -q "run ./quantise.sh first" "$work/err" || fail "exit $code: $(cat "$work/err")"

echo "-- bench.sh closed adds a row that validate can read"
out=$work/all/dense_fp8_vllm-1
cat > "$work/vllm" <<'STUB'
#!/bin/sh
echo '{"mean_ttft_ms": 123.5, "mean_tpot_ms": 17.25}' > "$RESULT"
STUB
mkdir "$work/measure" && mv "$work/vllm" "$work/measure/vllm" && chmod +x "$work/measure/vllm"
PATH="$work/measure:$PATH" "$out/bench.sh" closed > /dev/null
tail -n 1 "$out/measured.csv" | grep -q '^llama-3.1-8b,l40s,1,vllm,0.24.0,fp8,1,1,1,20,.*,1.0,123.5,17.25,' ||
  fail "row: $(cat "$out/measured.csv")"

echo "-- a directory with something in it is kept"
code=0
"$tp" deploy "$plans/mi300x_vllm.json" --out "$out" > /dev/null 2> "$work/err" || code=$?
[ $code = 2 ] && grep -q -- "--force" "$work/err" || fail "exit $code: $(cat "$work/err")"
"$tp" deploy "$plans/mi300x_vllm.json" --out "$out" --force > /dev/null
[ ! -e "$out/measured.csv" ] || fail "--force kept old files"

echo "-- standard input, one file, lists"
"$tp" deploy - --print vllm.yaml < "$plans/dense_fp8_vllm.json" | grep -qx 'kv-cache-dtype: fp8' ||
  fail "--print"
(cd "$work" && "$tp" deploy "$plans/mi300x_vllm.json" --format json) > "$work/list.json"
python3 - "$work/list.json" "$work" <<'PYTHON' || fail "list: $(cat "$work/list.json")"
import json, os, sys
listed = json.load(open(sys.argv[1]))
assert listed["directory"] == "deploy", listed
for file in listed["files"]:
    path = os.path.join(sys.argv[2], file["path"])
    assert os.path.getsize(path) == file["bytes"], path
PYTHON

echo "-- what is wrong is named, with exit 2"
expect() {
  local text=$1 code=0
  shift
  "$tp" deploy "$@" > /dev/null 2> "$work/err" || code=$?
  [ $code = 2 ] || fail "exit $code for: $*: $(cat "$work/err")"
  grep -qF -- "$text" "$work/err" || fail "expected '$text' for: $*; saw: $(cat "$work/err")"
}
expect "no plan of rank 9" "$plans/mi300x_vllm.json" --rank 9 --out "$work/x"
expect "known: 0.24.0" "$plans/mi300x_vllm.json" --engine-release 1.0 --out "$work/x"
expect "did you mean 'vllm.yaml'?" "$plans/mi300x_vllm.json" --print vlm.yaml
mkdir -p "$work/data/engines/vllm"
cp -R "$root/data/engines/vllm/0.24.0" "$work/data/engines/vllm/"
sed -i 's/--kv-cache-dtype/--kv-cache-dtyp/' "$work/data/engines/vllm/0.24.0/mapping.yaml"
expect "did you mean '--kv-cache-dtype'?" --data "$work/data" "$plans/mi300x_vllm.json" --out "$work/x"
[ ! -e "$work/x" ] || fail "a refused export wrote something"

echo "-- a kill leaves all or nothing"
for delay in 0.002 0.005 0.01 0.02 0.03 0.05 0.08; do
  rm -rf "$work/killed"
  mkdir "$work/killed"
  "$tp" deploy "$plans/dense_fp8_vllm.json" --out "$work/killed/out" > /dev/null 2>&1 &
  job=$!
  sleep $delay
  kill -9 $job 2> /dev/null || true
  wait $job 2> /dev/null || true
  [ ! -e "$work/killed/out" ] || [ "$(find "$work/killed/out" -type f | wc -l)" = 9 ] ||
    fail "half an export after $delay s: $(ls -R "$work/killed/out")"
done
echo "ok"
