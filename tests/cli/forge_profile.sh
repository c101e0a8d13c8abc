#!/usr/bin/env bash
# forge profile keeps apart what calls a kernel, what the machine did and what the compiler emitted,
# and says what was not measured.
source "$(dirname "$0")/lib/check.bash"
source_tree=$(cd "$(dirname "$0")/../.." && pwd)
cd "$scratch" || exit 1
runs=$scratch/runs

run forge create -q --op relu --shape rows=1..8,hidden=64 --arch x86-64 --runs "$runs"
id=$stdout
run forge profile --run-id "$id" --runs "$runs"
expect_status 2
expect_stderr "no attempt yet"

mkdir candidate
cp "$source_tree/kernels/baselines/relu/naive/kernel.cpp" candidate/
echo 'expects: [amx]' >candidate/plan.yaml
run forge verify --run-id "$id" --runs "$runs" --candidate candidate --sandbox best-effort \
  --no-sanitizers -q
expect_status 0
expect_stdout "expected_code_absent: amx"
run forge profile --run-id "$id" --runs "$runs"
expect_status 0
for words in "framework" "uses_pool" "emitted code" "families" "expected_code_absent" \
  "not measured" "tensorpath forge bench makes one"; do
  expect_stdout "$words"
done
run forge profile --run-id "$id" --runs "$runs" --format json
expect_status 0
python3 - "$scratch/stdout" <<'PY' || fail "expected the sections apart"
import json, sys
d = json.load(open(sys.argv[1]))
assert d["attempt"] == 1 and d["runtime"] == []
names = [f["finding"] for f in d["emitted_code"]]
assert names == ["families", "expected_code_absent"], names
assert d["emitted_code"][1]["value"] == ["amx"]
assert all(gap["why"] for gap in d["not_measured"])
PY
run forge profile --run-id "$id" --runs "$runs" --attempt 7
expect_status 2

finish
