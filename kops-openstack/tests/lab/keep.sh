#!/bin/bash
# keep.sh - holds the lab for as long as standard input stays open, and ends it with its last user.
#
# A test process starts this with a pipe that it never writes to; however the process ends, the pipe does too.
set -u
# Ctrl-C and `timeout` reach the whole group of processes: this one has to live on to end the lab.
trap '' INT TERM HUP
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec 9>"$OSLAB_DIR/users.lock"
flock --shared 9
echo held
cat >/dev/null
# Alone? Then nobody needs it any more.
if flock --exclusive --nonblock 9; then
  exec bash "$HERE/down.sh" >/dev/null 2>&1
fi
