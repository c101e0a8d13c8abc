#!/usr/bin/env bash
# forge bench times vendors' libraries beside our own kernels, and says why one is not there.
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
if [ "$(nproc)" -lt 2 ]; then
  run forge create -q --op matmul --dtype fp32
  run forge bench --run-id "$stdout"
  expect_status 2
  echo "one core: only the refusal was tried"
  exit 0
fi
absence='{a["name"]: a.get("absent") for a in d["plan"]["arms"]}'
samples='{a["arm"]: a["cold"]["samples"] > 0 for a in d["cases"][0]["arms"]}'

# --- a naive product is held against the libraries ------------------------------------------------

new_run "$(<"$kernels/baselines/matmul/naive/kernel.cpp")" --op matmul --dtype fp32 --cases 12 \
  --shape m=64,n=64,k=64 --attribute bias=1,activation=1
run forge verify -q --no-sanitizers --run-id "$id"
expect_status 0
run forge bench -q --run-id "$id" --threads 1 --rounds 10 --format json
expect_status 0
expect_json "$samples" "{'candidate': True, 'naive': True, 'tuned': True, 'openblas': True, 'onednn': True}"
expect_json "[a['arm'] for a in d['cases'][0]['arms'] if a['arm'] in ('openblas', 'onednn') and a['ratio'] is None]" "[]"
expect_json "d['cases'][0]['strongest_baseline'] in ('tuned', 'openblas', 'onednn')" True
expect_json "d['decision'] in ('SLOW', 'AMBIGUOUS')" True

# --- no library has it, or the library is not there -----------------------------------------------

without_shipped_kernels
installed=$scratch/prefix/share/tensorpath/kernels/baselines/matmul
mv "$installed/onednn" "$scratch/onednn"
run forge create -q --op matmul --dtype fp16 --cases 12 --shape m=16,n=16,k=16
id=$stdout
cp "$kernels/baselines/matmul/naive/kernel.cpp" "$runs/$id/candidate/"
run forge verify -q --no-sanitizers --run-id "$id"
expect_status 0
run forge bench -q --run-id "$id" --threads 1 --rounds 10 --format json
expect_status 0
expect_json "${absence}['openblas']" "OpenBLAS multiplies no matrices of this type into their own type"
expect_json "${absence}['onednn']" "it is not installed"

# As where its package is not there: the compiler finds no such header.
mv "$scratch/onednn" "$installed"
echo '#include <dnnl.hpp/none>' >"$installed/onednn/kernel.cpp"
run forge bench -q --run-id "$id" --threads 1 --rounds 10
expect_status 0
expect_stdout "no baseline onednn: libdnnl-dev is not installed"

# --- a candidate brings no baseline.yaml ----------------------------------------------------------

cp "$kernels/baselines/matmul/openblas/baseline.yaml" "$runs/$id/candidate/"
run forge verify -q --no-sanitizers --run-id "$id"
expect_status 1
expect_stdout "'baseline.yaml' has no business there"

finish
