#!/usr/bin/env bash
# validate reports errors by group, lists what it skips, and names mistakes in the file.
source "$(dirname "$0")/lib/check.bash"
measured=tests/data/measured.csv

run validate --measured "$measured"
expect_status 0
expect_stdout "llama-3.1-70b"
expect_stdout "overall"
expect_stderr "line 5 (Acme/Unknown, 7B, h100_sxm, vllm) is not predicted"
expect_stderr "0 of 3 rows were in the sample"

run validate --measured "$measured" --format json
expect_status 0
expect_no_stderr
for key in '"overall"' '"mape"' '"median"' '"p90"' '"bias"' '"groups"' '"backend": "trtllm"' \
  '"quant": "fp8"' '"n": 1' '"in_sample": false' '"skipped"' '"reason"'; do
  expect_stdout "$key"
done
first=$stdout
run validate --measured "$measured" --format json
[ "$stdout" = "$first" ] || fail "expected two runs to print the same"

command_line="tensorpath validate --measured - <$measured"
stdout=$("$TENSORPATH" validate --measured - --format csv <"$measured" 2>/dev/null)
expect_stdout "gpt-oss-120b,b200_sxm,trtllm"

run validate --measured "$measured" --calibrate --out "$scratch/serving.yaml" --format json
expect_status 0
expect_stdout '"fitted"'
grep -q 'tensorpath.calibration-serving/v1' "$scratch/serving.yaml" || fail "expected a calibration file"

# The written calibration is one: its own rows are in sample.
mkdir -p "$scratch/data/calibration"
cp "$scratch/serving.yaml" "$scratch/data/calibration/"
run --data "$scratch/data" --data data validate --measured "$measured"
expect_status 0
expect_stderr "3 of 3 rows were in the sample"

sed 's/concurrency/concurency/' "$measured" >"$scratch/typo.csv"
run validate --measured "$scratch/typo.csv"
expect_status 2
expect_stderr "typo.csv:1:"
expect_stderr "concurrency"

sed 's/,16,1024/,many,1024/' "$measured" >"$scratch/text.csv"
run validate --measured "$scratch/text.csv"
expect_status 2
expect_stderr "text.csv:2:"
expect_stderr "'concurrency' must be a finite number"

sed 's/,16,1024/,16.5,1024/' "$measured" >"$scratch/half.csv"
run validate --measured "$scratch/half.csv"
expect_status 2
expect_stderr "half.csv:2:"
expect_stderr "'concurrency' must be a whole number, not '16.5'"

# What a terminal would act on is told, not done.
sed $'s/7B/7B\e[31m/' "$measured" >"$scratch/escape.csv"
run validate --measured "$scratch/escape.csv"
expect_status 0
expect_stderr "is not predicted"
[[ $stderr == *$'\e'* ]] && fail "a control character reached the terminal"

run validate
expect_status 2
expect_stderr "--measured"
run validate --measured "$measured" --out x.yaml
expect_status 2
expect_stderr "--calibrate"
run validate --measured "$scratch/absent.csv"
expect_status 2

finish
