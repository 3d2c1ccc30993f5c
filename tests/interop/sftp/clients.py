"""Real clients: what each can do, by its own commands, or by a driver of a library (drivers/)."""

import contextlib
import json
import os
import re
import select
import shutil
import subprocess
import urllib.parse
from pathlib import Path

from worlds import UNHURRIED, Failed, Unavailable, run

HERE = Path(__file__).parent

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
            run("sshfs", "-s", "-p", world.port, "-o", options, f"{world.user}@127.0.0.1:/", self.mount, wait=20)
        except Failed as error:
            raise Unavailable(str(error)) if "permitted" in str(error) else error

    def put(self, local, remote, preserve=False):
        (shutil.copy2 if preserve else shutil.copyfile)(local, self.mount / remote)
        self.closed()

    def closed(self):
        """Its close does not wait for the server's. With one thread it asks for a folder after it has asked for the close, and the server
        answers in that order."""
        os.listdir(self.mount)

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
        settings = [f'set sftp:connect-program "{ssh}"', "set net:max-retries 1", "set cmd:fail-exit yes", "set net:timeout 600"]
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
