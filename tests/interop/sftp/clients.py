"""What real clients do, before `hjemmel stub sftp`, before the homes and before the partners' mailboxes of `hjemmel serve`. Run by run.sh."""

import argparse
import contextlib
import filecmp
import json
import os
import re
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid
from pathlib import Path

HERE = Path(__file__).parent
UNHURRIED = 3600
REKEY = 1 << 20  # every transfer below renews its keys several times
AT_LEAST = 12  # real clients before each server
GIGABYTE = 1 << 30
MOST = 64 << 10  # what a transfer of any size, or one that stands still, may add to the server's memory, in kB


class Unavailable(Exception):
    """The client cannot be had here."""


class Failed(Exception):
    """The client reported failure."""


def run(*command, stdin="", wait=120, env=None):
    done = subprocess.run([str(part) for part in command], input=stdin, text=True, capture_output=True, timeout=wait, env=env)
    if done.returncode:
        raise Failed(f"{Path(str(command[0])).name} ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-600:]}")
    return done.stdout


class World:
    """A server with a user, its keys, and what lies in its home."""

    user = "KY"
    RECEIVED = "IN"

    def user_of(self, key):
        return self.user

    def __init__(self, program, folder):
        self.folder = Path(folder)
        self.program = program
        for name, kind in (("user", "ed25519"), ("rsa", "rsa"), ("wrong", "ed25519")):
            size = ["-b", "3072"] if kind == "rsa" else []
            run("ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", "test", "-f", self.folder / name)
        self.host_keys = []
        for kind in ("ed25519", "ecdsa"):
            file = self.folder / f"host-{kind}"
            run(program, "sftp", "host-key", "new", "--kind", kind, file)
            self.host_keys.append(file)
        shown = run(program, "sftp", "host-key", "show", *self.host_keys)
        self.fingerprints = re.findall(r"SHA256:\S+", shown)
        self.port = free_port()
        known = run(program, "sftp", "host-key", "show", "--host", f"[127.0.0.1]:{self.port}", *self.host_keys)
        lines = re.findall(r"known_hosts\s+(.*)", known)
        (self.folder / "known_hosts").write_text("\n".join(lines) + "\n")

    def start(self, *command):
        self.log = open(self.folder / "server.log", "w")
        self.server = subprocess.Popen([str(part) for part in command], stdout=self.log, stderr=self.log)
        until = time.monotonic() + 60
        while time.monotonic() < until and self.server.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise SystemExit(f"the server did not start: {(self.folder / 'server.log').read_text()[-3000:]}")

    def stop(self):
        self.server.send_signal(signal.SIGTERM)
        self.server.wait(30)

    def ssh_options(self, key="user"):
        settings = {
            "UserKnownHostsFile": self.folder / "known_hosts",
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "IdentityFile": self.folder / key,
            "LogLevel": "ERROR",
        }
        return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]

    def resident(self):
        status = Path(f"/proc/{self.server.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def same(self, local, remote):
        """Compared on disk: a file may be larger than memory."""
        with self.fetched(remote) as got:
            same(local, got)

    def read(self, remote):
        with self.fetched(remote) as got:
            return got.read_bytes()

    def others_are_served(self):
        """A connection of its own, and a file there and back."""
        file, back = self.folder / "user.pub", self.folder / "other"
        run("sftp", "-q", *self.ssh_options(), "-P", self.port, "-b", "-", f"{self.user}@127.0.0.1",
            stdin=f"put {file} OUT/other\nget OUT/other {back}\nrm OUT/other\n", wait=60)
        same(file, back)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Plain(World):
    """`hjemmel stub sftp`: homes that are folders."""

    real = False

    def __init__(self, program, folder, rekey):
        super().__init__(program, folder)
        self.home = self.folder / "homes" / "KY"
        keys = [part for name in ("user", "rsa") for part in ("--user", f"KY={self.folder / name}.pub")]
        hosts = [part for file in self.host_keys for part in ("--host-key", file)]
        self.start(program, "stub", "sftp", "--listen", f"127.0.0.1:{self.port}", "--root", self.folder / "homes", *keys, *hosts,
                   "--rekey-bytes", rekey, "--failures", 1000)

    def clear(self):
        for name in ("IN", "OUT", "STAGED"):
            for file in (self.home / name).iterdir():
                file.unlink()

    @contextlib.contextmanager
    def fetched(self, remote):
        yield self.home / remote

    def write(self, remote, content):
        (self.home / remote).write_bytes(content)

    def lay(self, local, remote):
        shutil.copyfile(local, self.home / remote)

    def names(self, folder):
        return sorted(os.listdir(self.home / folder))

    def closed(self):
        """Whether nothing is being written."""
        return not os.listdir(self.home / "STAGED")

    def fill(self, number):
        for name in range(number):
            (self.home / "IN" / f"{name:05}.xml").write_text("x")


class Mailboxes(World):
    """`hjemmel serve`: the real mailboxes, with users, keys and route orders made by the commands of docs/operations.md. What lies there
    is looked at by OpenSSH's client over one connection a user."""

    real = True
    PARTNER = "OPUS"

    def __init__(self, program, folder, rekey, more="failures = 1000\n"):
        super().__init__(program, folder)
        made = self.folder / "world"
        # Its STS's metadata, certificates and keys; the world itself is not needed.
        run(program, "demo", "--once", "--dir", made, wait=300)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", self.folder / "partner")
        (self.folder / "keys").mkdir()
        run(program, "objects", "key", self.folder / "keys/content.key")
        for name in ("staging", "objects", "audit"):
            (self.folder / name).mkdir()
        # Of what the demonstration may have of files nothing is used.
        text = re.sub(r"(?ms)^\[(objects|sftp)\]\n.*?(?=^\[|\Z)", "", (made / "hjemmel.toml").read_text())
        text = re.sub(r'(?m)^(address = "127\.0\.0\.1:)\d+"', lambda found: f'{found[1]}{free_port()}"', text)
        text = re.sub(r'(?m)^url = "sqlite:[^"]*"', f'url = "sqlite:{self.folder}/store.sqlite"', text)
        text = re.sub(r'(?m)^directory = "[^"]*"', f'directory = "{self.folder}/audit"', text)
        files = ", ".join(f'"{file}"' for file in self.host_keys)
        text += (f'\n[objects]\nurl = "file:{self.folder}/objects"\nkey = "{self.folder}/keys/content.key"\n'
                 f'\n[sftp]\naddress = "127.0.0.1:{self.port}"\nhost_keys = [{files}]\nstaging = "{self.folder}/staging"\n'
                 f'rekey_bytes = {rekey}\n{more}')
        self.admin = re.search(r'\[admin\][^\[]*?address = "([^"]+)"', text)[1]
        self.config = made / "mailboxes.toml"
        self.config.write_text(text)
        self.people(made / "pki")
        self.start(program, "serve", "--config", self.config)
        self.store = sqlite3.connect(self.folder / "store.sqlite", timeout=30, isolation_level=None)

    def people(self, pki):
        """Two systems with a key each, and an order each way: requested by one person and approved by another."""
        def hjemmel(*arguments):
            return run(self.program, *arguments, "--config", self.config)

        def who(name):
            return ["--certificate", pki / f"{name}.pem", "--key", pki / f"{name}.key.pem"]

        why = ["--reason", "client matrix"]
        hjemmel("user", "add", "--name", "O. Drift", "--role", "operator", "--certificate", pki / "client-udk.pem", *why)
        hjemmel("user", "add", "--name", "A. Prøve", "--role", "signatory", "--cvr", "11111111", "--certificate",
                pki / "client-korsbaek.pem", *why)
        for name, keys in (("KY", ("user", "rsa")), (self.PARTNER, ("partner",))):
            hjemmel("sftp", "user", "add", name, "--system", uuid.uuid4(), "--cvr", "11111111", *why)
            for key in keys:
                hjemmel("sftp", "key", "add", name, self.folder / f"{key}.pub", "--label", key, *why)
        for sender, recipient in (("KY", self.PARTNER), (self.PARTNER, "KY")):
            said = hjemmel("sftp", "order", "request", "--from", sender, "--to", recipient, "--pattern", "*", "--sender-authority", "11111111",
                           "--recipient-authority", "11111111", "--legal-basis", "Bogføringsloven § 6", "--purpose", "Prøve",
                           *who("client-udk"), *why)
            order = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", said)[0]
            hjemmel("sftp", "order", "approve", order, "--yes", *who("client-korsbaek"), *why)

    def look(self, *lines, user="KY"):
        key = "user" if user == "KY" else "partner"
        shared = ["-o", "ControlMaster=auto", "-o", f"ControlPath={self.folder}/{user}.ctl", "-o", "ControlPersist=120"]
        return run("sftp", "-q", *self.ssh_options(key), *shared, "-P", self.port, "-b", "-", f"{user}@127.0.0.1",
                   stdin="\n".join(lines) + "\n", wait=UNHURRIED)

    def stop(self):
        for user in ("KY", self.PARTNER):
            subprocess.run(["ssh", "-o", f"ControlPath={self.folder}/{user}.ctl", "-O", "exit", "x"], capture_output=True)
        self.store.close()
        super().stop()

    def clear(self):
        """Nothing in the homes, at once: a thousand names are removed one by one otherwise."""
        for statement in ("DELETE FROM home_file", "UPDATE sftp_user SET bytes_used = 0, files_used = 0"):
            self.store.execute(statement)

    @contextlib.contextmanager
    def fetched(self, remote, user="KY"):
        got = self.folder / f"seen-{uuid.uuid4()}"
        self.look(f'get "{remote}" "{got}"', user=user)
        yield got
        got.unlink()

    def read(self, remote, user="KY"):
        with self.fetched(remote, user) as got:
            return got.read_bytes()

    def write(self, remote, content, user="KY"):
        file = self.folder / f"laid-{uuid.uuid4()}"
        file.write_bytes(content)
        self.lay(file, remote, user)
        file.unlink()

    def lay(self, local, remote, user="KY"):
        self.look(f'put "{local}" "{remote}"', user=user)

    def names(self, folder, user="KY"):
        return sorted(line for line in self.look(f"cd {folder}", "ls -1", user=user).splitlines() if line and not line.startswith("sftp>"))

    def closed(self):
        return not os.listdir(f"/proc/{self.server.pid}/fd") or not any(
            ".staged" in os.readlink(file) for file in Path(f"/proc/{self.server.pid}/fd").iterdir() if os.path.islink(file))

    def comes(self, name, user="KY"):
        until = time.monotonic() + 60
        while name not in (names := self.names("IN", user)):
            assert time.monotonic() < until, f"{name} does not come to IN of {user}: {names}"
            time.sleep(0.1)

    def fill(self, number):
        """As many receipts as if so many files had been answered."""
        owner, = self.store.execute("SELECT id FROM sftp_user WHERE name = 'KY'").fetchone()
        now = time.time_ns() // 1000
        rows = [(str(uuid.uuid4()), owner, f"{name:05}.xml", f"{name:05}.xml", now, b"x") for name in range(number)]
        self.store.execute("BEGIN IMMEDIATE")
        self.store.executemany("INSERT INTO home_file (id, owner, folder, name, name_key, kind, held, size, modified_us, body) "
                               "VALUES (?, ?, 'IN', ?, ?, 'receipt', 0, 1, ?, ?)", rows)
        self.store.execute("COMMIT")

    def trigger(self, name, size, sender="KY", recipient=PARTNER):
        return (f'<ns2:Trigger xmlns:ns2="http://serviceplatformen.dk/xml/wsdl/soap11/SFTP/1/types"><FileDescriptor><FileName>{name}</FileName>'
                f"<SizeInBytes>{size}</SizeInBytes><Sender>{sender}</Sender><SendersFileId>fil-1</SendersFileId><Recipients>{recipient}"
                "</Recipients></FileDescriptor><FileContentDescriptor></FileContentDescriptor></ns2:Trigger>")


class Partners(Mailboxes):
    """`hjemmel serve`: the mailboxes of two partner agreements, served by a user, and by one with an RSA key: libraries know no other, or
    not that one."""

    user = "LOEN"
    OUT = "PA85858/OUT/LOENPOSTER/LOENGRUPPE=4711"
    IN = "PA00001/IN/LOENPOSTER/LOENGRUPPE=4711"
    RECEIPT = "PA85858/RECEIPT"
    RECEIVED = RECEIPT
    LARGEST = 400_000

    def user_of(self, key):
        return f"{self.user}_RSA" if key == "rsa" else self.user

    def people(self, pki):
        def hjemmel(*arguments):
            return run(self.program, *arguments, "--config", self.config)

        def who(name):
            return ["--certificate", pki / f"{name}.pem", "--key", pki / f"{name}.key.pem", "--reason", "client matrix"]

        def decided(*arguments):
            said = hjemmel("mailbox", *arguments, *who("client-udk"))
            hjemmel("mailbox", "request", "approve", re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", said)[0], *who("client-korsbaek"))

        why = ["--reason", "client matrix"]
        hjemmel("user", "add", "--name", "O. Drift", "--role", "operator", "--certificate", pki / "client-udk.pem", *why)
        hjemmel("user", "add", "--name", "A. Prøve", "--role", "signatory", "--cvr", "11111111", "--certificate",
                pki / "client-korsbaek.pem", *why)
        environment = re.search(r'(?m)^environment = "([^"]+)"', self.config.read_text())[1]
        alias = '[[alias]]\nkind = "LOENGRUPPE"\ncode = "4711"\nvalid_from = "2020-01-01"\n'
        stream = '[[stream]]\ncode = "LOENPOSTER"\ndirection = '
        # A stream's counterpart is there before it.
        for number, rest in (("PA00001", f'{stream}"IND"\n'),
                             ("PA85858", f'{alias}{stream}"UD"\ncounterpart = "PA00001"\nlargest_bytes = {self.LARGEST}\n')):
            terms = self.folder / f"{number}.toml"
            terms.write_text(f'number = "{number}"\nowner = "11111111"\nenvironment = "{environment}"\nlegal_basis = "Prøve § 1"\npurpose = "Løn"\n'
                             f'contact = {{ email = "loen@kommune.example", phone = "+45 00000000" }}\n{rest}')
            decided("agreement", "request", "--file", terms)
        for key in ("user", "rsa"):
            decided("user", "create", self.user_of(key), "--system-key", self.folder / f"{key}.pub", "--right", "PA85858=fetch,deliver",
                    "--right", "PA00001=fetch,deliver")

    def names(self, folder):
        """What waits in OUT is its own user's."""
        if folder == self.OUT:
            return [name for name, in self.store.execute("SELECT name FROM mailbox_upload ORDER BY name")]
        return super().names(folder)

    def look(self, *lines, user=None):
        shared = ["-o", "ControlMaster=auto", "-o", f"ControlPath={self.folder}/KY.ctl", "-o", "ControlPersist=120"]
        return run("sftp", "-q", *self.ssh_options(), *shared, "-P", self.port, "-b", "-", f"{self.user}@127.0.0.1",
                   stdin="\n".join(lines) + "\n", wait=UNHURRIED)

    def clear(self):
        for table in ("mailbox_receipt", "mailbox_upload"):
            self.store.execute(f"DELETE FROM {table}")

    def empty(self):
        """Fetches all that lies in IN, and so confirms it."""
        self.look(*(f'rm "{self.IN}/{name}"' for name in self.names(self.IN)))

    def fill(self, number):
        """As many receipts as if so many files had been answered."""
        owner, = self.store.execute("SELECT id FROM mailbox WHERE number = 'PA85858'").fetchone()
        now = time.time_ns() // 1000
        rows = [(str(uuid.uuid4()), owner, f"{name:05}.xml", f"{name:05}.xml", b"x", now) for name in range(number)]
        self.store.execute("BEGIN IMMEDIATE")
        self.store.executemany("INSERT INTO mailbox_receipt (id, mailbox, name, name_key, body, written_us) VALUES (?, ?, ?, ?, ?, ?)", rows)
        self.store.execute("COMMIT")

    def comes(self, folder, name):
        until = time.monotonic() + 60
        while name not in (names := self.names(folder)):
            assert time.monotonic() < until, f"{name} does not come to {folder}: {names}"
            time.sleep(0.1)


# Each client: `put` and `get`, and of the others what it has; each raises Failed where the client does.


class Client:
    """`rename` is that of version 3, which refuses a name that is there, but where `rename_replaces`; `replace` is posix-rename."""

    names = remove = rename = replace = mkdir = resume = append = tree_up = tree_down = None
    rename_replaces = False

    def end(self):
        pass


class OpenSsh(Client):
    """sftp"""

    def __init__(self, world, tools):
        self.world = world
        if not shutil.which("sftp"):
            raise Unavailable("package openssh-client")
        self.version = subprocess.run(["ssh", "-V"], capture_output=True, text=True).stderr.strip()

    def batch(self, *lines, key="user", wait=UNHURRIED):
        options = self.world.ssh_options(key)
        return run("sftp", "-q", *options, "-P", self.world.port, "-b", "-", f"{self.world.user}@127.0.0.1", stdin="\n".join(lines) + "\n", wait=wait)

    def put(self, local, remote, preserve=False, key="user"):
        self.batch(f'put {"-p" if preserve else ""} "{local}" "{remote}"', key=key)

    def get(self, remote, local):
        self.batch(f'get "{remote}" "{local}"')

    def names(self, folder):
        return [line for line in self.batch(f"cd {folder}", "ls -1").splitlines() if line and not line.startswith("sftp>")]

    def remove(self, remote):
        self.batch(f'rm "{remote}"')

    def rename(self, old, new):
        self.batch(f'rename -l "{old}" "{new}"')

    def replace(self, old, new):
        self.batch(f'rename "{old}" "{new}"')

    def mkdir(self, remote):
        self.batch(f'mkdir "{remote}"')

    def resume(self, local, remote):
        self.batch(f'reput "{local}" "{remote}"')

    def tree_up(self, local, remote):
        self.batch(f'put -r "{local}/." "{remote}"')

    def tree_down(self, remote, local):
        self.batch(f'get -r "{remote}/." "{local}"')


class Scp(OpenSsh):
    """scp over SFTP"""

    names = remove = rename = replace = mkdir = resume = None

    def copy(self, *paths, preserve=False, key="user"):
        run("scp", "-q", *(["-p"] if preserve else []), *self.world.ssh_options(key), "-P", self.world.port, *paths, wait=UNHURRIED)

    def put(self, local, remote, preserve=False, key="user"):
        self.copy(local, f"{self.world.user}@127.0.0.1:{remote}", preserve=preserve, key=key)

    def get(self, remote, local):
        self.copy(f"{self.world.user}@127.0.0.1:{remote}", local)

    def tree_up(self, local, remote):
        self.copy("-r", f"{local}/.", f"{self.world.user}@127.0.0.1:{remote}")

    def tree_down(self, remote, local):
        self.copy("-r", f"{self.world.user}@127.0.0.1:{remote}/.", local)


class Sshfs(Client):
    """a mounted folder"""

    def __init__(self, world, tools):
        if not shutil.which("sshfs") or not os.access("/dev/fuse", os.R_OK | os.W_OK):
            raise Unavailable("package sshfs, and /dev/fuse")
        self.world = world
        self.version = run("sshfs", "--version").splitlines()[0]
        self.mount = world.folder / "mount"
        self.mount.mkdir(exist_ok=True)
        # What it saw a moment ago it would believe: another party changes these folders too.
        cached = ["dir_cache=no", "attr_timeout=0", "entry_timeout=0"]
        options = ",".join([*(option for option in world.ssh_options() if option != "-o"), *cached])
        try:
            run("sshfs", "-p", world.port, "-o", options, f"{world.user}@127.0.0.1:/", self.mount, wait=20)
        except Failed as error:
            raise Unavailable(str(error)) if "permitted" in str(error) else error

    def put(self, local, remote, preserve=False):
        (shutil.copy2 if preserve else shutil.copyfile)(local, self.mount / remote)
        self.closed()

    def closed(self):
        """Its close does not wait for the server's."""
        until = time.monotonic() + 60
        while not self.world.closed():
            if time.monotonic() > until:
                raise Failed("never closed")
            time.sleep(0.02)

    def get(self, remote, local):
        # By a process of its own: what this one starts meanwhile would wait for its file.
        run("cp", self.mount / remote, local, wait=UNHURRIED)

    def names(self, folder):
        return os.listdir(self.mount / folder)

    def remove(self, remote):
        (self.mount / remote).unlink()

    # It is posix-rename.
    rename_replaces = True

    def rename(self, old, new):
        os.rename(self.mount / old, self.mount / new)

    replace = rename

    def mkdir(self, remote):
        (self.mount / remote).mkdir()

    def resume(self, local, remote):
        with open(local, "rb") as source, open(self.mount / remote, "r+b") as to:
            source.seek(to.seek(0, os.SEEK_END))
            shutil.copyfileobj(source, to)
        self.closed()

    def append(self, local, remote):
        with open(local, "rb") as source, open(self.mount / remote, "ab") as to:
            shutil.copyfileobj(source, to)
        self.closed()

    def tree_up(self, local, remote):
        run("cp", "-r", f"{local}/.", self.mount / remote)
        self.closed()

    def tree_down(self, remote, local):
        run("cp", "-r", f"{self.mount / remote}/.", local)

    def end(self):
        subprocess.run(["fusermount3", "-u", str(self.mount)], capture_output=True)


class Lftp(Client):
    """lftp"""

    def __init__(self, world, tools):
        if not shutil.which("lftp"):
            raise Unavailable("package lftp")
        self.world = world
        self.version = run("lftp", "--version").splitlines()[0]

    def do(self, *lines):
        ssh = " ".join(str(part) for part in ["ssh", "-a", "-x", *self.world.ssh_options()])
        settings = [f'set sftp:connect-program "{ssh}"', "set net:max-retries 1", "set cmd:fail-exit yes", "set net:timeout 20"]
        script = "\n".join([*settings, f"open -u {self.world.user}, sftp://127.0.0.1:{self.world.port}", *lines, "quit"])
        return run("lftp", "--norc", stdin=script, wait=UNHURRIED)

    def put(self, local, remote, preserve=False):
        self.do(f'put "{local}" -o "{remote}"')

    def get(self, remote, local):
        self.do(f'get "{remote}" -o "{local}"')

    def names(self, folder):
        return self.do(f"cd {folder}", "cls -1").split("\n")[:-1]

    def remove(self, remote):
        self.do(f'rm "{remote}"')

    def rename(self, old, new):
        self.do(f'mv "{old}" "{new}"')

    def resume(self, local, remote):
        self.do(f'put -c "{local}" -o "{remote}"')

    def mkdir(self, remote):
        self.do(f'mkdir "{remote}"')

    def tree_up(self, local, remote):
        self.do(f'mirror -R "{local}" "{remote}"')

    def tree_down(self, remote, local):
        self.do(f'mirror "{remote}" "{local}"')


class Curl(Client):
    """curl with libssh2"""

    def __init__(self, world, tools):
        if not shutil.which("curl") or "sftp" not in run("curl", "--version"):
            raise Unavailable("package curl, with SFTP")
        self.world = world
        self.version = run("curl", "--version").splitlines()[0][:70]

    def do(self, *arguments):
        key = self.world.folder / "user"
        return run("curl", "-sS", "--key", key, "--pubkey", f"{key}.pub", "--insecure", *arguments, wait=UNHURRIED)

    def url(self, remote):
        return f"sftp://{self.world.user}@127.0.0.1:{self.world.port}/{urllib.parse.quote(remote)}"

    def put(self, local, remote, preserve=False):
        self.do("-T", local, self.url(remote))

    def get(self, remote, local):
        self.do("-o", local, self.url(remote))

    def names(self, folder):
        return [name for name in self.do("--list-only", self.url(folder) + "/").splitlines() if name not in (".", "..")]

    def remove(self, remote):
        self.do("-Q", f"rm /{remote}", self.url(""), "-o", "/dev/null")

    def rename(self, old, new):
        self.do("-Q", f"rename /{old} /{new}", self.url(""), "-o", "/dev/null")

    def mkdir(self, remote):
        self.do("-Q", f"mkdir /{remote}", self.url(""), "-o", "/dev/null")

    def resume(self, local, remote):
        self.do("-C", "-", "-T", local, self.url(remote))

    def append(self, local, remote):
        self.do("-a", "-T", local, self.url(remote))


class Rclone(Client):
    """rclone"""

    def __init__(self, world, tools):
        if not shutil.which("rclone"):
            raise Unavailable("package rclone")
        self.world = world
        self.version = run("rclone", "version").splitlines()[0]
        self.config = world.folder / "rclone.conf"
        self.config.write_text(
            f"[s]\ntype = sftp\nhost = 127.0.0.1\nuser = {world.user}\nport = {world.port}\nkey_file = {world.folder / 'user'}\n"
            f"known_hosts_file = {world.folder / 'known_hosts'}\n"
        )

    def do(self, *arguments):
        return run("rclone", "--config", self.config, "--retries", "1", "--low-level-retries", "1", *arguments, wait=UNHURRIED)

    def put(self, local, remote, preserve=False):
        self.do("copyto", local, f"s:{remote}")

    def get(self, remote, local):
        self.do("copyto", f"s:{remote}", local)

    def names(self, folder):
        return self.do("lsf", f"s:{folder}").splitlines()

    def remove(self, remote):
        self.do("deletefile", f"s:{remote}")

    def mkdir(self, remote):
        self.do("mkdir", f"s:{remote}")

    def tree_up(self, local, remote):
        # Of several files it sets the times over another connection than it put them: what is delivered at once is gone by then.
        self.do("copy", "--sftp-set-modtime=false", local, f"s:{remote}")

    def tree_down(self, remote, local):
        self.do("copy", f"s:{remote}", local)


class Putty(Client):
    """psftp"""

    def __init__(self, world, tools):
        if not shutil.which("psftp") or not shutil.which("puttygen"):
            raise Unavailable("package putty-tools")
        self.world = world
        self.version = run("psftp", "-V").splitlines()[0]
        self.key = world.folder / "user.ppk"
        if not self.key.exists():
            run("puttygen", world.folder / "user", "-O", "private", "-o", self.key)

    def common(self):
        hosts = [part for fingerprint in self.world.fingerprints for part in ("-hostkey", fingerprint)]
        return ["-batch", "-P", self.world.port, "-i", self.key, *hosts]

    def batch(self, *lines):
        script = self.world.folder / "psftp.batch"
        script.write_text("\n".join(lines) + "\n")
        return run("psftp", *self.common(), "-b", script, f"{self.world.user}@127.0.0.1", wait=UNHURRIED)

    def put(self, local, remote, preserve=False):
        self.batch(f'put "{local}" "{remote}"')

    def get(self, remote, local):
        self.batch(f'get "{remote}" "{local}"')

    def names(self, folder):
        lines = [line.split(None, 8)[-1] for line in self.batch(f"ls {folder}").splitlines() if re.match(r"[d-]r", line)]
        return [name for name in lines if name not in (".", "..")]

    def remove(self, remote):
        self.batch(f'rm "{remote}"')

    def rename(self, old, new):
        self.batch(f'mv "{old}" "{new}"')

    def mkdir(self, remote):
        self.batch(f'mkdir "{remote}"')

    def resume(self, local, remote):
        self.batch(f'reput "{local}" "{remote}"')

    def tree_up(self, local, remote):
        self.batch(f'put -r "{local}" "{remote}"')

    def tree_down(self, remote, local):
        self.batch(f'get -r "{remote}" "{local}"')


class Pscp(Putty):
    """pscp"""

    names = remove = rename = mkdir = resume = tree_up = tree_down = None

    def put(self, local, remote, preserve=False):
        run("pscp", "-q", *(["-p"] if preserve else []), *self.common(), local, f"{self.world.user}@127.0.0.1:{remote}", wait=UNHURRIED)

    def get(self, remote, local):
        run("pscp", "-q", *self.common(), f"{self.world.user}@127.0.0.1:{remote}", local, wait=UNHURRIED)


class Driven(Client):
    """A library, by a program in drivers/: one process and one connection for all that it does, a line of JSON for each step and each answer."""

    key = "user"
    process = None

    def __init__(self, world, tools):
        self.world, self.tools = world, Path(tools)
        self.version = self.find()

    def do(self, step, remote, **more):
        if not self.process:
            self.said = open(self.world.folder / "driver.log", "wb")
            self.process = subprocess.Popen([str(part) for part in self.command()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said)
            self.tell({"host": "127.0.0.1", "port": self.world.port, "user": self.world.user_of(self.key), "key": str(self.world.folder / self.key),
                       "known_hosts": str(self.world.folder / "known_hosts")})
        self.tell({"do": step, "remote": remote, **more})
        if not select.select([self.process.stdout], [], [], UNHURRIED)[0]:
            raise Failed("it does not answer")
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"it ended: {(self.world.folder / 'driver.log').read_text()[-600:]}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["done"]

    def tell(self, about):
        try:
            self.process.stdin.write(json.dumps(about).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Failed(f"it ended: {(self.world.folder / 'driver.log').read_text()[-600:]}") from error

    def end(self):
        if self.process:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
            self.said.close()

    def put(self, local, remote, preserve=False):
        self.do("put", remote, local=str(local), preserve=preserve)

    def get(self, remote, local):
        self.do("get", remote, local=str(local))

    def names(self, folder):
        return [name for name in self.do("names", folder) if name not in (".", "..")]

    def remove(self, remote):
        self.do("remove", remote)

    def mkdir(self, remote):
        self.do("mkdir", remote)

    def rename(self, old, new):
        self.do("rename", old, to=new)

    def replace(self, old, new):
        self.do("replace", old, to=new)

    def resume(self, local, remote):
        self.do("resume", remote, local=str(local))

    def append(self, local, remote):
        self.do("append", remote, local=str(local))


class WithTrees(Driven):
    """A library that has folders with all that is in them."""

    def tree_up(self, local, remote):
        self.do("tree_up", remote, local=str(local))

    def tree_down(self, remote, local):
        self.do("tree_down", remote, local=str(local))


class Paramiko(Driven):
    """paramiko"""

    library = "paramiko"
    key = "rsa"

    def command(self):
        return [self.tools / "venv/bin/python", HERE / "drivers/driver.py", self.library]

    def find(self):
        try:
            code = f"import {self.library}; print('{self.library}', {self.library}.__version__)"
            return run(self.tools / "venv/bin/python", "-c", code).strip()
        except (Failed, OSError) as error:
            raise Unavailable("PyPI") from error


class Asyncssh(WithTrees, Paramiko):
    """asyncssh"""

    library = "asyncssh"


class Ssh2(Driven):
    """ssh2 (npm)"""

    library = "ssh2"

    def command(self):
        return ["node", self.tools / "node/driver.js", self.library]

    def find(self):
        package = self.tools / "node/node_modules" / self.library / "package.json"
        if not shutil.which("node") or not package.exists():
            raise Unavailable("node and npm")
        shutil.copyfile(HERE / "drivers/driver.js", self.tools / "node/driver.js")
        return f"{self.library} {json.loads(package.read_text())['version']}"


class Ssh2SftpClient(WithTrees, Ssh2):
    """ssh2-sftp-client (npm)"""

    library = "ssh2-sftp-client"


class GoSftp(Driven):
    """pkg/sftp (Go)"""

    def command(self):
        return [self.tools / "go/driver"]

    def find(self):
        if not (self.tools / "go/driver").exists():
            raise Unavailable("Go, and its module proxy")
        return re.search(r"pkg/sftp (v\S+)", (self.tools / "go/go.mod").read_text())[0]


class Jsch(Driven):
    """JSch (Maven)"""

    main, library, key = "JschDriver", "jsch-", "rsa"
    # It asks for posix-rename by itself.
    rename_replaces = True

    def command(self):
        java = self.tools / "java/target"
        return ["java", "-cp", f"{java}/classes:{java}/dependency/*", self.main]

    def find(self):
        jars = sorted((self.tools / "java/target/dependency").glob(f"{self.library}[0-9]*.jar"))
        if not shutil.which("java") or not jars or not (self.tools / f"java/target/classes/{self.main}.class").exists():
            raise Unavailable("Java and Maven")
        return jars[0].stem


class Sshj(WithTrees, Jsch):
    """sshj (Maven)"""

    main, library = "SshjDriver", "sshj-"
    rename_replaces = False


class Mina(Jsch):
    """Apache MINA SSHD (Maven)"""

    main, library = "MinaDriver", "sshd-sftp-"
    rename_replaces = False


CLIENTS = {
    "openssh-sftp": OpenSsh,
    "openssh-scp": Scp,
    "sshfs": Sshfs,
    "lftp": Lftp,
    "curl": Curl,
    "rclone": Rclone,
    "psftp": Putty,
    "pscp": Pscp,
    "paramiko": Paramiko,
    "asyncssh": Asyncssh,
    "ssh2": Ssh2,
    "ssh2-sftp-client": Ssh2SftpClient,
    "go-sftp": GoSftp,
    "jsch": Jsch,
    "sshj": Sshj,
    "mina": Mina,
}


def same(one, other):
    assert filecmp.cmp(one, other, shallow=False), f"{one} and {other} differ"


def content(world, name, size):
    file = world.folder / name
    if not file.exists() or file.stat().st_size != size:
        with open(file, "wb") as out:
            while size:
                piece = os.urandom(min(size, 1 << 20))
                size -= out.write(piece)
    return file


# Each scenario: what a client must manage. It returns False where the client has no such thing.


def a_file_goes_up_and_comes_down_whole_over_renewed_keys(client, world):
    three = content(world, "three", 3_000_001)
    client.put(three, "OUT/three")
    world.same(three, "OUT/three")
    back = world.folder / "back"
    back.unlink(missing_ok=True)
    client.get("OUT/three", back)
    same(three, back)


def an_empty_file_is_a_file(client, world):
    empty = content(world, "empty", 0)
    client.put(empty, "OUT/empty")
    assert world.read("OUT/empty") == b""


def a_shorter_file_over_a_longer_leaves_no_tail(client, world):
    client.put(content(world, "longer", 300_000), "OUT/file")
    short = content(world, "shorter", 1_000)
    client.put(short, "OUT/file")
    world.same(short, "OUT/file")


def preserved_times_are_no_failure(client, world):
    file = content(world, "times", 1_000)
    client.put(file, "OUT/times", preserve=True)
    world.same(file, "OUT/times")


def a_trigger_takes_the_file_and_the_client_sees_success(client, world):
    if world.real:
        return a_file_goes_to_its_recipient_and_another_comes_back(client, world)
    data, trigger = content(world, "data", 100_000), content(world, "trigger", 500)
    # With times preserved: they are set by name when the file is taken.
    client.put(data, "OUT/data", preserve=True)
    client.put(trigger, "OUT/data.trigger", preserve=True)
    world.same(data, "IN/data")
    assert world.names("OUT") == []
    if not client.names:
        return
    assert sorted(client.names("IN")) == ["data", "data.sftpreceipt"], client.names("IN")
    got = world.folder / "got"
    got.unlink(missing_ok=True)
    client.get("IN/data.sftpreceipt", got)
    assert got.read_text() == "SUCCESS"
    client.remove("IN/data.sftpreceipt")
    client.remove("IN/data")
    assert world.names("IN") == []


def a_file_goes_to_its_recipient_and_another_comes_back(client, world):
    """Through the mailboxes: data and trigger out, receipt in; then a file of the partner's with its metadata, fetched and removed."""
    # A name of its own each time: the recipient has the earlier ones.
    name, answer = f"data-{uuid.uuid4()}", f"svar-{uuid.uuid4()}"
    data, trigger = content(world, "data", 100_000), world.folder / "data.trigger"
    trigger.write_text(world.trigger(name, 100_000))
    client.put(data, f"OUT/{name}", preserve=True)
    client.put(trigger, f"OUT/{name}.trigger", preserve=True)
    world.comes(f"{name}.sftpreceipt")
    assert world.names("OUT") == []
    got = world.folder / "got"
    got.unlink(missing_ok=True)
    client.get(f"IN/{name}.sftpreceipt", got)
    assert "<Message>SUCCESS</Message>" in got.read_text(), got.read_text()
    assert world.read(f"IN/{name}", world.PARTNER) == data.read_bytes()
    assert f"<Recipients>{world.PARTNER}</Recipients>" in world.read(f"IN/{name}.metadata", world.PARTNER).decode()
    world.write(f"OUT/{answer}", b"svar", world.PARTNER)
    world.write(f"OUT/{answer}.trigger", world.trigger(answer, 4, world.PARTNER, "KY").encode(), world.PARTNER)
    world.comes(answer)
    got.unlink()
    client.get(f"IN/{answer}", got)
    assert got.read_bytes() == b"svar"
    if client.names:
        assert sorted(client.names("IN")) == sorted([f"{name}.sftpreceipt", answer, f"{answer}.metadata"]), client.names("IN")
        for file in (f"{name}.sftpreceipt", answer, f"{answer}.metadata"):
            client.remove(f"IN/{file}")
        assert world.names("IN") == []


def a_refused_file_has_a_receipt_with_each_reason_and_stays(client, world):
    if not world.real:
        return False
    name = f"wrong-{uuid.uuid4()}"
    data, trigger = content(world, "data", 100_000), world.folder / "data.trigger"
    trigger.write_text(world.trigger(name, 99_999, "KY", "UKENDT"))
    client.put(data, f"OUT/{name}")
    client.put(trigger, f"OUT/{name}.trigger")
    world.comes(f"{name}.sftpreceipt")
    got = world.folder / "got"
    got.unlink(missing_ok=True)
    client.get(f"IN/{name}.sftpreceipt", got)
    codes = re.findall(r"<ErrorCode>(\d+)<", got.read_text())
    assert codes == ["1011", "1021"], codes
    assert world.names("OUT") == [name]


def danish_letters_stand_in_names(client, world):
    file = content(world, "name", 100)
    client.put(file, "OUT/Sortiment Overført ÆØÅ.xml")
    assert world.names("OUT") == ["Sortiment Overført ÆØÅ.xml"]
    if client.names:
        assert client.names("OUT") == ["Sortiment Overført ÆØÅ.xml"]


def a_trigger_that_comes_by_a_rename_takes_the_file(client, world):
    if not client.rename:
        return False
    name = f"data-{uuid.uuid4()}"
    text = world.trigger(name, 100_000) if world.real else "trigger"
    for way, rename in (("", client.rename), ("posix-", client.replace or client.rename)):
        trigger = world.folder / "data.trigger"
        trigger.write_text(text.replace(name, f"{way}{name}"))
        client.put(content(world, "data", 100_000), f"OUT/{way}{name}")
        client.put(trigger, f"OUT/.in.{way}{name}.part")
        rename(f"OUT/.in.{way}{name}.part", f"OUT/{way}{name}.trigger")
        if world.real:
            world.comes(f"{way}{name}.sftpreceipt")
        assert f"{way}{name}.sftpreceipt" in client.names("IN")
        assert world.names("OUT") == []


def a_rename_onto_a_name_that_is_there_is_refused_and_posix_rename_replaces(client, world):
    if not client.rename:
        return False
    world.write("OUT/a", b"a")
    world.write("OUT/b", b"b")
    client.rename("OUT/a", "OUT/c")
    assert world.read("OUT/c") == b"a"
    if not client.rename_replaces:
        fails(lambda: client.rename("OUT/c", "OUT/b"))
        assert world.read("OUT/b") == b"b" and world.names("OUT") == ["b", "c"]
    if client.replace:
        client.replace("OUT/c", "OUT/b")
        assert world.read("OUT/b") == b"a" and world.names("OUT") == ["b"]


def fails(what):
    try:
        what()
    except (Failed, OSError):
        return
    raise AssertionError("no failure was reported")


def tree(world, names):
    """A folder with files of these names, and nothing else; its own name is in the way of none."""
    folder = world.folder / "tree"
    shutil.rmtree(folder, ignore_errors=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode() * 100)
    return folder


def whole_folders_go_up_and_come_down(client, world):
    if not client.tree_up:
        return False
    names = [f"fil-{number:03}" for number in range(25)]
    client.tree_up(tree(world, names), "OUT")
    assert world.names("OUT") == names, world.names("OUT")
    for name in (names[0], names[-1]):
        world.same(world.folder / "tree" / name, f"OUT/{name}")
    world.fill(25)
    back = emptied(world, "back-tree")
    client.tree_down("IN", back)
    found = {path.name: path.read_text() for path in back.rglob("*") if path.is_file()}
    assert found == {f"{number:05}.xml": "x" for number in range(25)}, sorted(found)


def emptied(world, name):
    folder = world.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def a_new_folder_is_refused_and_the_client_says_so(client, world):
    if not client.mkdir:
        return False
    fails(lambda: client.mkdir("OUT/mappe"))
    fails(lambda: client.mkdir("mappe"))
    if client.tree_up:
        # A folder within a folder too; the files beside it may arrive.
        with contextlib.suppress(Failed, OSError):
            client.tree_up(tree(world, ["mappe/fil"]), "OUT")
        assert not {"mappe", "fil"} & set(world.names("OUT")), world.names("OUT")


def a_reader_that_stalls_keeps_nobody_waiting_and_goes_on(client, world):
    size = 4 << 20
    while True:
        large = content(world, f"large-{size}", size)
        world.lay(large, "OUT/large")
        into, failure = emptied(world, "stalled"), []

        def get():
            try:
                client.get("OUT/large", into / "large")
            except (Failed, OSError) as error:
                failure.append(error)

        reading = threading.Thread(target=get)
        before = world.resident()
        reading.start()
        while reading.is_alive() and not any(file.stat().st_size for file in into.iterdir()):
            pass
        stopped = programs(client, world)
        try:
            for process in stopped:
                os.kill(process, signal.SIGSTOP)
            stalled = reading.is_alive() and stopped
            world.others_are_served()
            grew = world.resident() - before
        finally:
            for process in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)
        reading.join()
        assert not failure, failure[0]
        same(large, into / "large")
        assert grew < MOST, f"{grew} kB"
        if stalled:
            return
        # It was faster than it was stopped.
        large.unlink()
        size *= 2
        assert size < 1 << 30, "it was never seen reading"


def programs(client, world):
    """The processes of a client: those below this one, but the server; sshfs stands by itself."""
    found, todo = [], [os.getpid()]
    while todo:
        for task in Path(f"/proc/{todo.pop()}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                todo += [int(child) for child in task.read_text().split() if int(child) != world.server.pid]
                found += [int(child) for child in task.read_text().split() if int(child) != world.server.pid]
    for process in Path("/proc").glob("[0-9]*") if hasattr(client, "mount") else []:
        with contextlib.suppress(OSError):
            if str(client.mount).encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return sorted(set(found))


def an_upload_is_resumed(client, world):
    if not client.resume:
        return False
    whole = content(world, "whole", 400_000)
    world.write("OUT/resumed", whole.read_bytes()[:150_000])
    client.resume(whole, "OUT/resumed")
    world.same(whole, "OUT/resumed")


def what_is_appended_stands_at_the_end(client, world):
    if not client.append:
        return False
    world.write("OUT/log", b"first ")
    more = world.folder / "more"
    more.write_text("second")
    client.append(more, "OUT/log")
    assert world.read("OUT/log") == b"first second"


def in_takes_nothing_and_the_client_says_so(client, world):
    fails(lambda: client.put(content(world, "small", 10), "IN/small"))
    assert world.names("IN") == []


def a_thousand_files_are_listed(client, world, number=1_000):
    if not client.names:
        return False
    world.fill(number)
    found = client.names(world.RECEIVED)
    assert len(found) == number and len(set(found)) == number, len(found)


def ten_thousand_files_are_listed(client, world):
    return a_thousand_files_are_listed(client, world, 10_000)


def a_gigabyte_goes_up_and_comes_down(client, world):
    gigabyte, before = content(world, "gigabyte", GIGABYTE), world.resident()
    client.put(gigabyte, "OUT/gigabyte")
    world.same(gigabyte, "OUT/gigabyte")
    back = world.folder / "back"
    back.unlink(missing_ok=True)
    client.get("OUT/gigabyte", back)
    same(gigabyte, back)
    back.unlink()
    grew = world.resident() - before
    print(f"      the server's memory: {world.resident()} kB, {grew} kB more than before")
    assert grew < MOST, f"{grew} kB"


# Before the mailboxes of partner agreements.


def a_file_goes_to_the_other_party_and_its_removal_confirms_it(client, world):
    name, data = f"løn-{uuid.uuid4()}.txt", content(world, "data", 100_000)
    client.put(data, f"{world.OUT}/{name}", preserve=True)
    world.comes(world.IN, name)
    world.comes(world.RECEIPT, f"{name}.sftpreceipt")
    assert world.names(world.OUT) == []
    for remote, due in ((f"{world.RECEIPT}/{name}.sftpreceipt", b"<Message>SUCCESS</Message>"), (f"{world.IN}/{name}", data.read_bytes())):
        got = world.folder / "got"
        got.unlink(missing_ok=True)
        client.get(remote, got)
        assert due in got.read_bytes(), remote
    if client.names:
        assert name in client.names(world.IN), client.names(world.IN)
        client.remove(f"{world.IN}/{name}")
        assert name not in world.names(world.IN)
        state, = world.store.execute("SELECT transport FROM mailbox_file WHERE name = ?", (name,)).fetchone()
        assert state == "AFHENTET", state


def an_unfinished_name_waits_and_its_rename_delivers(client, world):
    if not client.rename:
        return False
    name = f"loen-{uuid.uuid4()}.txt"
    client.put(content(world, "data", 100_000), f"{world.OUT}/{name}.part")
    assert world.names(world.OUT) == [f"{name}.part"]
    client.rename(f"{world.OUT}/{name}.part", f"{world.OUT}/{name}")
    world.comes(world.IN, name)
    assert world.names(world.OUT) == []


def an_unfinished_upload_is_resumed(client, world):
    if not client.resume:
        return False
    # By its own user alone: what is unfinished is nobody else's.
    name, whole, half, back = f"loen-{uuid.uuid4()}.part", content(world, "whole", 300_000), world.folder / "half", world.folder / "back"
    half.write_bytes(whole.read_bytes()[:150_000])
    client.put(half, f"{world.OUT}/{name}")
    client.resume(whole, f"{world.OUT}/{name}")
    back.unlink(missing_ok=True)
    client.get(f"{world.OUT}/{name}", back)
    same(whole, back)


def a_file_that_is_too_large_has_a_receipt_whatever_the_client_says(client, world):
    name = f"stor-{uuid.uuid4()}.txt"
    with contextlib.suppress(Failed, OSError):
        client.put(content(world, "large", world.LARGEST + 1), f"{world.OUT}/{name}")
    world.comes(world.RECEIPT, f"{name}.sftpreceipt")
    assert b"<ErrorCode>1060<" in world.read(f"{world.RECEIPT}/{name}.sftpreceipt")
    assert name not in world.names(world.IN)


def whole_folders_are_delivered_and_fetched(client, world):
    if not client.tree_up:
        return False
    names = sorted(f"mappe-{uuid.uuid4()}" for _ in range(5))
    client.tree_up(tree(world, names), world.OUT)
    for name in names:
        world.comes(world.IN, name)
    assert world.names(world.OUT) == []
    back = emptied(world, "back-tree")
    client.tree_down(world.IN, back)
    for name in names:
        got, = back.rglob(name)
        same(world.folder / "tree" / name, got)
    world.empty()


def a_new_folder_beside_the_streams_is_refused_and_the_client_says_so(client, world):
    if not client.mkdir:
        return False
    for place in (f"{world.OUT}/mappe", "PA85858/OUT/mappe", "mappe"):
        fails(lambda: client.mkdir(place))


def an_inbox_takes_nothing(client, world):
    before = world.names(world.IN)
    with contextlib.suppress(Failed, OSError):
        client.put(content(world, "small", 10), f"{world.IN}/small")
    assert world.names(world.IN) == before


SCENARIOS = [
    a_file_goes_up_and_comes_down_whole_over_renewed_keys,
    an_empty_file_is_a_file,
    a_shorter_file_over_a_longer_leaves_no_tail,
    preserved_times_are_no_failure,
    a_trigger_takes_the_file_and_the_client_sees_success,
    a_trigger_that_comes_by_a_rename_takes_the_file,
    danish_letters_stand_in_names,
    a_rename_onto_a_name_that_is_there_is_refused_and_posix_rename_replaces,
    an_upload_is_resumed,
    what_is_appended_stands_at_the_end,
    whole_folders_go_up_and_come_down,
    a_new_folder_is_refused_and_the_client_says_so,
    in_takes_nothing_and_the_client_says_so,
    a_reader_that_stalls_keeps_nobody_waiting_and_goes_on,
]
# The plain folders, which are read anew for each page.
PLAIN = [*SCENARIOS, a_thousand_files_are_listed]
# The homes, with the receipts that the plain folders do not have.
REAL = [*SCENARIOS, a_refused_file_has_a_receipt_with_each_reason_and_stays, ten_thousand_files_are_listed]
OF_PARTNERS = [
    a_file_goes_to_the_other_party_and_its_removal_confirms_it,
    an_unfinished_name_waits_and_its_rename_delivers,
    an_unfinished_upload_is_resumed,
    whole_folders_are_delivered_and_fetched,
    a_new_folder_beside_the_streams_is_refused_and_the_client_says_so,
    a_file_that_is_too_large_has_a_receipt_whatever_the_client_says,
    an_inbox_takes_nothing,
    ten_thousand_files_are_listed,
]
LONG = [a_gigabyte_goes_up_and_comes_down]

# What a client cannot do, or says nothing of; each was seen against OpenSSH's own server too.
KNOWN = {
    # It writes behind, and its close does not wait.
    ("sshfs", "in_takes_nothing_and_the_client_says_so"): None,
}


def what_openssh_is_told_of_the_server(world):
    """Algorithms, methods, and all that is not SFTP."""
    options = world.ssh_options()
    ssh = ["ssh", *options, "-p", str(world.port)]
    shown = subprocess.run([*ssh, "-vv", "-o", "LogLevel=DEBUG2", f"{world.user}@127.0.0.1", "true"], capture_output=True, text=True, timeout=30).stderr
    assert "Authentications that can continue: publickey\n" in shown, shown
    assert "compression stoc: none\n" in shown
    assert "resetting read seqnr" in shown, "strict key exchange"
    offered = re.search(r"server-sig-algs=<([^>]*)>", shown)[1].split(",")
    assert "ssh-rsa" not in offered and "rsa-sha2-512" in offered, offered
    host = re.findall(r"host key algorithms: (.*)", shown)[-1].strip().split(",")
    assert host == ["ssh-ed25519", "ecdsa-sha2-nistp256"], host

    def refused(*more, key="rsa"):
        command = ["sftp", "-q", *world.ssh_options(key), *more, "-P", str(world.port), "-b", "-", f"{world.user}@127.0.0.1"]
        return subprocess.run(command, input="pwd\n", capture_output=True, text=True, timeout=60).returncode

    assert refused() == 0
    assert refused("-o", "PubkeyAcceptedAlgorithms=ssh-rsa") != 0, "SHA-1"
    assert refused("-o", "HostKeyAlgorithms=ssh-rsa") != 0
    assert refused(key="wrong") != 0
    for cipher in ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"):
        assert refused("-o", f"Ciphers={cipher}") == 0, cipher
    for kex in ("curve25519-sha256", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "diffie-hellman-group14-sha256"):
        assert refused("-o", f"KexAlgorithms={kex}") == 0, kex
    for more in (["true"], ["-T"], ["-W", "127.0.0.1:22"]):
        assert subprocess.run([*ssh, *([] if more == ["true"] else more), f"{world.user}@127.0.0.1", *([] if more != ["true"] else more)],
                              input="", capture_output=True, text=True, timeout=30).returncode != 0, more


def spsftp_sends_and_reads_by_the_older_root_alone(world, tools):
    """The real package: its `send`, and its `recv`, which knows metadata by the root `ns2:Trigger`."""
    python = Path(tools) / "spsftp/bin/python"
    if subprocess.run([python, "-c", "import spsftp"], capture_output=True).returncode:
        raise Unavailable("spsftp of PyPI")
    # It takes RSA keys in PEM alone.
    key = world.folder / "pem"
    shutil.copyfile(world.folder / "rsa", key)
    key.chmod(0o600)
    run("ssh-keygen", "-q", "-p", "-m", "PEM", "-N", "", "-P", "", "-f", key)

    def exchange():
        name, answer = f"sp-{uuid.uuid4()}", f"svar-{uuid.uuid4()}"
        world.write(f"OUT/{answer}", b"svar", world.PARTNER)
        world.write(f"OUT/{answer}.trigger", world.trigger(answer, 4, world.PARTNER, "KY").encode(), world.PARTNER)
        world.comes(answer)
        said = run(python, HERE / "drivers/spsftp_driver.py", world.port, key, name, answer, world.PARTNER)
        world.comes(f"{name}.sftpreceipt")
        assert "<Message>SUCCESS</Message>" in world.read(f"IN/{name}.sftpreceipt").decode()
        assert world.read(f"IN/{name}", world.PARTNER) == b"content of " + name.encode()
        return said.splitlines()

    def older(switch):
        run(world.program, "sftp", "user", "change", "KY", "--older-root", switch, "--reason", "prøve", "--config", world.config)

    assert exchange() == ["sent", "kept from it: KeyError('ns2:Trigger')"]
    older("true")
    assert exchange() == ["sent", "read svar"]
    older("false")


def receipts_and_metadata_are_valid_to_two_judges(world):
    """As a client fetched them, by the official schema: a file's metadata, its receipt, and the receipt of one that is refused for two reasons."""
    reference = Path(os.environ.get("HJEMMEL_REFERENCE", HERE.parents[3] / "shared/reference"))
    schema = reference / "sftp/xsd/SFTPTypes.xsd"
    if not schema.exists():
        raise Unavailable("the official schemas (HJEMMEL_REFERENCE)")
    if not shutil.which("java") or not shutil.which("xmllint"):
        raise Unavailable("Java, and package libxml2-utils")
    good, wrong = f"godt-{uuid.uuid4()}", f"forkert-{uuid.uuid4()}"
    for name, size, recipient in ((good, 4, world.PARTNER), (wrong, 5, "UKENDT")):
        world.write(f"OUT/{name}", b"data")
        world.write(f"OUT/{name}.trigger", world.trigger(name, size, recipient=recipient).encode())
        world.comes(f"{name}.sftpreceipt")
    folder = emptied(world, "judged")
    documents = {"metadata": world.read(f"IN/{good}.metadata", world.PARTNER), "success": world.read(f"IN/{good}.sftpreceipt"),
                 "refused": world.read(f"IN/{wrong}.sftpreceipt")}
    # What must not pass: else the judges would judge nothing.
    documents["changed"] = re.sub(rb"<SizeInBytes>4<", b"<SizeInBytes>four<", documents["metadata"])
    assert documents["changed"] != documents["metadata"]
    files = []
    for name, text in documents.items():
        files.append(folder / f"{name}.xml")
        files[-1].write_bytes(text)
    java = run("java", HERE / "drivers/schema/Judge.java", schema, *files).splitlines()
    assert java[:-1] == ["valid"] * 3 and "four" in java[-1], java
    libxml2 = [subprocess.run(["xmllint", "--noout", "--nonet", "--schema", schema, file], capture_output=True).returncode for file in files]
    assert libxml2[:-1] == [0, 0, 0] and libxml2[-1] == 3, libxml2


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", required=True)
    arguments.add_argument("--tools", required=True)
    arguments.add_argument("--long", action="store_true")
    arguments.add_argument("--within", type=float, default=UNHURRIED, help="begin with no client after so many seconds")
    arguments.add_argument("--before", choices=["stub", "mailboxes", "partners", "all"], default="all", help="before which server")
    arguments.add_argument("clients", nargs="*", metavar="CLIENT", help=", ".join(CLIENTS))
    given = arguments.parse_args()
    unknown = set(given.clients) - set(CLIENTS)
    if unknown:
        arguments.error(f"no such client: {', '.join(unknown)}")
    began, failed = time.monotonic(), []
    # With keys renewed at each megabyte a gigabyte takes an hour in Python.
    rounds = [("stub", Plain, REKEY, PLAIN), ("mailboxes", Mailboxes, REKEY, REAL), ("partners", Partners, REKEY, OF_PARTNERS)]
    if given.long:
        rounds += [("stub", Plain, 256 << 20, LONG), ("mailboxes", Mailboxes, 256 << 20, LONG)]
    for name, kind, rekey, scenarios in rounds:
        if given.before not in (name, "all"):
            continue
        with tempfile.TemporaryDirectory(prefix="hjemmel-sftp-") as folder:
            world = kind(given.program, folder, rekey)
            print(f"before the {name}:")
            try:
                failed += round_of(name, world, given, scenarios, began + given.within)
            finally:
                world.stop()
    return 1 if failed else 0


def round_of(server, world, given, scenarios, deadline):
    failed, ran, missing = [], 0, 0
    if not given.clients and scenarios not in (LONG, OF_PARTNERS):
        try:
            what_openssh_is_told_of_the_server(world)
            print("ok    what OpenSSH is told of the server")
            if world.real:
                for what, does in (("spsftp", lambda: spsftp_sends_and_reads_by_the_older_root_alone(world, given.tools)),
                                   ("receipts and metadata by the official schema", lambda: receipts_and_metadata_are_valid_to_two_judges(world))):
                    world.clear()
                    try:
                        does()
                        print(f"ok    {what}")
                    except Unavailable as why:
                        missing += 1
                        print(f"DID NOT RUN  {what}: needs {why}")
        except (AssertionError, Failed) as error:
            failed.append("openssh")
            print(f"FAIL  what OpenSSH is told of the server: {error}")
    for name in given.clients or CLIENTS:
        if time.monotonic() > deadline:
            missing += 1
            print(f"DID NOT RUN  {name}: no time left before the {server}")
            continue
        world.clear()
        try:
            client = CLIENTS[name](world, given.tools)
        except Unavailable as why:
            missing += 1
            print(f"DID NOT RUN  {name}: needs {why}")
            continue
        began, done, wrong = time.monotonic(), 0, []
        for scenario in scenarios:
            if (name, scenario.__name__) in KNOWN:
                continue
            world.clear()
            try:
                done += scenario(client, world) is not False
            except (Failed, AssertionError, OSError, subprocess.TimeoutExpired) as error:
                wrong.append(f"{scenario.__name__}: {str(error)[:800]}")
        client.end()
        ran += 1
        print(f"{'FAIL' if wrong else 'ok  '}  {name}: {done} scenarios in {time.monotonic() - began:.1f} s ({client.version})")
        for line in wrong:
            print(f"      {line}")
        failed += wrong
        sys.stdout.flush()
    # A round that nobody played shows nothing.
    if not given.clients and ran < AT_LEAST:
        failed.append(f"{ran} clients")
        print(f"FAIL  {ran} real clients before the {server}: at least {AT_LEAST} are asked for")
    print(f"{ran} clients ran, {missing} did not, {len(failed)} failures")
    return failed


if __name__ == "__main__":
    sys.exit(main())
