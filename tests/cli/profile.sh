#!/usr/bin/env bash
# profile lists, filters, shows and checks benchmark profiles.
source "$(dirname "$0")/lib/check.bash"

run profile list
expect_status 0
expect_no_stderr
expect_stdout "rtx_4070-qwen2.5-7b-awq_4"
expect_stdout "rtx_4070-llama-3.2-3b-awq_4"
expect_stdout "imported"

# A filter takes any name of the catalog.
run profile list --model Qwen/Qwen2.5-7B-Instruct --gpu "RTX 4070" --engine vLLM --format csv
expect_status 0
[ "$(wc -l <"$scratch/stdout")" -eq 2 ] || fail "expected a header and one row"
expect_stdout "160,"
run profile list --gpu h100_sxm
expect_status 0
expect_stderr "no profile matches"
run profile list --model qwen2.5-7c
expect_status 2
expect_stderr "did you mean 'qwen2.5-7b'"

# Shown as JSON it reads back the same; several are JSON Lines.
run profile show rtx_4070-qwen2.5-3b-fp16 --format json
expect_status 0
expect_stdout '"output_tok_s": 66'
expect_stdout '"n_gpus": null'
cp "$scratch/stdout" "$scratch/one.json"
run profile show "$scratch/one.json" --format json
cmp -s "$scratch/stdout" "$scratch/one.json" || fail "expected the same document again"
run profile show rtx_4070-qwen2.5-3b-fp16 rtx_4070-qwen2.5-7b-awq_4 --format json
cp "$scratch/stdout" "$scratch/two.jsonl"
run profile show "$scratch/two.jsonl"
expect_status 0
expect_stdout "two:1"
expect_stdout "two:2"
"$TENSORPATH" profile show - <"$scratch/two.jsonl" >"$scratch/stdout" || fail "expected lines on stdin to read"
grep -q "stdin:2" "$scratch/stdout" || fail "expected two profiles from standard input"
for format in table markdown csv yaml; do
  run profile show rtx_4070-qwen2.5-3b-fp16 --format "$format"
  expect_status 0
  expect_stdout "fp16"
done

run profile show rtx_4070-qwen2.5-3b-fp8
expect_status 2
expect_stderr "did you mean 'rtx_4070-qwen2.5-3b-fp16'"
run profile
expect_status 2

# A data directory adds profiles; a broken one is named with its place, and nothing is printed.
mkdir -p "$scratch/data/profiles"
cp "$scratch/one.json" "$scratch/data/profiles/mine.json"
run --data "$scratch/data" profile list
expect_stdout "mine "
sed 's/imported/estimated/' "$scratch/one.json" >"$scratch/data/profiles/mine.json"
run --data "$scratch/data" profile list
expect_status 2
expect_no_stdout
expect_stderr "$scratch/data/profiles/mine.json:3:17: provenance is 'estimated', but only measurements are stored"
sed 's/"tp": null/"tp": -2/' "$scratch/one.json" >"$scratch/bad.json"
run profile show "$scratch/bad.json"
expect_status 2
expect_stderr "bad.json:17:9: tp is -2"

# Figures that break Little's law are shown with a flag.
cat >"$scratch/flagged.json" <<'JSON'
{"schema": "tensorpath.profile/v1", "provenance": "imported", "source": {"tool": "t"},
 "model": "llama-3.1-8b", "arrivals": {"kind": "closed", "concurrency": 8}, "osl_tokens": 100,
 "ttft_ms": {"mean": 100}, "tpot_ms": {"mean": 10}, "output_tok_s": 5000}
JSON
run profile show "$scratch/flagged.json"
expect_status 0
expect_stderr "DENOMINATOR_MISMATCH"

# The same input gives the same bytes.
run profile list --format json
first=$stdout
run profile list --format json
[ "$stdout" = "$first" ] || fail "expected two runs to print the same"
finish
