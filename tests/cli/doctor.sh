#!/usr/bin/env bash
# doctor says what is there; the exit status tells whether something required is missing.
source "$(dirname "$0")/lib/check.bash"
unset TENSORPATH_DATA

run doctor
expect_status 0
expect_stdout "Ready: nothing required is missing."
for check in data catalog prices calibration manual "hugging face cache" "host compiler" \
  "cuda compiler" "cuda driver" operators "compiled operators" worker sanitizers sandbox; do
  expect_stdout "$check"
done

run doctor --format json
expect_status 0
expect_stdout '"schema": "tensorpath.doctor/v1"'
expect_stdout '"ready": true'

# What is absent says what it is needed for and how to mend it.
python3 - "$scratch/stdout" <<'PYTHON' || fail "expected a hint for everything that is absent"
import json, sys
checks = {c["name"]: c for c in json.load(open(sys.argv[1]))["checks"]}
for check in checks.values():
    assert check["state"] == "ok" or check["hint"], check
assert checks["sandbox"]["found"].startswith(("strict: ", "best-effort only: ")), checks["sandbox"]
PYTHON

# The same day gives the same answer; far in the future every price is old.
run doctor --today 2026-11-20
first=$stdout
run doctor --today 2026-11-20
[ "$stdout" = "$first" ] || fail "expected two runs to print the same"
run doctor --today 2099-01-01
expect_status 0
expect_stdout "older than 90 days"

# A catalog that does not read is missing, and the file is named.
mkdir -p "$scratch/data/gpus"
echo 'name: [broken' >"$scratch/data/gpus/broken.yaml"
run --data "$scratch/data" doctor
expect_status 3
expect_stdout "$scratch/data/gpus/broken.yaml:2:1"
expect_stdout "Not ready"

run --data "$scratch/absent" doctor
expect_status 3
expect_stdout "$scratch/absent"
run --data "$scratch/absent" doctor --format csv
grep -q '^data,MISSING,' "$scratch/stdout" || fail "expected the data row to say MISSING"
run --data "$scratch/absent" recommend data/workloads/support-chat.yaml
expect_status 3
expect_stderr "data directory '$scratch/absent' does not exist"

# The Hugging Face cache is where its variables say.
mkdir -p "$scratch/hub/models--acme--tiny"
HF_HUB_CACHE="$scratch/hub" run doctor
expect_stdout "1 model at $scratch/hub"

# Verifying needs the worker, which a copy of the command lacks.
mkdir "$scratch/bin"
cp "$(readlink -f "$TENSORPATH")" "$scratch/bin/tensorpath"
TENSORPATH=$scratch/bin/tensorpath run --data data doctor --format csv
grep -q '^worker,absent,' "$scratch/stdout" || fail "expected the worker to be absent"

finish
