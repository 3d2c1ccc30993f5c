"""What real clients do, against `hjemmel stub sftp`. Run by run.sh."""

import argparse
import contextlib
import filecmp
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

HERE = Path(__file__).parent
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
    """The server, its homes and a user's keys."""

    def __init__(self, program, folder, *more):
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
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.home = self.folder / "homes" / "KY"
        keys = [part for name in ("user", "rsa") for part in ("--user", f"KY={self.folder / name}.pub")]
        hosts = [part for file in self.host_keys for part in ("--host-key", file)]
        self.log = open(self.folder / "server.log", "w")
        command = [program, "stub", "sftp", "--listen", f"127.0.0.1:{self.port}", "--root", self.folder / "homes", *keys, *hosts, *more]
        self.server = subprocess.Popen([str(part) for part in command], stdout=self.log, stderr=self.log)
        known = run(program, "sftp", "host-key", "show", "--host", f"[127.0.0.1]:{self.port}", *self.host_keys)
        lines = re.findall(r"known_hosts\s+(.*)", known)
        (self.folder / "known_hosts").write_text("\n".join(lines) + "\n")
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise SystemExit(f"the server did not start: {(self.folder / 'server.log').read_text()}")

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

    def clear(self):
        for name in ("IN", "OUT", "STAGED"):
            for file in (self.home / name).iterdir():
                file.unlink()

    def resident(self):
        status = Path(f"/proc/{self.server.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


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
        return run("sftp", "-q", *options, "-P", self.world.port, "-b", "-", "KY@127.0.0.1", stdin="\n".join(lines) + "\n", wait=wait)

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
        self.copy(local, f"KY@127.0.0.1:{remote}", preserve=preserve, key=key)

    def get(self, remote, local):
        self.copy(f"KY@127.0.0.1:{remote}", local)


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
            run("sshfs", "-p", world.port, "-o", options, "KY@127.0.0.1:/", self.mount, wait=20)
        except Failed as error:
            raise Unavailable(str(error)) if "permitted" in str(error) else error

    def put(self, local, remote, preserve=False):
        (shutil.copy2 if preserve else shutil.copyfile)(local, self.mount / remote)
        # Its close does not wait for the server's.
        for _ in range(100):
            if not os.listdir(self.world.home / "STAGED"):
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
        script = "\n".join([*settings, f"open -u KY, sftp://127.0.0.1:{self.world.port}", *lines, "quit"])
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
        return f"sftp://KY@127.0.0.1:{self.world.port}/{urllib.parse.quote(remote)}"

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
            f"[s]\ntype = sftp\nhost = 127.0.0.1\nuser = KY\nport = {world.port}\nkey_file = {world.folder / 'user'}\n"
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
        return run("psftp", *self.common(), "-b", script, "KY@127.0.0.1", wait=300)

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
        run("pscp", "-q", *(["-p"] if preserve else []), *self.common(), local, f"KY@127.0.0.1:{remote}", wait=300)

    def get(self, remote, local):
        run("pscp", "-q", *self.common(), f"KY@127.0.0.1:{remote}", local, wait=300)


class Driven:
    """A library, by a program in drivers/ that takes what is to be done as JSON and answers a line for each."""

    key = "user"

    def __init__(self, world, tools):
        self.world, self.tools = world, Path(tools)
        self.version = self.find()

    def do(self, *steps, key=None):
        about = {"host": "127.0.0.1", "port": self.world.port, "user": "KY", "key": str(self.world.folder / (key or self.key)), "steps": steps}
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
    same(five, world.home / "OUT/five")
    back = world.folder / "back"
    back.unlink(missing_ok=True)
    client.get("OUT/five", back)
    same(five, back)


def an_empty_file_is_a_file(client, world):
    empty = content(world, "empty", 0)
    client.put(empty, "OUT/empty")
    assert (world.home / "OUT/empty").stat().st_size == 0


def a_shorter_file_over_a_longer_leaves_no_tail(client, world):
    client.put(content(world, "longer", 300_000), "OUT/file")
    short = content(world, "shorter", 1_000)
    client.put(short, "OUT/file")
    same(short, world.home / "OUT/file")


def preserved_times_are_no_failure(client, world):
    file = content(world, "times", 1_000)
    client.put(file, "OUT/times", preserve=True)
    same(file, world.home / "OUT/times")


def a_trigger_takes_the_file_and_the_client_sees_success(client, world):
    data, trigger = content(world, "data", 100_000), content(world, "trigger", 500)
    client.put(data, "OUT/data")
    client.put(trigger, "OUT/data.trigger")
    same(data, world.home / "IN/data")
    assert sorted(os.listdir(world.home / "OUT")) == []
    if not client.names:
        return
    assert sorted(client.names("IN")) == ["data", "data.sftpreceipt"], client.names("IN")
    got = world.folder / "got"
    got.unlink(missing_ok=True)
    client.get("IN/data.sftpreceipt", got)
    assert got.read_text() == "SUCCESS"
    client.remove("IN/data.sftpreceipt")
    client.remove("IN/data")
    assert os.listdir(world.home / "IN") == []


def danish_letters_stand_in_names(client, world):
    file = content(world, "name", 100)
    client.put(file, "OUT/Sortiment Overført ÆØÅ.xml")
    assert os.listdir(world.home / "OUT") == ["Sortiment Overført ÆØÅ.xml"]
    if client.names:
        assert client.names("OUT") == ["Sortiment Overført ÆØÅ.xml"]


def a_rename_onto_a_name_that_is_there_is_refused_or_replaces(client, world):
    if not client.rename:
        return False
    (world.home / "OUT/a").write_text("a")
    (world.home / "OUT/b").write_text("b")
    client.rename("OUT/a", "OUT/c")
    assert (world.home / "OUT/c").read_text() == "a"
    # posix-rename replaces, the rename of version 3 fails; no client may be told the one and see the other.
    try:
        client.rename("OUT/c", "OUT/b")
        assert (world.home / "OUT/b").read_text() == "a"
    except Failed:
        assert (world.home / "OUT/b").read_text() == "b" and (world.home / "OUT/c").exists()


def an_upload_is_resumed(client, world):
    if not getattr(client, "resume", None):
        return False
    whole = content(world, "whole", 400_000)
    (world.home / "OUT/resumed").write_bytes(whole.read_bytes()[:150_000])
    client.resume(whole, "OUT/resumed")
    same(whole, world.home / "OUT/resumed")


def what_is_appended_stands_at_the_end(client, world):
    if not getattr(client, "append", None):
        return False
    (world.home / "OUT/log").write_text("first ")
    more = world.folder / "more"
    more.write_text("second")
    client.append(more, "OUT/log")
    assert (world.home / "OUT/log").read_text() == "first second"


def in_takes_nothing_and_the_client_says_so(client, world):
    try:
        client.put(content(world, "small", 10), "IN/small")
    except (Failed, OSError):
        pass
    else:
        raise AssertionError("no failure was reported")
    assert os.listdir(world.home / "IN") == []


def many_files_are_listed(client, world, number=1_000):
    if not client.names:
        return False
    for name in range(number):
        (world.home / "IN" / f"{name:05}.xml").write_text("x")
    found = client.names("IN")
    assert len(found) == number and len(set(found)) == number, len(found)


def ten_thousand_files_are_listed(client, world):
    return many_files_are_listed(client, world, 10_000)


def a_gigabyte_goes_up_and_comes_down(client, world):
    gigabyte = content(world, "gigabyte", 1 << 30)
    client.put(gigabyte, "OUT/gigabyte")
    same(gigabyte, world.home / "OUT/gigabyte")
    back = world.folder / "back"
    back.unlink(missing_ok=True)
    client.get("OUT/gigabyte", back)
    same(gigabyte, back)
    back.unlink()
    print(f"      resident after: {world.resident()} kB")


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
FEW = [
    a_file_goes_up_and_comes_down_whole_over_renewed_keys,
    preserved_times_are_no_failure,
    a_trigger_takes_the_file_and_the_client_sees_success,
]
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
    shown = subprocess.run([*ssh, "-vv", "-o", "LogLevel=DEBUG2", "KY@127.0.0.1", "true"], capture_output=True, text=True, timeout=30).stderr
    assert "Authentications that can continue: publickey\n" in shown, shown
    assert "compression stoc: none\n" in shown
    assert "resetting read seqnr" in shown, "strict key exchange"
    offered = re.search(r"server-sig-algs=<([^>]*)>", shown)[1].split(",")
    assert "ssh-rsa" not in offered and "rsa-sha2-512" in offered, offered
    host = re.findall(r"host key algorithms: (.*)", shown)[-1].strip().split(",")
    assert host == ["ssh-ed25519", "ecdsa-sha2-nistp256"], host

    def refused(*more, key="rsa"):
        command = ["sftp", "-q", *world.ssh_options(key), *more, "-P", str(world.port), "-b", "-", "KY@127.0.0.1"]
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
        assert subprocess.run([*ssh, *([] if more == ["true"] else more), "KY@127.0.0.1", *([] if more != ["true"] else more)],
                              input="", capture_output=True, text=True, timeout=30).returncode != 0, more


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", required=True)
    arguments.add_argument("--tools", required=True)
    arguments.add_argument("--long", action="store_true")
    arguments.add_argument("--within", type=float, default=3600, help="begin with no client after so many seconds")
    arguments.add_argument("clients", nargs="*", metavar="CLIENT", help=", ".join(CLIENTS))
    given = arguments.parse_args()
    unknown = set(given.clients) - set(CLIENTS)
    if unknown:
        arguments.error(f"no such client: {', '.join(unknown)}")
    deadline = time.monotonic() + given.within
    failed = []
    # With keys renewed at each megabyte a gigabyte takes an hour in Python.
    for rekey, scenarios in [(REKEY, SCENARIOS), (256 << 20, LONG)][: 2 if given.long else 1]:
        with tempfile.TemporaryDirectory(prefix="hjemmel-sftp-") as folder:
            world = World(given.program, folder, "--rekey-bytes", rekey, "--failures", 1000)
            try:
                failed += round_of(world, given, scenarios, deadline)
            finally:
                world.stop()
    return 1 if failed else 0


def round_of(world, given, scenarios, deadline):
    failed, ran, missing = [], 0, 0
    if not given.clients and scenarios is SCENARIOS:
        try:
            what_openssh_is_told_of_the_server(world)
            print("ok    what OpenSSH is told of the server")
        except AssertionError as error:
            failed.append("openssh")
            print(f"FAIL  what OpenSSH is told of the server: {error}")
    for name in given.clients or CLIENTS:
        if time.monotonic() > deadline:
            missing += 1
            print(f"DID NOT RUN  {name}: no time left")
            continue
        world.clear()
        few = getattr(CLIENTS[name], "slow", False) and scenarios is SCENARIOS and not given.clients and not given.long
        try:
            client = CLIENTS[name](world, given.tools)
        except Unavailable as why:
            missing += 1
            print(f"DID NOT RUN  {name}: needs {why}")
            continue
        began, done, wrong = time.monotonic(), 0, []
        for scenario in FEW if few else scenarios:
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
