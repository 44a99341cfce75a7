#!/bin/sh
# A directory of the machine.
# shellcheck shell=sh disable=SC2154
get() { cp "$BASE/$1" "$2"; }
