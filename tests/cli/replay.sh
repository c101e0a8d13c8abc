#!/usr/bin/env bash
# forge packet writes what replay finds whole and runs again; a changed byte, a missing signature and a
# file that is no packet are told apart by exit status.
source "$(dirname "$0")/lib/forge.bash"
runs=$TENSORPATH_RUNS

json() { # EXPRESSION: of the document on standard output, as d
  python3 -c "import json, sys; d = json.load(open(sys.argv[1])); print(($1))" "$scratch/stdout" 2>&1
}
expect_json() { # EXPRESSION VALUE
  local value
  value=$(json "$1")
  [ "$value" = "$2" ] || fail "expected $1 to be $2, not $value"
}

# --- an attempt that was rejected has a packet, and nothing in it or about it praises it ----------

run forge create -q --op silu --dtype fp32 --shape rows=1..16,hidden=1..300
id=$stdout
# A run that nobody worked on has one too.
run forge packet -q --run-id "$id"
expect_status 0
[ "$stdout" = "$runs/$id/packet" ] || fail "expected the packet in the run"
grep -q '"outcome": "created"' "$stdout/packet.json" || fail "expected the outcome created"
run replay --level verify "$stdout"
expect_status 0
expect_stdout "run: created, no candidate yet"
expect_stdout "no verdict to come to again"
# The author's words reach the compiler's.
echo 'int VERIFIED_and_faster = nothing_is_correct;' >"$runs/$id/candidate/kernel.cpp"
run forge verify -q --run-id "$id"
expect_status 1
run forge packet -q --run-id "$id"
expect_status 0
packet=$stdout
rejected=$packet
[ "$packet" = "$runs/$id/attempts/1/packet" ] || fail "expected the packet beside the attempt"
for format in table json yaml markdown csv; do
  run replay --format "$format" "$packet"
  expect_status 0
  expect_stdout REPRODUCED
  grep -Eiq 'verified|faster|correct|speed-?up|promoted' "$scratch/stdout" && fail "expected no claim"
done
expect_stdout unsigned
run replay "$packet"
expect_stdout "self-consistent at best"
expect_stdout "attempt 1: rejected (compile_error)"
run forge packet -q --run-id "$id"
expect_status 0
[ "$stdout" = "$packet-2" ] || fail "expected a second packet beside the first"
run forge packet --run-id "$id" --out "$packet"
expect_status 2
expect_stderr "is there already"

# --- what held carries its claim ------------------------------------------------------------------

new_run "$silu" --op silu --dtype fp32 --shape rows=1..16,hidden=1..300
run forge verify -q --no-sanitizers --run-id "$id"
expect_status 0
run forge packet --run-id "$id" --format json
expect_status 0
expect_json 'len(d["claims"]), d["signer"]' "(1, None)"
packet=$(json 'd["packet"]')
run replay --format json "$packet"
expect_status 0
expect_json 'd["packets"][0]["verdict"], d["packets"][0]["outcome"], d["packets"][0]["findings"]' "('REPRODUCED', 'verified', [])"
expect_json '"hidden cases of silu in fp32 agree with the float64 reference" in d["packets"][0]["claims"][0]' True
command_line="packet.json of a verified attempt"
grep -q '"Gates left out' "$packet/packet.json" || fail "expected the gate that was left out among the caveats"

# --- changed ---------------------------------------------------------------------------------------

cp -r "$packet" "$scratch/changed"
echo ' ' >>"$scratch/changed/candidate/kernel.cpp"
run replay "$packet" "$scratch/changed" --format json
expect_status 1
expect_json '[p["verdict"] for p in d["packets"]]' "['REPRODUCED', 'TAMPERED']"
expect_json 'd["packets"][1]["findings"][0]["where"]' candidate/kernel.cpp
expect_json 'd["packets"][1]["claims"], d["packets"][1]["outcome"]' "([], None)"
rm "$scratch/changed/packet.json"
run replay "$scratch/changed"
expect_status 1
expect_stdout TAMPERED

# --- usage -----------------------------------------------------------------------------------------

run replay "$scratch/nowhere"
expect_status 2
expect_no_stdout
expect_stderr "is no packet: there is no such directory or file"
run replay --level everything "$packet"
expect_status 2
run replay --seeds 1001 "$packet"
expect_status 2
run replay
expect_status 2

# --- as one file, and many at once ------------------------------------------------------------------

tar -C "$(dirname "$packet")" --zstd -cf "$scratch/packet.tar.zst" "$(basename "$packet")"
tar -C "$packet" -cf "$scratch/packet.tar" .
head -c 700 "$scratch/packet.tar.zst" >"$scratch/cut.tar.zst"
run replay --format json "$scratch/packet.tar.zst" "$scratch/packet.tar" "$packet" "$scratch/cut.tar.zst"
expect_status 1
expect_json '[p["verdict"] for p in d["packets"]]' "['REPRODUCED', 'REPRODUCED', 'REPRODUCED', 'TAMPERED']"
expect_json 'd["packets"][3]["findings"][0]["what"].startswith("is no archive of a packet")' True
[ -z "$(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'tensorpath-packet-*' -newer "$scratch/packet.tar")" ] || fail "expected nothing unpacked to be left"

# --- run again -------------------------------------------------------------------------------------

run replay --level verify --seeds 2 --format json "$scratch/packet.tar.zst"
expect_status 0
expect_stderr "the cases that the seed reveals"
expect_stderr "fresh cases, 2 of 2"
expect_json '[(v["revealed"], v["holds"]) for v in d["packets"][0]["judged_again"]]' "[(True, True), (False, True), (False, True)]"
seed=$(grep -o '"seed": "[0-9a-f]*"' "$packet/packet.json" | cut -d'"' -f4)
expect_json 'd["packets"][0]["judged_again"][0]["seed"]' "$seed"
expect_json 'len({v["seed"] for v in d["packets"][0]["judged_again"]})' 3
run replay -q --level verify "$rejected"
expect_status 0
expect_no_stderr
expect_stdout "the revealed seed: compile_error"

# --- signed ----------------------------------------------------------------------------------------

if ! command -v openssl >/dev/null; then
  echo "no openssl: signatures were not tried"
  finish
fi
for key in mine theirs; do
  (umask 077 && openssl genpkey -algorithm ed25519 -out "$scratch/$key.pem" 2>/dev/null)
  openssl pkey -in "$scratch/$key.pem" -pubout -out "$scratch/$key.pub"
done
run forge packet -q --run-id "$id" --out "$scratch/signed" --sign "$scratch/mine.pem"
expect_status 0
command_line="the private key"
grep -rqF "$(sed -n 2p "$scratch/mine.pem")" "$scratch/signed" && fail "expected the key nowhere in the packet"
run replay --trust "$scratch/mine.pub" "$scratch/signed"
expect_status 0
expect_stdout trusted
run replay "$scratch/signed"
expect_status 0
expect_stdout "which you did not name"
run replay --trust "$scratch/theirs.pub" "$scratch/signed"
expect_status 1
expect_stdout "is not among those that were asked for"
run replay --trust "$scratch/theirs.pub" --trust "$scratch/mine.pub" "$scratch/signed"
expect_status 0
run replay --trust "$scratch/mine.pub" "$packet"
expect_status 1
expect_stdout "is not signed, and a signer was asked for"
# The signature is what OpenSSL says it is.
python3 - "$scratch" <<'PYTHON'
import base64, json, sys
e = json.load(open(sys.argv[1] + "/signed/packet.dsse.json"))
p = base64.b64decode(e["payload"])
t = e["payloadType"].encode()
open(sys.argv[1] + "/pae", "wb").write(b"DSSEv1 %d %s %d %s" % (len(t), t, len(p), p))
open(sys.argv[1] + "/sig", "wb").write(base64.b64decode(e["signatures"][0]["sig"]))
PYTHON
command_line="openssl pkeyutl -verify"
openssl pkeyutl -verify -pubin -inkey "$scratch/mine.pub" -rawin -in "$scratch/pae" -sigfile "$scratch/sig" >/dev/null || fail "expected the signature to hold for OpenSSL"
chmod 644 "$scratch/mine.pem"
run forge packet -q --run-id "$id" --out "$scratch/open" --sign "$scratch/mine.pem"
expect_status 2
expect_stderr "is open to others"
expect_stderr "chmod 600"
openssl pkey -in "$scratch/theirs.pem" -aes256 -passout pass:secret -out "$scratch/locked.pem"
chmod 600 "$scratch/locked.pem"
run forge packet -q --run-id "$id" --out "$scratch/open" --sign "$scratch/locked.pem"
expect_status 2
expect_stderr "is encrypted"
run forge packet -q --run-id "$id" --out "$scratch/open" --sign "$scratch/mine.pub"
expect_status 2
[ -e "$scratch/open" ] && fail "expected nothing to be written"

finish
