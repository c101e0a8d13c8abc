#!/usr/bin/env bash
# What a person does with recommend, from the shipped workload to the files on disk.
source "$(dirname "$0")/lib/check.bash"
export COLUMNS=80 TENSORPATH_TODAY=2026-08-21
chat=data/workloads/support-chat.yaml

run recommend "$chat"
expect_status 0
expect_stdout "Best: "
expect_stdout "Why:"
expect_stdout "Pareto front"
expect_stdout "Assumed:"
expect_stdout "80% band"
while IFS= read -r line; do
  [ "${#line}" -le 80 ] || fail "a line is wider than 80 columns: $line"
done <<<"$stdout"
first=$stdout
run recommend "$chat"
[ "$stdout" = "$first" ] || fail "the same input gave another output"

run recommend "$chat" --format json --top 2 --screen
expect_status 0
for key in schema workload plans near_misses assumptions pareto rejected max_rate_at_slo usd_per_mtok_total; do
  expect_stdout "\"$key\""
done

run recommend "$chat" --out "$scratch/out"
expect_status 0
for file in plan.json report.md pareto.svg deploy/serve.sh; do
  [ -s "$scratch/out/$file" ] || fail "$file was not written"
done
# Again into the same directory: it is ours.
run recommend "$chat" --out "$scratch/out"
expect_status 0
# Somebody else's deploy directory is not.
mkdir -p "$scratch/theirs/deploy" && touch "$scratch/theirs/deploy/precious"
run recommend "$chat" --out "$scratch/theirs"
[ "$status" -ne 0 ] || fail "a directory of somebody else's was overwritten"
[ -e "$scratch/theirs/deploy/precious" ] || fail "a file of somebody else's is gone"

# Several workloads stream one line each, in order; a bad one says so and the rest goes on.
printf 'type: chat\n' >"$scratch/bad.yaml"
run recommend --format json --screen "$chat" "$scratch/bad.yaml" data/workloads/code-assistant.yaml
expect_status 2
[ "$(wc -l <"$scratch/stdout")" -eq 3 ] || fail "expected three lines"
sed -n 2p "$scratch/stdout" | grep -q '"error"' || fail "the second line should be an error"
sed -n 3p "$scratch/stdout" | grep -q '"code-assistant"' || fail "the third line should be code-assistant"
expect_stderr "bad.yaml"

# From standard input and from flags.
command_line="tensorpath recommend - <$chat"
status=0
"$TENSORPATH" recommend - --explain brief <"$chat" >"$scratch/stdout" 2>"$scratch/stderr" || status=$?
stdout=$(<"$scratch/stdout") stderr=$(<"$scratch/stderr")
expect_status 0
expect_stdout "support-chat"
run recommend --model llama-3.1-8b --type chat --rate-rps 4 --allow-gpu l40s --explain brief
expect_status 0
expect_stdout "llama-3.1-8b"
run recommend --model llama-3.1-8b "$chat"
expect_status 2
expect_stderr "which one holds?"
run recommend
expect_status 2
expect_stderr "no workload"

# Nothing fits: exit 1, and what would.
run recommend --model llama-3.1-70b --type chat --rate-rps 50 --allow-gpu l4 --max-gpus 2
expect_status 1
expect_stdout "No plan fits"
expect_stdout "What would fit, changing all of"
run recommend --model llama-3.1-8b --type chat --rate-rps 50 --allow-gpu l40s --max-gpus 1
expect_status 1
expect_stdout "What would fit, changing one thing"
expect_stdout "hardware.max_gpus"

run recommend "$chat" --why-not h100_sxm:vllm:fp9
expect_status 2
expect_stderr "fp8"
run recommend "$chat" --why-not l40s:vllm:fp8 --explain brief
expect_status 0
expect_stdout "Why not:"
run recommend "$chat" --prefer-gpu h1oo
expect_status 2
expect_stderr "h100"
finish
