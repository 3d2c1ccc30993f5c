"""Throughput, CPU and idle memory of the SFTP server over plain folders, of the mailboxes, and of OpenSSH's server, with one client; many files with
their triggers; large mailboxes. Run by speed.sh with the virtual environment's Python."""

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

import paramiko

from clients import Mailboxes, Plain, free_port, run
from wire import channel_of, listed, put, there

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
        keys.write_bytes((world.folder / "user.pub").read_bytes())
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / "host")
        self.port = free_port()
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


def session(world, key="user", user="KY"):
    transport = paramiko.Transport(("127.0.0.1", world.port))
    transport.connect(username=user, pkey=paramiko.Ed25519Key.from_private_key_file(str(world.folder / key)))
    return transport


def many(world, sshd, options, folder, number):
    """Files of 10 KB with a trigger each, from the first PUT until the last is visible to its recipient; beside the bare upload to OpenSSH."""
    lies = folder / "many"
    lies.mkdir()
    lines = []
    for at in range(number):
        name = f"f{at:06}"
        (lies / name).write_bytes(os.urandom(10_000))
        (lies / f"{name}.trigger").write_text(world.trigger(name, 10_000))
        lines += [f"put {lies / name}", f"put {lies / name}.trigger"]
    bare = folder / "bare"
    bare.mkdir()

    def client(port, user, where):
        began = time.monotonic()
        run("sftp", "-q", *options, "-P", port, "-b", "-", f"{user}@127.0.0.1", stdin="\n".join([f"cd {where}", *lines]) + "\n", wait=7200)
        return began, time.monotonic() - began

    _, theirs = client(sshd.port, getpass.getuser(), bare)
    looking = channel_of(session(world, "partner", world.PARTNER))
    began, _ = client(world.port, "KY", "/OUT")
    until = time.monotonic() + 7200
    while not all(there(looking, f"IN/f{at:06}") for at in (number - 1, number // 2, 0)) or count(world) < number:
        assert time.monotonic() < until, "not all come"
        time.sleep(0.02)
    ours = time.monotonic() - began
    print(f"{number} files of 10 KB with their triggers: OpenSSH takes them in {theirs:.1f} s; the last is at its recipient after {ours:.1f} s: "
          f"{ours / theirs:.2f} × (goal ≤ 1.5)")
    shutil.rmtree(lies)
    shutil.rmtree(bare)
    world.clear()


def count(world):
    return world.store.execute("SELECT count(*) FROM home_file WHERE folder = 'IN' AND kind = 'data'").fetchone()[0]


def page_and_delivery(world, tries):
    """Medians: ten pages of a listing of IN, and a delivery from its trigger's PUT until the receipt is there."""
    channel = channel_of(session(world))
    pages, deliveries = [], []
    for at in range(tries):
        began = time.monotonic()
        assert listed(channel, "IN", 10) > 900
        pages.append(time.monotonic() - began)
        name = f"d{time.time_ns()}"
        assert put(channel, f"OUT/{name}", b"x" * 1000)
        began = time.monotonic()
        assert put(channel, f"OUT/{name}.trigger", world.trigger(name, 1000).encode())
        while not there(channel, f"IN/{name}.sftpreceipt"):
            time.sleep(0.001)
        deliveries.append(time.monotonic() - began)
    return statistics.median(pages), statistics.median(deliveries)


def large(world, few, lots, tries):
    figures = {}
    for number in (few, lots):
        world.clear()
        world.fill(number)
        world.store.execute("ANALYZE")
        page_and_delivery(world, 3)
        figures[number] = page_and_delivery(world, tries)
    (page, delivery), (page_of_many, delivery_of_many) = figures[few], figures[lots]
    print(f"ten pages of a mailbox of {few}: {page * 1000:.1f} ms, of {lots}: {page_of_many * 1000:.1f} ms: {page_of_many / page:.2f} × (goal ≤ 1.2)")
    print(f"a delivery beside {few} files: {delivery * 1000:.1f} ms, beside {lots}: {delivery_of_many * 1000:.1f} ms: {delivery_of_many / delivery:.2f} × (goal ≤ 1.2)")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", required=True)
    arguments.add_argument("--megabytes", type=int, required=True)
    arguments.add_argument("--runs", type=int, required=True)
    arguments.add_argument("--files", type=int, required=True, help="how many go with their triggers")
    arguments.add_argument("--many", type=int, required=True, help="how many lie in the large mailbox; a thousand in the small one")
    given = arguments.parse_args()
    if not shutil.which("sftp") or not os.path.exists("/usr/sbin/sshd"):
        print("DID NOT RUN: needs openssh-client and openssh-server")
        return 1
    with tempfile.TemporaryDirectory(prefix="hjemmel-speed-", dir="/dev/shm") as place:
        folder = Path(place)
        # Of two servers each has its folder, and both the same users' keys.
        (folder / "plain").mkdir()
        (folder / "boxes").mkdir()
        world = Plain(given.program, folder / "plain", 1 << 30)
        boxes = Mailboxes(given.program, folder / "boxes", 1 << 30)
        sshd = Sshd(boxes, folder)
        file = folder / "file"
        with open(file, "wb") as out:
            for _ in range(given.megabytes):
                out.write(os.urandom(1 << 20))

        def options(of):
            return ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes",
                    "-o", f"IdentityFile={of.folder / 'user'}"]

        ends = {
            "OpenSSH": (sshd.server.pid, sshd.port, getpass.getuser(), folder / "theirs", options(boxes)),
            "server over folders": (world.server.pid, world.port, "KY", "/OUT/ours", options(world)),
            "mailboxes": (boxes.server.pid, boxes.port, "KY", "/OUT/ours", options(boxes)),
        }
        try:
            print(f"{given.megabytes} MB, median of {given.runs}; {subprocess.run(['ssh', '-V'], capture_output=True, text=True).stderr.strip()}")
            for cipher in CIPHERS:
                measured = {}
                for name, (pid, port, user, remote, own) in ends.items():
                    client = ["sftp", "-q", *own, "-c", cipher, "-P", port, "-b", "-", f"{user}@127.0.0.1"]
                    measured[name] = copies(client, f"put {file} {remote}\n", f"get {remote} /dev/null\n", given.runs, pid, given.megabytes)
                for direction in ("up", "down"):
                    theirs, their_cpu = measured["OpenSSH"][direction]
                    print(f"{cipher:32} {direction:5} OpenSSH {theirs:.0f} MB/s {their_cpu:.2f} s CPU/GB")
                    for name in list(ends)[1:]:
                        ours, our_cpu = measured[name][direction]
                        print(f"    {name:20} {ours:6.0f} MB/s {our_cpu:5.2f} s CPU/GB   {ours / theirs:4.2f} × as fast (goal ≥ 1.3), "
                              f"{our_cpu / max(their_cpu, 0.001):4.2f} × the CPU (goal ≤ 0.8)")
            for name, (pid, port, user, _, own) in ends.items():
                print(f"idle session of {name}: {idle(['sftp', '-q', *own, '-P', port, f'{user}@127.0.0.1'], pid):.0f} kB (goal ≤ 100)")
            boxes.clear()
            many(boxes, sshd, options(boxes), folder, given.files)
            large(boxes, 1_000, given.many, 15)
            print("validation of a voucher file of 1 GB, memory: HJEMMEL_FILE_MB=1024 cargo test --release --test memory file -- --nocapture")
        finally:
            sshd.server.terminate()
            world.stop()
            boxes.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
