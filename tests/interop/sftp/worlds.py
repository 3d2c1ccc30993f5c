"""The servers before which the clients play: `hjemmel stub sftp`, and `hjemmel serve` with homes or with the mailboxes of partner agreements."""

import contextlib
import filecmp
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
import uuid
from pathlib import Path

UNHURRIED = 3600


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
    beside = frozenset()  # the processes that play another round meanwhile

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


def same(one, other):
    assert filecmp.cmp(one, other, shallow=False), f"{one} and {other} differ"


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

    def remove(self, remote):
        (self.home / remote).unlink()

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

    def remove(self, remote, user="KY"):
        """By the server: what lies in the object store goes too."""
        self.look(f'rm "{remote}"', user=user)

    def names(self, folder, user="KY"):
        return sorted(line for line in self.look(f"cd {folder}", "ls -1", user=user).splitlines() if line and not line.startswith("sftp>"))

    def closed(self):
        for file in Path(f"/proc/{self.server.pid}/fd").iterdir():
            # One that is gone meanwhile is closed.
            with contextlib.suppress(OSError):
                if ".staged" in os.readlink(file):
                    return False
        return True

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
        # In parts: the server writes too, and waits for its turn.
        for begin in range(0, number, 20_000):
            self.store.execute("BEGIN IMMEDIATE")
            self.store.executemany("INSERT INTO home_file (id, owner, folder, name, name_key, kind, held, size, modified_us, body) "
                                   "VALUES (?, ?, 'IN', ?, ?, 'receipt', 0, 1, ?, ?)", rows[begin:begin + 20_000])
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
