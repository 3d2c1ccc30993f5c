#!/usr/bin/env bash
# lftp before OpenSSH's sftp-server: the file that is fetched last is never closed.
#
# Guessed: each `get` ends with SSH_FXP_CLOSE for the handle it opened, so a server may take the close for "fetched".
# Happens: the close is sent with the next command alone. After the last `get` lftp ends the session, with exit code 0 and the whole file, and the
#          handle is still open: of two files the first is closed, the second not. A server that counts a file as fetched at its close never counts
#          the one file that a nightly job fetches.
# The product: a file is fetched once its last byte was read to the end, closed or not (src/files/door/reading.rs).
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
(cd "$dir" && apt-get download -qq lftp=4.9.2-2+b1 openssh-sftp-server 2>"$dir/apt.log" && for package in ./*.deb; do dpkg -x "$package" root; done) ||
  { cat "$dir/apt.log"; echo "Debian 12's packages lftp and openssh-sftp-server, and the libraries of an installed lftp, are needed"; exit 2; }
for name in first second; do head -c 300000 /dev/zero >"$dir/$name"; done
printf '#!/bin/sh\nexec %s -e -l DEBUG3 2>>%s\n' "$dir/root/usr/lib/openssh/sftp-server" "$dir/log" >"$dir/connect"
chmod +x "$dir/connect"
lftp() { timeout 60 "$dir/root/usr/bin/lftp" -c "set sftp:connect-program $dir/connect; open -u x,x sftp://localhost; $*"; }
"$dir/root/usr/bin/lftp" --version | head -1
lftp "get $dir/first -o $dir/one; get $dir/second -o $dir/two"
echo "lftp ended with $?"
cmp "$dir/first" "$dir/one" && cmp "$dir/second" "$dir/two" && echo "both files are whole"
opened=$(grep -c '^open "' "$dir/log") closed=$(grep -c '^close "' "$dir/log")
grep -E '^(open|close) "' "$dir/log" | sed "s#$dir/##"
echo "$opened opened, $closed closed"
[ "$opened $closed" = "2 1" ] && grep -q '^close ".*/first"' "$dir/log" || { echo "the behaviour has changed"; exit 1; }
