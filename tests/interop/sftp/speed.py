"""Throughput, CPU and idle memory of `hjemmel stub sftp` and of OpenSSH's server, with one client. Run by speed.sh."""

import argparse
import getpass
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clients import World, run

CIPHERS = ("aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com")


def children(pid):
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += children(int(child))
    return found


def cpu(pid):
    """Seconds of a process and all below it, those that have ended included."""
    total = 0
    for process in children(pid):
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(fields[at]) for at in ((11, 12, 13, 14) if process == pid else (11, 12)))
    return total / os.sysconf("SC_CLK_TCK")


def resident(pid):
    """Memory of its own, in kB, of a process and all below it."""
    total = 0
    for process in children(pid):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            total += int(line.split()[1]) if line.startswith(("Private_Clean", "Private_Dirty")) else 0
    return total


class Sshd:
    """OpenSSH's server with internal-sftp."""

    def __init__(self, world, folder):
        self.folder = folder / "sshd"
        self.folder.mkdir()
        keys = self.folder / "authorized_keys"
        keys.write_bytes((folder / "user.pub").read_bytes())
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / "host")
        self.port = world.port + 1
        settings = self.folder / "sshd_config"
        settings.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\nAuthorizedKeysFile {keys}\nStrictModes no\n"
            f"PidFile none\nSubsystem sftp internal-sftp\nUsePAM no\nPermitRootLogin prohibit-password\nMaxStartups 200\n"
        )
        os.makedirs("/run/sshd", exist_ok=True)
        self.server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", settings, "-E", self.folder / "log"])
        time.sleep(1)


def copies(client, put, get, runs, pid, megabytes):
    figures = {}
    for name, command in (("up", put), ("down", get)):
        seconds, used = [], []
        for _ in range(runs):
            before, began = cpu(pid), time.monotonic()
            run(*client, stdin=command, wait=900)
            seconds.append(time.monotonic() - began)
            # A child that has ended counts once it was waited for.
            time.sleep(0.3)
            used.append(cpu(pid) - before)
        figures[name] = (megabytes / statistics.median(seconds), statistics.median(used) * 1024 / megabytes)
    return figures


def idle(client, pid, count=50):
    before = resident(pid)
    sessions = [subprocess.Popen([str(part) for part in client], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    for session in sessions:
        session.stdin.write("pwd\n")
        session.stdin.flush()
        while "working directory" not in session.stdout.readline():
            pass
    time.sleep(1)
    used = (resident(pid) - before) / count
    for session in sessions:
        session.kill()
    return used


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", required=True)
    arguments.add_argument("--megabytes", type=int, required=True)
    arguments.add_argument("--runs", type=int, required=True)
    given = arguments.parse_args()
    if not shutil.which("sftp") or not os.path.exists("/usr/sbin/sshd"):
        print("DID NOT RUN: needs openssh-client and openssh-server")
        return 1
    with tempfile.TemporaryDirectory(prefix="hjemmel-speed-", dir="/dev/shm") as place:
        folder = Path(place)
        world = World(given.program, folder)
        sshd = Sshd(world, folder)
        file = folder / "file"
        with open(file, "wb") as out:
            for _ in range(given.megabytes):
                out.write(os.urandom(1 << 20))
        ends = {
            "OpenSSH": (sshd.server.pid, sshd.port, getpass.getuser(), folder / "theirs"),
            "Hjemmel": (world.server.pid, world.port, "KY", "/OUT/ours"),
        }
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes",
                   "-o", f"IdentityFile={folder / 'user'}"]
        try:
            print(f"{given.megabytes} MB, median of {given.runs}; {subprocess.run(['ssh', '-V'], capture_output=True, text=True).stderr.strip()}")
            for cipher in CIPHERS:
                measured = {}
                for name, (pid, port, user, remote) in ends.items():
                    client = ["sftp", "-q", *options, "-c", cipher, "-P", port, "-b", "-", f"{user}@127.0.0.1"]
                    measured[name] = copies(client, f"put {file} {remote}\n", f"get {remote} /dev/null\n", given.runs, pid, given.megabytes)
                for direction in ("up", "down"):
                    (theirs, their_cpu), (ours, our_cpu) = measured["OpenSSH"][direction], measured["Hjemmel"][direction]
                    print(f"{cipher:32} {direction:5} OpenSSH {theirs:6.0f} MB/s {their_cpu:5.2f} s CPU/GB   "
                          f"Hjemmel {ours:6.0f} MB/s {our_cpu:5.2f} s CPU/GB   {ours / theirs:4.2f} × as fast, {our_cpu / their_cpu:4.2f} × the CPU")
            for name, (pid, port, user, _) in ends.items():
                client = ["sftp", "-q", *options, "-P", port, f"{user}@127.0.0.1"]
                print(f"idle session of {name}: {idle(client, pid):.0f} kB")
        finally:
            sshd.server.terminate()
            world.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
