#!/usr/bin/env bash
# asyncssh's `put` of a file that ends in a hole: the end is missing at the server, and no error is raised.
#
# Guessed: `put` leaves the holes of a sparse file out of what it sends, and sets the size at the end, so that the file is as long as it was. Files get holes
#          by themselves: the zeros at the end of a tar or database file that `cp --sparse`, `rsync -S`, a preallocation or a restored backup wrote.
# Happens: asyncssh 2.24.0 looks for holes by default (`sparse=True`), sends the ranges that hold data and closes. What lies behind the last range is
#          never sent: of 1,000,000 bytes 102,400 arrive, and `put` returns as after a success. With `sparse=False`, and of the same bytes without a hole, the
#          whole file arrives.
# The product: the trigger's SizeInBytes differs from what came, so the receipt says 1011 and nothing is delivered; a file of a mailbox, which has no trigger,
#          is what arrived. docs/clients/sftp.md says to put with `sparse=False`.
#
# Installs pinned packages into a temporary folder and runs them without the product. Exit 0: it still does so. Exit 1: it does something else.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
command -v python3 >/dev/null || { echo "python3 with venv is needed"; exit 2; }
python3 -m venv "$dir/venv" || exit 2
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check asyncssh==2.24.0 cryptography==50.0.2 || exit 2
mkdir "$dir/server"
cd "$dir"
"$dir/venv/bin/python" - <<'PY'
import asyncio
import os
import sys

import asyncssh

print("asyncssh", asyncssh.__version__)
DATA = os.urandom(100_000)
with open("holed", "wb") as file:
    file.write(DATA)
    file.truncate(1_000_000)
with open("filled", "wb") as file:
    file.write(DATA + bytes(900_000))
with open("holed", "rb") as file:
    if os.lseek(file.fileno(), 0, os.SEEK_HOLE) == 1_000_000:
        print("a temporary folder on a file system with holes is needed")
        sys.exit(2)


class Server(asyncssh.SSHServer):
    def begin_auth(self, username):
        return False


async def tried():
    key = asyncssh.generate_private_key("ssh-ed25519")
    home = lambda channel: asyncssh.SFTPServer(channel, chroot="server")
    server = await asyncssh.create_server(Server, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=home)
    seen = {}
    async with asyncssh.connect("127.0.0.1", server.get_port(), known_hosts=None, username="x", client_keys=None, config=None) as connection:
        async with connection.start_sftp_client() as sftp:
            for name, options in (("filled", {}), ("holed", {}), ("holed", {"sparse": False})):
                await sftp.put(name, "/arrived", **options)
                with open("server/arrived", "rb") as arrived, open(name, "rb") as sent:
                    whole, there = sent.read(), arrived.read()
                seen[name, bool(options)] = there == whole
                print(f"put {name} {options or ''}: returned; {len(whole)} bytes sent, {len(there)} arrived{'' if there == whole else ', the rest is missing'}")
                assert whole.startswith(there)
    return seen


seen = asyncio.run(asyncio.wait_for(tried(), 60))
if seen != {("filled", False): True, ("holed", False): False, ("holed", True): True}:
    print("the behaviour has changed")
    sys.exit(1)
PY
