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

# Two workloads of one name would write to one directory: the first has it, the rest goes on.
mkdir -p "$scratch/x" "$scratch/y"
sed 's/^name:.*/name: same/' "$chat" >"$scratch/x/first.yaml"
sed 's/rate_rps: 12/rate_rps: 11/' "$scratch/x/first.yaml" >"$scratch/y/second.yaml"
run recommend --screen --format json --out "$scratch/batch" -q "$scratch/x/first.yaml" \
  "$scratch/y/second.yaml" data/workloads/code-assistant.yaml
expect_status 2
expect_stderr "$scratch/y/second.yaml: its name 'same' is also that of $scratch/x/first.yaml"
[ "$(wc -l <"$scratch/stdout")" -eq 3 ] || fail "expected three lines"
sed -n 2p "$scratch/stdout" | grep -q '"error"' || fail "the second line should be an error"
grep -q '"rate_rps": 12' "$scratch/batch/same/plan.json" || fail "the first of a name should be written"
[ -s "$scratch/batch/code-assistant/plan.json" ] || fail "the other workload was not written"
# Several threads agree on who is first.
same=()
for i in $(seq 1 34); do
  cp "$scratch/bad.yaml" "$scratch/y/$i.yaml"
  same+=("$scratch/y/$i.yaml")
done
same[20]="$scratch/x/first.yaml"
same[33]="$scratch/y/second.yaml"
for _ in 1 2 3; do
  rm -rf "$scratch/batch"
  run recommend --screen --format json --out "$scratch/batch" -q "${same[@]}"
  expect_stderr "$scratch/y/second.yaml: its name 'same' is also that of $scratch/x/first.yaml"
done

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
expect_stdout "chat (chat)"
# Answers of one token have no TPOT: the preset's bound on it does not count.
run recommend --model llama-3.1-8b --type chat --osl-tokens 1 --allow-gpu l40s --screen --format json
expect_status 0
expect_stdout '"name": "chat"'
[[ $stdout == *"slo.tpot_ms.p95 ="* ]] && fail "a bound on TPOT was assumed"
run recommend --model llama-3.1-8b --type chat --osl-tokens 1 --tpot-p95-ms 50
expect_status 2
expect_stderr "there is no TPOT"
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
# Without a search for changes there is nothing to say of them.
run recommend --screen --model llama-3.1-8b --type chat --rate-rps 50 --allow-gpu l40s --max-gpus 1
expect_status 1
expect_stdout "No plan fits"
[[ $stdout == *"No change of the constraints"* ]] && fail "changes were judged that nobody tried"

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
