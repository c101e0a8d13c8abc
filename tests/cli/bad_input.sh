#!/usr/bin/env bash
# A bad workload: exit status 2, nothing on standard output, place and remedy on standard error.
source "$(dirname "$0")/lib/check.bash"

head=$'type: chat\nmodels: [llama-3.1-8b]\n'

# refuses TEXT MESSAGE...: every MESSAGE is said about the file w.yaml that holds TEXT.
refuses() {
  printf '%s' "$1" >"$scratch/w.yaml"
  shift
  run recommend "$scratch/w.yaml"
  expect_status 2
  expect_no_stdout
  local message
  for message in "$@"; do expect_stderr "$message"; done
}

refuses "${head}prioritty: cost"$'\n' "w.yaml:3:1: unknown key 'prioritty'" "did you mean 'priority'?"
refuses "${head}slo: {ttft: 800}"$'\n' "w.yaml:3:7: " "did you mean 'ttft_ms'?"
refuses "${head}slo: {ttft_ms: {p95: 800ms}}"$'\n' "w.yaml:3:22: " "expected a number"
refuses "${head}session: 3"$'\n' "w.yaml:3:10: session is '3', expected a mapping"
refuses $'type: chat\nmodels: [llama-3.1-8bb]\n' "w.yaml:2:10: " "did you mean 'llama-3.1-8b'?"
refuses "${head}hardware: {allow: [h100_smx]}"$'\n' "w.yaml:3:20: " "did you mean 'h100_sxm'?"
refuses "${head}name: a"$'\n'"name: b"$'\n' "w.yaml:4:1: key 'name' appears twice"
refuses "${head}slo:"$'\n\t'"ttft_ms: {p95: 1}"$'\n' "w.yaml:4:1: a tab indents this line" "use spaces"
refuses $'type: &t chat\nmodels: [llama-3.1-8b]\nname: *t\n' "w.yaml:1:7: anchors"
refuses "${head}arrivals: {rate_rps: -1}"$'\n' "w.yaml:3:22: arrivals.rate_rps is -1"
refuses "${head}slo: {ttft_ms: {p95: .nan}}"$'\n' "w.yaml:3:22: " "must be finite"
refuses "${head}slo: {ttft_ms: {p50: 900, p95: 800}}"$'\n' "w.yaml:3:22: " "(" "w.yaml:3:32)"
refuses "${head}arrivals: {kind: closed, concurrency: 8, rate_rps: 3}"$'\n' "does not go with kind closed"
refuses "${head}cost: {max_usd_per_month: 0}"$'\n' "w.yaml:3:27: "
refuses "" "w.yaml:1:1: the document is empty"

# A name is a directory of --out: it stays inside.
refuses "${head}name: ../escaped"$'\n' "w.yaml:3:7: name '../escaped' holds a slash" "write '-'"
refuses "${head}name: 'a\\b'"$'\n' "w.yaml:3:7: " "backslash"
refuses "${head}name: .hidden"$'\n' "w.yaml:3:7: name '.hidden' starts with a dot"
refuses "${head}name: \"a\\eb\""$'\n' "w.yaml:3:7: " "control character"
refuses "${head}name: $(printf 'x%.0s' {1..101})"$'\n' "w.yaml:3:7: name is 101 bytes long"
printf '%sname: ../escaped\n' "$head" >"$scratch/w.yaml"
run recommend --screen --out "$scratch/deep/out" "$scratch/w.yaml" data/workloads/support-chat.yaml
expect_status 2
[ ! -e "$scratch/deep/escaped" ] || fail "a workload's name led out of --out"
printf '%s' "$head" >"$scratch/.dotted.yaml"
run recommend "$scratch/.dotted.yaml"
expect_status 2
expect_stderr "add 'name: my-workload'"

# A terminal is told of control characters, not given them.
refuses $'type: chat\nmodels: ["llama\\e[31m"]\n' "unknown model 'llama\\x1b[31m'"

# Numbers and names that no answer could be made of.
refuses "${head}arrivals: {rate_rps: 1e-7}"$'\n' "w.yaml:3:22: arrivals.rate_rps is 1e-7"
refuses "${head}arrivals: {concurrency: 2e6}"$'\n' "w.yaml:3:25: arrivals.concurrency is 2e6"
refuses "${head}cost: {region: us-eats}"$'\n' "w.yaml:3:16: no price is for the region 'us-eats'" "did you mean 'us-east'?"
printf '0\n20000000\n' >"$scratch/slow.txt"
refuses "${head}arrivals: {file: slow.txt}"$'\n' "slow.txt: " "below the least rate"

# Several mistakes at once.
refuses $'type: caht\nmodels: [foo]\nslo: {ttft: 1}\n' "w.yaml:1:7: " "w.yaml:2:10: " "w.yaml:3:7: "

# A bomb of aliases, a deep nest and 10 MB end at once.
{
  echo 'a0: &a0 [x, x]'
  for i in $(seq 1 40); do echo "a$i: &a$i [*a$((i - 1)), *a$((i - 1))]"; done
} >"$scratch/bomb.yaml"
run recommend "$scratch/bomb.yaml"
expect_status 2
expect_stderr "bomb.yaml:1:5: anchors"
head -c 100000 /dev/zero | tr '\0' '[' >"$scratch/deep.yaml"
run recommend "$scratch/deep.yaml"
expect_status 2
expect_stderr "deep.yaml"
head -c 10000000 /dev/zero | tr '\0' '#' >"$scratch/large.yaml"
run recommend "$scratch/large.yaml"
expect_status 2
expect_stderr "larger than 1 MiB"
head -c 100000 "$TENSORPATH" >"$scratch/noise.yaml"
run recommend "$scratch/noise.yaml"
expect_status 2
expect_stderr "noise.yaml"

# What is not a file.
run recommend "$scratch/absent.yaml"
expect_status 2
expect_stderr "No such file"
run recommend "$scratch"
expect_status 2
expect_stderr "is a directory"

# The original's request, with a mistake.
echo '{"model_id": "qwen2.5-7b", "workload_type": "chta"}' >"$scratch/request.json"
run recommend "$scratch/request.json"
expect_status 2
expect_stderr "request.json:1:45: "
expect_stderr "did you mean 'chat'?"
echo '{"model_id": "qwen2.5-7b", "model_id": "qwen2.5-3b"}' >"$scratch/request.json"
run recommend "$scratch/request.json"
expect_status 2
expect_stderr "request.json:1:28: key 'model_id' appears twice"

finish
