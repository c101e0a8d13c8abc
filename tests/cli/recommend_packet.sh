#!/usr/bin/env bash
# recommend --packet writes what replay comes to again from the workload and the data, and a changed
# plan, other data and a number that nothing carries are told apart.
source "$(dirname "$0")/lib/check.bash"
chat=data/workloads/support-chat.yaml

expect_verdict() { # VERDICT PACKET
  local found
  run replay --format json "$2"
  found=$(python3 -c "import json, sys; print(json.load(open(sys.argv[1]))['packets'][0]['verdict'])" "$scratch/stdout")
  [ "$found" = "$1" ] || fail "expected the verdict $1, not $found"
}

run recommend -q "$chat" --top 3 --prefer-engine vllm --priority latency --packet "$scratch/one"
expect_status 0
cmp -s "$chat" "$scratch/one/workload.yaml" || fail "expected the workload as it was given"
expect_verdict REPRODUCED "$scratch/one"
run replay "$scratch/one"
expect_status 0
expect_stdout "3 plans for 'support-chat'"
run recommend -q "$chat" --packet "$scratch/one"
expect_status 2
expect_stderr "is there already"

# Many at once, without a name of their own, by flags, with prices, and where nothing fits.
run recommend -q --packet "$scratch/many" data/workloads/*.yaml
expect_status 0
run replay "$scratch"/many/*
expect_status 0
run recommend -q --model llama-3.1-8b --type chat --priority cost --packet "$scratch/flags"
expect_status 0
expect_verdict REPRODUCED "$scratch/flags"
cat >"$scratch/prices.yaml" <<'PRICES'
schema: tensorpath.prices/v1
prices:
  - {gpu: h100_sxm, usd_per_gpu_hour: 1.11, provider: ours, region: any, commitment: on_demand, date: 2026-11-01, min_gpus: 1, source: our books}
PRICES
run recommend -q "$chat" --prices "$scratch/prices.yaml" --packet "$scratch/prices"
expect_status 0
expect_verdict REPRODUCED "$scratch/prices"
run recommend -q --model llama-3.1-8b --type chat --rate-rps 50 --allow-gpu l40s --max-gpus 1 --packet "$scratch/none"
expect_status 1
expect_verdict REPRODUCED "$scratch/none"
run recommend -q - --packet "$scratch/stdin" <"$chat"
expect_status 2
expect_stderr "write the workload into a file"

# A plan that does not follow, by somebody who made every digest right.
cp -r "$scratch/one" "$scratch/forged"
python3 - "$scratch/forged" <<'PYTHON'
import hashlib, json, sys
d = sys.argv[1]
plan = open(d + "/plan.json").read()
tree = json.loads(plan)
old = tree["feasible"]
plan = plan.replace(f'"feasible": {old}', f'"feasible": {old + 1}')
open(d + "/plan.json", "w").write(plan)
packet = json.load(open(d + "/packet.json"))
digest = hashlib.sha256(plan.encode()).hexdigest()
for subject in packet["subject"]:
    if subject["name"] == "plan.json":
        subject["digest"]["sha256"] = digest
block = packet["predicate"]["recommendation"]
block["plan_digest"], block["feasible"] = digest, old + 1
self = packet["predicate"]["packet"]
text = lambda: json.dumps(packet, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
self["content_digest"] = "0" * 64
self["content_digest"] = hashlib.sha256(text().encode()).hexdigest()
open(d + "/packet.json", "w").write(text())
PYTHON
expect_verdict TAMPERED "$scratch/forged"
expect_stdout "plan.json /feasible"
expect_stdout "does not follow from the workload and the data"

# Other data than it was made with.
cp -r data "$scratch/data"
echo "# a comment" >>"$scratch/data/gpus/h100_sxm.yaml"
run --data "$scratch/data" replay "$scratch/one"
expect_status 1
expect_stdout STALE

finish
