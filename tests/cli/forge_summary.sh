#!/usr/bin/env bash
# forge summary: all runs and how they ended, failures among them.
source "$(dirname "$0")/lib/check.bash"
source_tree=$(cd "$(dirname "$0")/../.." && pwd)
cd "$scratch" || exit 1
runs=$scratch/runs

run forge summary --runs "$runs"
expect_status 0
expect_stdout "0 runs with a candidate, 0 of them timed"

run forge create -q --op relu --shape rows=1..8,hidden=64 --arch x86-64 --runs "$runs"
id=$stdout
mkdir candidate
sed 's/> 0/< 0/' "$source_tree/kernels/baselines/relu/naive/kernel.cpp" >candidate/kernel.cpp
cmp -s candidate/kernel.cpp "$source_tree/kernels/baselines/relu/naive/kernel.cpp" &&
  echo 'not C++' >candidate/kernel.cpp
run forge verify --run-id "$id" --runs "$runs" --candidate candidate --sandbox best-effort \
  --no-sanitizers -q
expect_status 1
run forge summary --runs "$runs"
expect_status 0
expect_stdout "$id"
expect_stdout "rejected"
expect_stdout "1 run with a candidate, 0 of them timed"
expect_stdout "above 1: 0%"
run forge summary --runs "$runs" --op softmax
expect_stdout "0 runs with a candidate"
run forge summary --runs "$runs" --format json
expect_status 0
python3 - "$scratch/stdout" <<'PY' || fail "expected one rejected run in the distribution"
import json, sys
d = json.load(open(sys.argv[1]))
assert [r["state"] for r in d["runs"]] == ["rejected"]
assert d["distribution"]["runs"] == 1 and d["distribution"]["geomean"] is None
assert d["distribution"]["shares"][0] == {"above": 1, "share": 0}
PY

finish
