#!/usr/bin/env bash
# profile packet: a profile under one digest, signed if wanted; replay finds a changed figure, another
# origin and another kind.
source "$(dirname "$0")/lib/check.bash"

expect_verdict() { # VERDICT PACKET [OPTION...]
  local wanted=$1 packet=$2 found
  shift 2
  run replay --format json "$@" "$packet"
  found=$(python3 -c "import json, sys; print(json.load(open(sys.argv[1]))['packets'][0]['verdict'])" "$scratch/stdout")
  [ "$found" = "$wanted" ] || fail "expected the verdict $wanted, not $found"
}

# Makes every digest of a packet right again.
agree() { # DIRECTORY FILE
  python3 - "$1" "$2" <<'PY'
import hashlib, json, re, sys
d, name = sys.argv[1:]
tree = json.load(open(d + "/packet.json"))
digest = hashlib.sha256(open(f"{d}/{name}", "rb").read()).hexdigest()
for subject in tree["subject"]:
    if subject["name"] == name:
        subject["digest"]["sha256"] = digest
tree["predicate"]["profile"]["document_digest"] = digest
text = lambda: json.dumps(tree, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
tree["predicate"]["packet"]["content_digest"] = "0" * 64
tree["predicate"]["packet"]["content_digest"] = hashlib.sha256(text().encode()).hexdigest()
open(d + "/packet.json", "w").write(text())
PY
}

name=rtx_4070-qwen2.5-7b-awq_4
run profile packet "$name" --out "$scratch/one"
expect_status 0
expect_verdict REPRODUCED "$scratch/one"
run replay "$scratch/one"
expect_status 0
expect_stdout "profile '$name', imported"
run profile packet "$name" --out "$scratch/one"
expect_status 2
expect_stderr "is there already"
run profile packet no-such-profile --out "$scratch/none"
expect_status 2

# Signed, from a file.
openssl genpkey -algorithm ed25519 -out "$scratch/key.pem" 2>/dev/null
chmod 600 "$scratch/key.pem"
openssl pkey -in "$scratch/key.pem" -pubout -out "$scratch/key.pub"
run profile packet "$scratch/one/profile.json" --sign "$scratch/key.pem" --out "$scratch/signed"
expect_status 0
expect_verdict REPRODUCED "$scratch/signed" --trust "$scratch/key.pub"

# A figure that was improved: as a file alone, then with every digest made right.
cp -r "$scratch/one" "$scratch/better"
python3 - "$scratch/better/profile.json" <<'PY'
import re, sys
text = open(sys.argv[1]).read()
changed = re.sub(r'("output_tok_s": )[0-9.]+', r'\g<1>99999', text)
assert changed != text
open(sys.argv[1], "w").write(changed)
PY
expect_verdict TAMPERED "$scratch/better"
agree "$scratch/better" profile.json
# Nobody can tell: an unsigned packet is self-consistent at best.
expect_verdict REPRODUCED "$scratch/better"
expect_verdict TAMPERED "$scratch/better" --trust "$scratch/key.pub"

# What does not follow from the document is found, however right the digests are.
cp -r "$scratch/one" "$scratch/measured"
sed -i 's/"outcome": "imported"/"outcome": "measured"/; s/"provenance": "imported"/"provenance": "measured"/' \
  "$scratch/measured/packet.json"
agree "$scratch/measured" profile.json
expect_verdict TAMPERED "$scratch/measured"
cp -r "$scratch/one" "$scratch/kernel"
sed -i 's/"kind": "profile"/"kind": "kernel"/' "$scratch/kernel/packet.json"
agree "$scratch/kernel" profile.json
expect_verdict TAMPERED "$scratch/kernel"

finish
