#!/usr/bin/env bash
# Lays PgBouncer 1.24 from Debian 13 beside the one of Debian 12 (1.18), for the tests of transaction mode: with the C library
# that it was built for, in a folder of its own, so that nothing of the machine is another afterwards. Needs root for the place,
# which PgBouncer's own user must be able to read.
set -euo pipefail
place=${1:-/usr/local/lib/hjemmel-tests/pgbouncer}
[ -x "$place/pgbouncer" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{state/lists/partial,cache/archives/partial,debs,root} && touch "$work/state/status"
# From wherever this machine has Debian's packages.
from=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $from trixie main" >"$work/sources.list"
apt=(-qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State=$work/state"
  -o "Dir::State::status=$work/state/status" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root)
apt-get "${apt[@]}" update
(cd "$work/debs" && apt-get "${apt[@]}" download pgbouncer libc6 libcares2 libevent-2.1-7t64 libpam0g libssl3t64 libsystemd0 \
  libzstd1 zlib1g libaudit1 libcap-ng0 libcap2)
for package in "$work"/debs/*.deb; do dpkg -x "$package" "$work/root"; done

mkdir -p "$place"
cp -a "$work/root/usr/lib/x86_64-linux-gnu" "$place/lib"
cp "$work/root/usr/sbin/pgbouncer" "$place/program"
cat >"$work/pgbouncer" <<EOF
#!/bin/sh
exec $place/lib/ld-linux-x86-64.so.2 --library-path $place/lib $place/program "\$@"
EOF
chmod -R a+rX "$place" && install -m 755 "$work/pgbouncer" "$place/pgbouncer"
"$place/pgbouncer" --version | head -1
