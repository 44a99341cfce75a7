#!/bin/sh
# Signature Version 4 by openssl, since curl's own lacks headers before 8.0. Keys are of plain characters, so that a path
# is its own canonical form.
# shellcheck shell=sh disable=SC2154
META=${KOPS_METADATA:-http://169.254.169.254}
EMPTY=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
meta() { curl -fsS -m 5 --noproxy '*' -H "X-aws-ec2-metadata-token: $S" "$META/latest/meta-data/iam/security-credentials/$1"; }
field() { printf %s "$C" | sed -n "s/.*\"$1\" *: *\"\([^\"]*\)\".*/\1/p"; }
hex() { od -An -v -tx1 | tr -d ' \n'; }
hmac() { printf %s "$2" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$1" -binary | hex; }
get() {
  S=$(curl -fsS -m 5 --noproxy '*' -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$META/latest/api/token") || return 1
  R=$(meta '') && C=$(meta "$R") || return 1
  T=$(field Token)
  D=$(date -u +%Y%m%dT%H%M%SZ)
  DAY=${D%T*}
  U=$BASE/$1
  H=${U#*://}
  P=/${H#*/}
  H=${H%%/*}
  NAMES='host;x-amz-content-sha256;x-amz-date;x-amz-security-token'
  Q=$(printf 'GET\n%s\n\nhost:%s\nx-amz-content-sha256:%s\nx-amz-date:%s\nx-amz-security-token:%s\n\n%s\n%s' "$P" "$H" "$EMPTY" "$D" "$T" "$NAMES" "$EMPTY" | openssl dgst -sha256 -binary | hex)
  SCOPE=$DAY/$REGION/s3/aws4_request
  K=$(printf 'AWS4%s' "$(field SecretAccessKey)" | hex)
  for W in "$DAY" "$REGION" s3 aws4_request; do K=$(hmac "$K" "$W"); done
  K=$(hmac "$K" "$(printf 'AWS4-HMAC-SHA256\n%s\n%s\n%s' "$D" "$SCOPE" "$Q")")
  printf 'header = "%s"\n' "Authorization: AWS4-HMAC-SHA256 Credential=$(field AccessKeyId)/$SCOPE, SignedHeaders=$NAMES, Signature=$K" \
    "x-amz-content-sha256: $EMPTY" "x-amz-date: $D" "x-amz-security-token: $T" | curl -fsS -m 300 -K - -o "$2" "$U"
}
