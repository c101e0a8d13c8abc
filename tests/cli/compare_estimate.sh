#!/usr/bin/env bash
# compare and estimate, as their manual pages show them.
source "$(dirname "$0")/lib/check.bash"
export COLUMNS=80 TENSORPATH_TODAY=2026-08-21
chat=data/workloads/support-chat.yaml

run compare --type chat --model qwen2.5-7b --model llama-3.2-3b --rate-rps 4
expect_status 0
expect_stdout "fastest: "
expect_stdout "cheapest: "
expect_stdout "DIFFERENT_MODEL"

run compare --type chat --model qwen2.5-7b --rate-rps 4
expect_status 2
expect_stderr "two models or more"

run recommend "$chat" --out "$scratch/out" -q
run compare "$scratch/out/plan.json" "$scratch/out/plan.json:2"
expect_status 0
expect_stdout "Ratios"
[[ $stdout == *"a speedup of"* ]] && fail "predictions were called a speedup"
run compare "$scratch/out/plan.json" "$scratch/out/plan.json:2" --format json
expect_status 0
expect_stdout '"schema": "tensorpath.comparison/v1"'
run compare data/profiles/rtx_4070-llama-3.1-8b-awq_4.json data/profiles/rtx_4070-llama-3.2-3b-awq_4.json
expect_status 0
expect_stdout "A: data/profiles/rtx_4070-llama-3.1-8b-awq_4.json"
grep -q 'llama-3.1-8b  *llama-3.2-3b' "$scratch/stdout" || fail "both sides should stand in one row"
run compare "$scratch/out/plan.json" "$scratch/out/plan.json:99"
expect_status 2
expect_stderr "no plan of rank 99"
echo '{"schema": "other/v1"}' >"$scratch/other.json"
run compare "$scratch/other.json" "$scratch/out/plan.json"
expect_status 2
expect_stderr "neither a plan nor a profile"
run compare "$chat" data/workloads/code-assistant.yaml
expect_status 2
expect_stderr "$chat: this is YAML"
expect_stderr "compare takes one workload"
run compare "$scratch/absent.yaml" "$chat"
expect_status 2
expect_stderr "No such file"

# A figure that one side alone states has no winner.
run compare "$scratch/out/plan.json" data/profiles/rtx_4070-llama-3.1-8b-awq_4.json
expect_status 0
[[ $stdout == *cheapest* ]] && fail "a price was compared with none"
grep -q '^[$]/month.*[*]' "$scratch/stdout" && fail "a price was starred that has no other beside it"
expect_stdout "highest throughput: "

run estimate --model llama-3.1-70b --type chat --concurrency 32 --isl-tokens 1024 --osl-tokens 1024 \
  --gpu h200_sxm --engine vllm --weight-format fp8 --tp 2
expect_status 0
expect_stdout "attention_decode"
expect_stdout "80% band"
run estimate --plan "$scratch/out/plan.json" --rank 2
expect_status 0
expect_stdout "bound by"
run estimate --plan "$scratch/out/plan.json" --format json
expect_status 0
expect_stdout '"breakdown"'
# The plan's own numbers come back out of its file.
rank1=$(grep -m1 -A3 '"tpot_ms"' "$scratch/out/plan.json" | grep '"mean"')
run estimate --plan "$scratch/out/plan.json" --replicas 0 --format json
expect_stdout "$(echo "$rank1" | tr -d ' ,' | sed 's/:/: /')"

run estimate --model llama-3.1-70b --type chat --gpu l4 --engine vllm
expect_status 1
expect_stderr "does not fit"
run estimate --model llama-3.1-8b --type chat --gpu h100_sxm --engine vllm --kv-format fp9
expect_status 2
expect_stderr "fp8"
run estimate --model llama-3.1-8b --type chat
expect_status 2
expect_stderr "--gpu and --engine"
finish
