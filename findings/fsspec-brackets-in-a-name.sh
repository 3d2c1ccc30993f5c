#!/usr/bin/env bash
# fsspec (Python), over SFTP by sshfs or by its own class: `put` and `get` of a file whose name has brackets take another file, and `rm` removes the right one or that other.
#
# Guessed: a path given to `put`, `get` and `rm` that is there is that file, as it is to `open` and `exists`; a pattern is what no file is called.
# Happens: they take it for a pattern, without a look whether a file is called so, and the name that a browser gives to a copy, loen[1].csv, is a pattern for loen1.csv. `put` into OUT/
#          sends loen1.csv, `get` into a folder fetches loen1.csv, and both return as after a success. `rm` of fsspec's own class removes loen1.csv; that of sshfs takes the
#          name as it is, so that after `get` and `rm` loen[1].csv is gone and nobody has fetched it. `put_file`, `get_file` and `rm_file` take names.
# The product: a file of OUT or IN may have brackets in its name, and is removed when its recipient says so, fetched or not; in a mailbox a file that was not fetched is not
#          removed. docs/clients/sftp.md says which calls to use.
#
# Installs pinned packages into a temporary folder and runs them without the product. Exit 0: it still does so. Exit 1: it does something else.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
command -v python3 >/dev/null || { echo "python3 with venv is needed"; exit 2; }
python3 -m venv "$dir/venv" || exit 2
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check fsspec==2026.9.0 sshfs==2026.8.0 asyncssh==2.24.0 paramiko==4.0.0 cryptography==50.0.2 || exit 2
cd "$dir"
cat >server.py <<'PY'
import asyncio
import sys

import asyncssh


class Server(asyncssh.SSHServer):
    def begin_auth(self, username):
        return False


async def serve():
    key = asyncssh.generate_private_key("ssh-ed25519")
    home = lambda channel: asyncssh.SFTPServer(channel, chroot="server")
    server = await asyncssh.create_server(Server, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=home)
    print(server.get_port(), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(serve())
PY
cat >try.py <<'PY'
import pathlib
import shutil
import subprocess
import sys
from importlib.metadata import version

import fsspec
from fsspec.implementations.sftp import SFTPFileSystem
from sshfs import SSHFileSystem

SERVER, LOCAL = pathlib.Path("server"), pathlib.Path("local")


def contents(folder):
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*")) if file.is_file()}


def tried(files):
    seen = []
    for act in (
        lambda: files.put("local/loen[1].csv", "/OUT/"),
        lambda: files.get("/IN/loen[1].csv", "local/new/"),
        lambda: files.rm("/IN/loen[1].csv"),
        lambda: files.put_file("local/loen[1].csv", "/OUT/loen[1].csv"),
        lambda: files.get_file("/IN/loen[1].csv", "local/new/loen[1].csv"),
        lambda: files.rm_file("/IN/loen[1].csv"),
    ):
        for folder in (SERVER, LOCAL):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (SERVER / "IN", SERVER / "OUT", LOCAL / "new"):
            folder.mkdir(parents=True)
        for folder in (SERVER / "IN", LOCAL):
            (folder / "loen[1].csv").write_text("asked for")
            (folder / "loen1.csv").write_text("another")
        before = contents(SERVER) | {f"local/{name}": text for name, text in contents(LOCAL).items()}
        act()
        after = contents(SERVER) | {f"local/{name}": text for name, text in contents(LOCAL).items()}
        new = [f"{name} ({after[name]})" for name in after if name not in before]
        gone = [name for name in before if name not in after]
        seen.append(f"new {new}, gone {gone}")
    return seen


server = subprocess.Popen([sys.executable, "server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
port = int(server.stdout.readline())
print("fsspec", fsspec.__version__, "sshfs", version("sshfs"))
by_name = ["new ['OUT/loen[1].csv (asked for)'], gone []", "new ['local/new/loen[1].csv (asked for)'], gone []", "new [], gone ['IN/loen[1].csv']"]
by_pattern = ["new ['OUT/loen1.csv (another)'], gone []", "new ['local/new/loen1.csv (another)'], gone []"]
same = True
for name, files, removed in (
    ("sshfs", SSHFileSystem("127.0.0.1", port=port, username="x", known_hosts=None, client_keys=None, config=None), "IN/loen[1].csv"),
    ("fsspec's own", SFTPFileSystem("127.0.0.1", port=port, username="x", password="x", look_for_keys=False, allow_agent=False), "IN/loen1.csv"),
):
    seen = tried(files)
    for what, told in zip(("put", "get", "rm", "put_file", "get_file", "rm_file"), seen):
        print(f"{name}, {what} of loen[1].csv: {told}")
    same = same and seen == by_pattern + [f"new [], gone ['{removed}']"] + by_name
server.stdin.close()
server.wait(10)
if not same:
    print("the behaviour has changed")
    sys.exit(1)
PY
timeout 120 "$dir/venv/bin/python" try.py
