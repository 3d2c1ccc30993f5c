#!/usr/bin/env bash
# How fast, beside OpenSSH's own server: the same client, cipher and memory disk, each row of the table in docs/performance/sftp.md. Medians of RUNS,
# CPU of the server, idle memory; FILES files of 10 KB with their triggers; a mailbox of MANY files beside one of a thousand.
#
#   tests/interop/sftp/speed.sh [--keep FILE.json] [MEGABYTES] [RUNS] [FILES] [MANY]       1024 3 10000 1000000 unless given
#   tests/interop/sftp/speed.sh --keep docs/performance/sftp.json      keeps the figures there, and writes the table in sftp.md beside it
#   tests/interop/sftp/speed.sh 8 1 50 2000                             whether it works, in a minute
#
# HJEMMEL names the program, which must be a release build for figures. It needs openssh-server (/usr/sbin/sshd), root or a user of its own,
# and seven times MEGABYTES and 1 GB more in /dev/shm.
set -euo pipefail
keep=()
if [ "${1:-}" = --keep ]; then
  keep=(--keep "${2:?where to keep the figures}")
  shift 2
fi
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
tools=$root/target/interop/sftp
mkdir -p "$tools"
[ -x "$tools/venv/bin/python" ] || python3 -m venv "$tools/venv"
"$tools/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/drivers/requirements.txt"
exec "$tools/venv/bin/python" "$here/speed.py" --program "${HJEMMEL:-$root/target/release/hjemmel}" --megabytes "${1:-1024}" --runs "${2:-3}" \
  --files "${3:-10000}" --many "${4:-1000000}" "${keep[@]}"
