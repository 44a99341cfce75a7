#!/bin/sh
# TempURLs: each reads what begins with its prefix, until it ends. The program needs them, too.
# shellcheck shell=sh disable=SC2154
get() {
  [ -s "$DIR/openstack.json" ] || printf '%s\n' "$URLS" >"$DIR/openstack.json"
  printf '%s\n' "$URLS" | sed -n 's/.*"prefix":"\([^"]*\)","method":"GET","base":"\([^"]*\)","query":"\([^"]*\)".*/\1 \2 \3/p' | while read -r P B Q; do
    case $1 in "$P"*) printf 'url = "%s/%s?%s"\n' "$B" "$1" "$Q" ;; esac
  done | curl -fsS -m 300 -K - -o "$2"
}
