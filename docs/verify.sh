#!/bin/sh
# Verifies an event of a tamper-evident ledger with openssl 3, base64, awk, sed and GNU coreutils:
#
#   sh verify.sh KEY ID.tlog-proof [ID.data]
#
# KEY is the public key of the ledger, NAME+ID+BASE64, from another source than the proof. Ends with status 0 if the
# event is proven, and prints it. Without ID.data the content of the event is not proven, only its hash.
set -eu
export LC_ALL=C
[ $# = 2 ] || [ $# = 3 ] || { echo 'usage: sh verify.sh KEY ID.tlog-proof [ID.data]' >&2; exit 2; }
key=$1 proof=$2 data=${3:-}
tmp=$(mktemp -d)
trap 'rm -r "$tmp"' EXIT
fail() { echo "NOT PROVEN: $1" >&2; exit 3; }
is_number() { case $1 in 0) ;; '' | 0* | *[!0-9]*) return 1 ;; ????????????????????*) return 1 ;; esac }
sha256() { openssl dgst -sha256 -binary; }
hex() { od -An -v -tx1 | tr -d ' \n'; }

# The file has a proof, an empty line, and the checkpoint: a text, an empty line, and signatures.
[ "$(head -n 1 "$proof")" = c2sp.org/tlog-proof@v1 ] || fail "$proof is not a proof"
awk -v d="$tmp" '/^$/ && part < 2 {part++; next} {print > (d "/" (part == 0 ? "proof" : part == 1 ? "text" : "signatures"))}' "$proof"
[ -s "$tmp/text" ] && [ -s "$tmp/signatures" ] || fail "$proof has no checkpoint"

# 1. The key signed the checkpoint, and no line in its name is wrong.
name=${key%%+*} rest=${key#*+}
id=${rest%%+*}
{ printf '\060\052\060\005\006\003\053\145\160\003\041\000'; printf %s "${rest#*+}" | base64 -d | tail -c 32; } > "$tmp/der"
openssl pkey -pubin -inform DER -in "$tmp/der" -out "$tmp/key.pem" 2> "$tmp/errors" || fail "the key is malformed"
signed=no
while read -r dash signer signature rest; do
  [ "$dash $signer" = "— $name" ] && [ "$(printf %s "$signature" | base64 -d | head -c 4 | hex)" = "$id" ] || continue
  printf %s "$signature" | base64 -d | tail -c +5 > "$tmp/signature"
  openssl pkeyutl -verify -pubin -inkey "$tmp/key.pem" -rawin -in "$tmp/text" -sigfile "$tmp/signature" \
    > "$tmp/output" 2>&1 || fail "the signature of $name is wrong"
  signed=yes
done < "$tmp/signatures"
[ $signed = yes ] || fail "the checkpoint is not signed by $name+$id"
[ "$(sed -n 1p "$tmp/text")" = "$name" ] || fail "the checkpoint is of another log"
size=$(sed -n 2p "$tmp/text") root=$(sed -n 3p "$tmp/text")
is_number "$size" || fail "the size of the checkpoint is malformed"

# 2. The entry has the hash of the head document, which has the hash of the data document.
sed -n '2s/^extra //p' "$tmp/proof" | base64 -d > "$tmp/head" || fail "line 2 is not the head of an event"
[ "$(head -n 1 "$tmp/head")" = audit-log.head/1 ] || fail "line 2 is not the head of an event"
head=$(tail -n +3 "$tmp/head")
[ -z "$data" ] || case $head in
  *'"data":"'"$(sha256sum < "$data" | cut -c 1-64)"'"'*) ;;
  *) fail "$data is not the data of the event" ;;
esac
time=${head##*'"timestamp_utc":'}
time=${time%'}'}
is_number "$time" || fail "the time of the event is malformed"
entry="audit-log.event/1 $(date -u -d "@$time" +%Y-%m) $(sha256sum < "$tmp/head" | cut -c 1-64)"
node=$({ printf '\000'; printf '%s\n' "$entry"; } | sha256 | base64)

# 3. From the entry up to the root (RFC 9162, section 2.1.3.2).
index=$(sed -n '3s/^index //p' "$tmp/proof")
is_number "$index" && [ "$index" -lt "$size" ] || fail "the index is malformed, or beyond the size"
pair() { { printf '\001'; printf %s "$1" | base64 -d; printf %s "$2" | base64 -d; } | sha256 | base64; }
first=$index last=$((size - 1))
for sibling in $(sed 1,3d "$tmp/proof"); do
  [ "$last" -gt 0 ] || fail "the proof has too many hashes"
  if [ $((first & 1)) = 1 ] || [ "$first" = "$last" ]; then
    node=$(pair "$sibling" "$node")
    while [ $((first & 1)) = 0 ] && [ "$first" -gt 0 ]; do first=$((first >> 1)) last=$((last >> 1)); done
  else
    node=$(pair "$node" "$sibling")
  fi
  first=$((first >> 1)) last=$((last >> 1))
done
[ "$last" = 0 ] && [ "$node" = "$root" ] || fail "the event is not in the tree of the checkpoint"

echo "PROVEN: entry $index of $size in $name"
printf '%s\n' "$head"
[ -z "$data" ] || { tail -n +3 "$data"; echo; }
