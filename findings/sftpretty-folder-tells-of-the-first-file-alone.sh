#!/usr/bin/env bash
# sftpretty 1.2.4 (Python, the successor of pysftp): `put_d`, `put_r`, `get_d` and `get_r` return as after a success although files of the folder failed.
#
# Guessed:  a folder's files go one by one or at once, and a call that returns has moved them all; if one of them fails, the call raises what that one raised, as `put` and `get` of the same package do.
# Happens:  the files go at once, in threads, and the call ends with the result of whichever file is done first: it is raised if that one failed, and handed out if not. What becomes of the others is waited for,
#           and nobody looks at it. So with two files that are put and one that the server refuses a little later, `put_d` returns; where the refused one is the first to be done, it raises. A test with a
#           folder of one file shows the error. `get_d` does the same, and leaves an empty file of the name behind.
# Product:  a file that could not be put is not there, and no receipt comes for it; of those that could not be fetched there are empty files. Data file and trigger of one folder go at once too, so that a trigger may
#           come before its file (1010). docs/clients/sftp.md says to use `put` and `get` file by file.
#
# Seen: put_d with the refusal last returned, a.csv and c.csv were there; with the refusal first OSError; get_d with the refusal last returned, and b.csv was empty at home; put of b.csv alone OSError.
# Needs python3. Installs pinned packages into a temporary folder and runs them without the product. Exit 0: it still does so. Exit 1: it does something else. Exit 2: something cannot be installed.
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 is needed"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
nice venv/bin/pip install --quiet --disable-pip-version-check sftpretty==1.2.4 paramiko==5.1.0 asyncssh==2.24.1 || exit 2
cat >try.py <<'PYTHON'
import asyncio
import logging
import pathlib
import shutil
import sys
import threading
from importlib.metadata import version

import asyncssh
import sftpretty

home, here = pathlib.Path("home").resolve(), pathlib.Path("here").resolve()
slow = ""  # "refused": the refusal comes last; "taken": it comes first


class Door(asyncssh.SFTPServer):
    def __init__(self, channel):
        super().__init__(channel, chroot=str(home).encode())

    async def open(self, path, pflags, attrs):
        refused = path.endswith(b"b.csv")
        if slow == ("refused" if refused else "taken"):
            await asyncio.sleep(1.5)
        if refused:
            raise asyncssh.SFTPFailure("not this one")
        return super().open(path, pflags, attrs)


class Everyone(asyncssh.SSHServer):
    def begin_auth(self, username):
        return True

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        return True


def serve(ready, found):
    async def run():
        server = await asyncssh.create_server(Everyone, "127.0.0.1", 0, server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")], sftp_factory=Door)
        found.append(server.sockets[0].getsockname()[1])
        ready.set()
        await asyncio.Event().wait()

    asyncio.run(run())


def afresh():
    for folder in home, here:
        shutil.rmtree(folder, ignore_errors=True)
    (home / "OUT").mkdir(parents=True)
    (home / "IN").mkdir()
    (here / "OUT").mkdir(parents=True)
    for name in "a.csv", "b.csv", "c.csv":
        (here / "OUT" / name).write_text("Kommunekode;Navn\n")
        (home / "IN" / name).write_text("Kommunekode;Navn\n")


def tried(act):
    try:
        act()
    except OSError as error:
        return type(error).__name__
    return "returned"


def there(folder):
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}


logging.disable(logging.CRITICAL)
ready, found = threading.Event(), []
afresh()
threading.Thread(target=serve, args=(ready, found), daemon=True).start()
ready.wait(30)
seen = {}
with sftpretty.Connection("127.0.0.1", port=found[0], username="x", password="x", cnopts=sftpretty.CnOpts(config="/dev/null", knownhosts=None)) as sftp:
    for slow in "refused", "taken":
        afresh()
        seen["put_d", slow] = tried(lambda: sftp.put_d(str(here / "OUT"), "/", workers=3)), there(home / "OUT")
        afresh()
        seen["put_r", slow] = tried(lambda: sftp.put_r(str(here / "OUT"), "/", workers=3)), there(home / "OUT")
        afresh()
        seen["get_d", slow] = tried(lambda: sftp.get_d("/IN", str(here / "IN"), workers=3)), there(here / "IN")
    slow = ""
    afresh()
    seen["put", ""] = tried(lambda: sftp.put(str(here / "OUT/b.csv"), "/OUT/b.csv")), there(home / "OUT")
    for name in "a.csv", "c.csv":
        (here / "OUT" / name).unlink()
    seen["put_d of b.csv alone", ""] = tried(lambda: sftp.put_d(str(here / "OUT"), "/", workers=3)), there(home / "OUT")
print(f"sftpretty {version('sftpretty')}, paramiko {version('paramiko')}")
for (call, late), (said, files) in seen.items():
    print(f"{call}, slow {late or 'nobody'}: {said}; there {files}")
two, three = {"a.csv": 17, "c.csv": 17}, {"a.csv": 17, "b.csv": 0, "c.csv": 17}
due = {
    ("put_d", "refused"): ("returned", two),
    ("put_r", "refused"): ("returned", two),
    ("get_d", "refused"): ("returned", three),
    ("put_d", "taken"): ("OSError", two),
    ("put_r", "taken"): ("OSError", two),
    ("get_d", "taken"): ("OSError", three),
    ("put", ""): ("OSError", {}),
    ("put_d of b.csv alone", ""): ("OSError", {}),
}
sys.exit(0 if seen == due else 1)
PYTHON
timeout 120 venv/bin/python -W ignore try.py 2>err.log || { tail -n 5 err.log; echo "the behaviour has changed"; exit 1; }
