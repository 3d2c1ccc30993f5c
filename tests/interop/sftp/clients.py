"""What real clients do, before `hjemmel stub sftp`, before the homes and before the partners' mailboxes of `hjemmel serve`. Run by run.sh."""

import argparse
import contextlib
import filecmp
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid
from pathlib import Path

HERE = Path(__file__).parent
UNHURRIED = 3600
REKEY = 1 << 20  # every transfer below renews its keys several times


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
        got = self.read(remote)
        assert Path(local).read_bytes() == got, f"{local} and {remote} differ: {len(got)} bytes"


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

    def read(self, remote):
        return (self.home / remote).read_bytes()

    def write(self, remote, content):
        (self.home / remote).write_bytes(content)

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
                   stdin="\n".join(lines) + "\n", wait=300)

    def stop(self):
        for user in ("KY", self.PARTNER):
            subprocess.run(["ssh", "-o", f"ControlPath={self.folder}/{user}.ctl", "-O", "exit", "x"], capture_output=True)
        self.store.close()
        super().stop()

    def clear(self):
        """Nothing in the homes, at once: a thousand names are removed one by one otherwise."""
        for statement in ("DELETE FROM home_file", "UPDATE sftp_user SET bytes_used = 0, files_used = 0"):
            self.store.execute(statement)

    def read(self, remote, user="KY"):
        got = self.folder / f"seen-{uuid.uuid4()}"
        self.look(f'get "{remote}" "{got}"', user=user)
        content = got.read_bytes()
        got.unlink()
        return content

    def write(self, remote, content, user="KY"):
        file = self.folder / f"laid-{uuid.uuid4()}"
        file.write_bytes(content)
        self.look(f'put "{file}" "{remote}"', user=user)
        file.unlink()

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
                   stdin="\n".join(lines) + "\n", wait=300)

    def clear(self):
        for table in ("mailbox_receipt", "mailbox_upload"):
            self.store.execute(f"DELETE FROM {table}")

    def comes(self, folder, name):
        until = time.monotonic() + 60
        while name not in (names := self.names(folder)):
            assert time.monotonic() < until, f"{name} does not come to {folder}: {names}"
            time.sleep(0.1)


# Each client: `put`, `get`, `names`, `remove`, `rename` as far as it has them; each raises Failed where the client does.


class OpenSsh:
    """sftp"""

    def __init__(self, world, tools):
        self.world = world
        if not shutil.which("sftp"):
            raise Unavailable("package openssh-client")
        self.version = subprocess.run(["ssh", "-V"], capture_output=True, text=True).stderr.strip()

    def batch(self, *lines, key="user", wait=300):
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
        self.batch(f'rename "{old}" "{new}"')

    def resume(self, local, remote):
        self.batch(f'reput "{local}" "{remote}"')


class Scp(OpenSsh):
    """scp over SFTP"""

    names = remove = rename = resume = None

    def copy(self, *paths, preserve=False, key="user"):
        run("scp", "-q", *(["-p"] if preserve else []), *self.world.ssh_options(key), "-P", self.world.port, *paths, wait=300)

    def put(self, local, remote, preserve=False, key="user"):
        self.copy(local, f"{self.world.user}@127.0.0.1:{remote}", preserve=preserve, key=key)

    def get(self, remote, local):
        self.copy(f"{self.world.user}@127.0.0.1:{remote}", local)


class Sshfs:
    """a mounted folder"""

    def __init__(self, world, tools):
        if not shutil.which("sshfs") or not os.access("/dev/fuse", os.R_OK | os.W_OK):
            raise Unavailable("package sshfs, and /dev/fuse")
        self.world = world
        self.version = run("sshfs", "--version").splitlines()[0]
        self.mount = world.folder / "mount"
        self.mount.mkdir(exist_ok=True)
        options = ",".join(option for option in world.ssh_options() if option != "-o")
        try:
            run("sshfs", "-p", world.port, "-o", options, f"{world.user}@127.0.0.1:/", self.mount, wait=20)
        except Failed as error:
            raise Unavailable(str(error)) if "permitted" in str(error) else error

    def put(self, local, remote, preserve=False):
        (shutil.copy2 if preserve else shutil.copyfile)(local, self.mount / remote)
        # Its close does not wait for the server's.
        for _ in range(100):
            if self.world.closed():
                return
            time.sleep(0.05)
        raise Failed("never closed")

    def get(self, remote, local):
        shutil.copyfile(self.mount / remote, local)

    def names(self, folder):
        return os.listdir(self.mount / folder)

    def remove(self, remote):
        (self.mount / remote).unlink()

    rename = None

    def end(self):
        subprocess.run(["fusermount3", "-u", str(self.mount)], capture_output=True)


class Lftp:
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
        return run("lftp", "--norc", stdin=script, wait=300)

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


class Curl:
    """curl with libssh2"""

    def __init__(self, world, tools):
        if not shutil.which("curl") or "sftp" not in run("curl", "--version"):
            raise Unavailable("package curl, with SFTP")
        self.world = world
        self.version = run("curl", "--version").splitlines()[0][:70]

    def do(self, *arguments):
        key = self.world.folder / "user"
        return run("curl", "-sS", "--key", key, "--pubkey", f"{key}.pub", "--insecure", *arguments, wait=300)

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

    def append(self, local, remote):
        self.do("-a", "-T", local, self.url(remote))


class Rclone:
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
        return run("rclone", "--config", self.config, "--retries", "1", "--low-level-retries", "1", *arguments, wait=300)

    def put(self, local, remote, preserve=False):
        self.do("copyto", local, f"s:{remote}")

    def get(self, remote, local):
        self.do("copyto", f"s:{remote}", local)

    def names(self, folder):
        return self.do("lsf", f"s:{folder}").splitlines()

    def remove(self, remote):
        self.do("deletefile", f"s:{remote}")

    rename = None


class Putty:
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
        return run("psftp", *self.common(), "-b", script, f"{self.world.user}@127.0.0.1", wait=300)

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

    def resume(self, local, remote):
        self.batch(f'reput "{local}" "{remote}"')


class Pscp(Putty):
    """pscp"""

    names = remove = rename = resume = None

    def put(self, local, remote, preserve=False):
        run("pscp", "-q", *(["-p"] if preserve else []), *self.common(), local, f"{self.world.user}@127.0.0.1:{remote}", wait=300)

    def get(self, remote, local):
        run("pscp", "-q", *self.common(), f"{self.world.user}@127.0.0.1:{remote}", local, wait=300)


class Driven:
    """A library, by a program in drivers/ that takes what is to be done as JSON and answers a line for each."""

    key = "user"

    def __init__(self, world, tools):
        self.world, self.tools = world, Path(tools)
        self.version = self.find()

    def do(self, *steps, key=None):
        about = {"host": "127.0.0.1", "port": self.world.port, "user": self.world.user_of(key or self.key), "key": str(self.world.folder / (key or self.key)), "steps": steps}
        about["known_hosts"] = str(self.world.folder / "known_hosts")
        answer = json.loads(run(*self.command(), stdin=json.dumps(about), wait=400).splitlines()[-1])
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["done"]

    def put(self, local, remote, preserve=False, key=None):
        self.do({"do": "put", "local": str(local), "remote": remote, "preserve": preserve}, key=key)

    def get(self, remote, local):
        self.do({"do": "get", "local": str(local), "remote": remote})

    def names(self, folder):
        return [name for name in self.do({"do": "names", "remote": folder})[0] if name not in (".", "..")]

    def remove(self, remote):
        self.do({"do": "remove", "remote": remote})

    def rename(self, old, new):
        self.do({"do": "rename", "remote": old, "to": new})


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


class Asyncssh(Paramiko):
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


class Ssh2SftpClient(Ssh2):
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
    slow = True  # a virtual machine for each step

    def command(self):
        java = self.tools / "java/target"
        return ["java", "-cp", f"{java}/classes:{java}/dependency/*", self.main]

    def find(self):
        jars = sorted((self.tools / "java/target/dependency").glob(f"{self.library}[0-9]*.jar"))
        if not shutil.which("java") or not jars or not (self.tools / f"java/target/classes/{self.main}.class").exists():
            raise Unavailable("Java and Maven")
        return jars[0].stem


class Sshj(Jsch):
    """sshj (Maven)"""

    main, library = "SshjDriver", "sshj-"


class Mina(Jsch):
    """Apache MINA SSHD (Maven)"""

    main, library = "MinaDriver", "sshd-sftp-"


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
    five = content(world, "five", 5_000_001)
    client.put(five, "OUT/five")
    world.same(five, "OUT/five")
    back = world.folder / "back"
    back.unlink(missing_ok=True)
    client.get("OUT/five", back)
    same(five, back)


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
    client.put(data, "OUT/data")
    client.put(trigger, "OUT/data.trigger")
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
    client.put(data, f"OUT/{name}")
    client.put(trigger, f"OUT/{name}.trigger")
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


def a_rename_onto_a_name_that_is_there_is_refused_or_replaces(client, world):
    if not client.rename:
        return False
    world.write("OUT/a", b"a")
    world.write("OUT/b", b"b")
    client.rename("OUT/a", "OUT/c")
    assert world.read("OUT/c") == b"a"
    # posix-rename replaces, the rename of version 3 fails; no client may be told the one and see the other.
    try:
        client.rename("OUT/c", "OUT/b")
        assert world.read("OUT/b") == b"a"
    except Failed:
        assert world.read("OUT/b") == b"b" and "c" in world.names("OUT")


def an_upload_is_resumed(client, world):
    if not getattr(client, "resume", None):
        return False
    whole = content(world, "whole", 400_000)
    world.write("OUT/resumed", whole.read_bytes()[:150_000])
    client.resume(whole, "OUT/resumed")
    world.same(whole, "OUT/resumed")


def what_is_appended_stands_at_the_end(client, world):
    if not getattr(client, "append", None):
        return False
    world.write("OUT/log", b"first ")
    more = world.folder / "more"
    more.write_text("second")
    client.append(more, "OUT/log")
    assert world.read("OUT/log") == b"first second"


def in_takes_nothing_and_the_client_says_so(client, world):
    try:
        client.put(content(world, "small", 10), "IN/small")
    except (Failed, OSError):
        pass
    else:
        raise AssertionError("no failure was reported")
    assert world.names("IN") == []


def many_files_are_listed(client, world, number=1_000):
    if not client.names:
        return False
    world.fill(number)
    found = client.names("IN")
    assert len(found) == number and len(set(found)) == number, len(found)


def ten_thousand_files_are_listed(client, world):
    return many_files_are_listed(client, world, 10_000)


def a_gigabyte_goes_up_and_comes_down(client, world):
    gigabyte = content(world, "gigabyte", 1 << 30)
    client.put(gigabyte, "OUT/gigabyte")
    world.same(gigabyte, "OUT/gigabyte")
    back = world.folder / "back"
    back.unlink(missing_ok=True)
    client.get("OUT/gigabyte", back)
    same(gigabyte, back)
    back.unlink()
    print(f"      resident after: {world.resident()} kB")


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
    if not getattr(client, "resume", None):
        return False
    name, whole = f"loen-{uuid.uuid4()}.part", content(world, "whole", 300_000)
    world.write(f"{world.OUT}/{name}", whole.read_bytes()[:150_000])
    client.resume(whole, f"{world.OUT}/{name}")
    world.same(whole, f"{world.OUT}/{name}")


def a_file_that_is_too_large_has_a_receipt_whatever_the_client_says(client, world):
    name = f"stor-{uuid.uuid4()}.txt"
    with contextlib.suppress(Failed, OSError):
        client.put(content(world, "large", world.LARGEST + 1), f"{world.OUT}/{name}")
    world.comes(world.RECEIPT, f"{name}.sftpreceipt")
    assert b"<ErrorCode>1060<" in world.read(f"{world.RECEIPT}/{name}.sftpreceipt")
    assert name not in world.names(world.IN)


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
    danish_letters_stand_in_names,
    a_rename_onto_a_name_that_is_there_is_refused_or_replaces,
    an_upload_is_resumed,
    what_is_appended_stands_at_the_end,
    in_takes_nothing_and_the_client_says_so,
    many_files_are_listed,
]
# Before the mailboxes, where the store makes a difference.
REAL = [
    a_file_goes_up_and_comes_down_whole_over_renewed_keys,
    a_shorter_file_over_a_longer_leaves_no_tail,
    preserved_times_are_no_failure,
    a_trigger_takes_the_file_and_the_client_sees_success,
    a_refused_file_has_a_receipt_with_each_reason_and_stays,
    danish_letters_stand_in_names,
    a_rename_onto_a_name_that_is_there_is_refused_or_replaces,
    an_upload_is_resumed,
    what_is_appended_stands_at_the_end,
    in_takes_nothing_and_the_client_says_so,
]
FEW = [
    a_file_goes_up_and_comes_down_whole_over_renewed_keys,
    preserved_times_are_no_failure,
    a_trigger_takes_the_file_and_the_client_sees_success,
]
FEW_REAL = [preserved_times_are_no_failure, a_trigger_takes_the_file_and_the_client_sees_success]
OF_PARTNERS = [
    a_file_goes_to_the_other_party_and_its_removal_confirms_it,
    an_unfinished_name_waits_and_its_rename_delivers,
    an_unfinished_upload_is_resumed,
    a_file_that_is_too_large_has_a_receipt_whatever_the_client_says,
    an_inbox_takes_nothing,
]
# They take long to renew their keys at each megabyte, or for the start of a process for each step.
SLOW = ("psftp", "pscp", "paramiko", "asyncssh", "ssh2", "ssh2-sftp-client")
LONG = [ten_thousand_files_are_listed, a_gigabyte_goes_up_and_comes_down]

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
    rounds = [("stub", Plain, REKEY, SCENARIOS, FEW, 0.6), ("mailboxes", Mailboxes, REKEY, REAL, FEW_REAL, 0.8),
              ("partners", Partners, REKEY, OF_PARTNERS, OF_PARTNERS[:1], 1)]
    if given.long:
        rounds += [("stub", Plain, 256 << 20, LONG, LONG, 1), ("mailboxes", Mailboxes, 256 << 20, LONG, LONG, 1)]
    for name, kind, rekey, scenarios, few, part in rounds:
        if given.before not in (name, "all"):
            continue
        with tempfile.TemporaryDirectory(prefix="hjemmel-sftp-") as folder:
            world = kind(given.program, folder, rekey)
            print(f"before the {name}:")
            try:
                deadline = began + given.within * (part if given.before == "all" else 1)
                failed += round_of(world, given, scenarios, few, deadline)
            finally:
                world.stop()
    return 1 if failed else 0


def round_of(world, given, scenarios, few, deadline):
    failed, ran, missing = [], 0, 0
    if not given.clients and scenarios not in (LONG, OF_PARTNERS):
        try:
            what_openssh_is_told_of_the_server(world)
            print("ok    what OpenSSH is told of the server")
            if world.real:
                world.clear()
                ten_thousand_files_are_listed(OpenSsh(world, given.tools), world)
                print("ok    ten thousand files are listed to OpenSSH")
                world.clear()
                try:
                    spsftp_sends_and_reads_by_the_older_root_alone(world, given.tools)
                    print("ok    spsftp sends, and reads by the older root alone")
                except Unavailable as why:
                    missing += 1
                    print(f"DID NOT RUN  spsftp: needs {why}")
        except (AssertionError, Failed) as error:
            failed.append("openssh")
            print(f"FAIL  what OpenSSH is told of the server: {error}")
    for name in given.clients or CLIENTS:
        if time.monotonic() > deadline:
            missing += 1
            print(f"DID NOT RUN  {name}: no time left before {'the mailboxes' if world.real else 'the stub'}")
            continue
        world.clear()
        slow = getattr(CLIENTS[name], "slow", False) or name in SLOW and (world.real or given.within < UNHURRIED)
        slow = slow and not given.clients and not given.long
        try:
            client = CLIENTS[name](world, given.tools)
        except Unavailable as why:
            missing += 1
            print(f"DID NOT RUN  {name}: needs {why}")
            continue
        began, done, wrong = time.monotonic(), 0, []
        for scenario in few if slow else scenarios:
            # It is the same before the stub.
            if world.real and given.within < UNHURRIED and scenario is a_file_goes_up_and_comes_down_whole_over_renewed_keys:
                continue
            if (name, scenario.__name__) in KNOWN:
                continue
            world.clear()
            try:
                done += scenario(client, world) is not False
            except (Failed, AssertionError, OSError, subprocess.TimeoutExpired) as error:
                wrong.append(f"{scenario.__name__}: {str(error)[:800]}")
        getattr(client, "end", lambda: None)()
        ran += 1
        print(f"{'FAIL' if wrong else 'ok  '}  {name}: {done} scenarios in {time.monotonic() - began:.1f} s ({client.version})")
        for line in wrong:
            print(f"      {line}")
        failed += wrong
        sys.stdout.flush()
    print(f"{ran} clients ran, {missing} did not, {len(failed)} failures")
    return failed


if __name__ == "__main__":
    sys.exit(main())
