#!/bin/sh
# What every machine runs, after the variables and `get`.
# shellcheck shell=sh disable=SC2154
DIR=${KOPS_DIR:-/var/lib/kops}
say() { echo "kops stage 0: $*" >&2; }
right() { [ "$(sha256sum <"$1" 2>/dev/null)" = "$2  -" ]; }
# fetch KEY SHA256 FILE MODE
fetch() {
  right "$3" "$2" && return 0
  get "$1" "$3.new" || { say "cannot read $1 yet"; return 1; }
  right "$3.new" "$2" || { say "$1 is not what was asked for (SHA-256): not used"; rm -f "$3.new"; return 1; }
  chmod "$4" "$3.new" && mv "$3.new" "$3"
}
umask 077
mkdir -p "$DIR"
[ -z "${API-}" ] || printf '%s\n' "$API" >"$DIR/api"
[ -z "${VOLUMES-}" ] || printf '%s\n' "$VOLUMES" >"$DIR/volumes"
PAUSE=${KOPS_PAUSE:-5}
until fetch "$PROGRAM" "$PROGRAM_SHA256" "$DIR/kops-node" 755 && fetch "$BUNDLE" "$BUNDLE_SHA256" "$DIR/bundle.json" 600; do
  sleep "$PAUSE"
  [ "$PAUSE" -ge 60 ] || PAUSE=$((PAUSE * 2))
done
say "starting kops-node"
until "$DIR/kops-node" install; do sleep 10; done
