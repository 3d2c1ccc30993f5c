#!/usr/bin/env bash
# How fast, beside OpenSSH's own server: the same client, cipher and memory disk. Median of RUNS, CPU of the server, idle memory.
#
#   tests/interop/sftp/speed.sh [MEGABYTES] [RUNS]
#
# HJEMMEL names the program, which must be a release build. It needs openssh-server (/usr/sbin/sshd) and root or a user of its own.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
exec python3 "$here/speed.py" --program "${HJEMMEL:-$root/target/release/hjemmel}" --megabytes "${1:-1024}" --runs "${2:-3}"
