"""Throughput, CPU and idle memory of the SFTP server over plain folders, of the mailboxes, and of OpenSSH's server, with one client; many files with
their triggers; large mailboxes. Run by speed.sh with the virtual environment's Python."""

import argparse
import datetime
import getpass
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import paramiko

from wire import channel_of, listed, put, there
from worlds import Mailboxes, Plain, free_port, run

BEGIN, END = "<!-- speed.sh writes from here -->", "<!-- to here -->"
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


class Figures:
    """Each as it is told, with its goal, and what of them is kept."""

    def __init__(self):
        self.rows = []

    def met(self, what, value, unit, goal, at_least=False):
        missed = value < goal if at_least else value > goal
        self.rows.append({"what": what, "value": round(value, 2), "unit": unit, "goal": goal, "at_least": at_least, "missed": missed})
        print(f"{what}: {self.words(self.rows[-1])}", flush=True)

    def told(self, what, value, unit):
        self.rows.append({"what": what, "value": round(value, 2), "unit": unit})
        print(f"{what}: {value:.2f} {unit}", flush=True)

    @staticmethod
    def words(row):
        sign = "≥" if row["at_least"] else "≤"
        return f"{row['value']:.2f} {row['unit']} (goal {sign} {row['goal']:g}{', MISSED' if row['missed'] else ''})"

    def keep(self, file, given):
        root = Path(__file__).parents[3]
        commit = run("git", "-C", root, "rev-parse", "--short=12", "HEAD").strip()
        changed = bool(run("git", "-C", root, "status", "--porcelain", "--untracked-files=no", "src", "Cargo.toml", "Cargo.lock").strip())
        processor = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
        memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1])
        about = {
            "date": datetime.date.today().isoformat(),
            "commit": commit + ("+changes" if changed else ""),
            "program": Path(given.program).resolve().parent.name,
            "machine": f"{processor[1] if processor else platform.machine()}, {os.cpu_count()} cores, {memory / (1 << 20):.0f} GiB, Linux {platform.release()}",
            "beside": subprocess.run(["ssh", "-V"], capture_output=True, text=True).stderr.strip(),
            "megabytes": given.megabytes, "runs": given.runs, "files": given.files, "many": given.many,
            "rows": self.rows,
        }
        file.write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n")
        page = file.with_suffix(".md")
        text = page.read_text()
        before, rest = text.split(BEGIN, 1)
        page.write_text(before + BEGIN + "\n" + self.table(about) + END + rest.split(END, 1)[1])

    def table(self, about):
        goals = [row for row in self.rows if "goal" in row]
        missed = sum(row["missed"] for row in goals)
        lines = [f"{about['date']}, commit `{about['commit']}`, a {about['program']} build; {about['machine']}; {about['beside']}. {about['megabytes']} MB, "
                 f"medians of {about['runs']}; {about['files']:,} files with their triggers; {about['many']:,} files beside 1,000. "
                 f"Of {len(goals)} goals {len(goals) - missed} were met and {missed} missed.", "", "| what | measured | goal | |", "|---|---|---|---|"]
        for row in self.rows:
            goal = f"{'≥' if row['at_least'] else '≤'} {row['goal']:g}" if "goal" in row else ""
            lines.append(f"| {row['what']} | {row['value']:g} {row['unit']} | {goal} | {('missed' if row['missed'] else 'met') if goal else ''} |")
        return "\n".join(lines) + "\n"


def many(figures, world, sshd, options, folder, number):
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
    figures.told(f"{number:,} files of 10 KB with their triggers, bare upload to OpenSSH", theirs, "s")
    figures.told(f"{number:,} files of 10 KB with their triggers, until the last is at its recipient", ours, "s")
    figures.met(f"{number:,} files of 10 KB with their triggers, the one beside the other", ours / theirs, "×", 1.5)
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


def large(figures, world, few, lots, tries):
    measured = {}
    for number in (few, lots):
        world.clear()
        world.fill(number)
        world.store.execute("ANALYZE")
        page_and_delivery(world, 3)
        measured[number] = page_and_delivery(world, tries)
    for at, what in enumerate(("ten pages of a listing", "a delivery")):
        small, big = measured[few][at], measured[lots][at]
        figures.told(f"{what}, mailbox of {few:,} files", small * 1000, "ms")
        figures.told(f"{what}, mailbox of {lots:,} files", big * 1000, "ms")
        figures.met(f"{what}, the one beside the other", big / small, "×", 1.2)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", required=True)
    arguments.add_argument("--megabytes", type=int, required=True)
    arguments.add_argument("--runs", type=int, required=True)
    arguments.add_argument("--files", type=int, required=True, help="how many go with their triggers")
    arguments.add_argument("--many", type=int, required=True, help="how many lie in the large mailbox; a thousand in the small one")
    arguments.add_argument("--keep", type=Path, metavar="FILE.json", help="keep the figures there, and as a table in FILE.md between its markers")
    given = arguments.parse_args()
    figures = Figures()
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
            # First: what a transfer took and gave back would hold many sessions.
            for name, (pid, port, user, _, own) in ends.items():
                used = idle(["sftp", "-q", *own, "-P", port, f"{user}@127.0.0.1"], pid)
                if name == "OpenSSH":
                    figures.told("idle session: OpenSSH", used, "kB")
                else:
                    figures.met(f"idle session: {name}", used, "kB", 100)
            for cipher in CIPHERS:
                measured = {}
                for name, (pid, port, user, remote, own) in ends.items():
                    client = ["sftp", "-q", *own, "-c", cipher, "-P", port, "-b", "-", f"{user}@127.0.0.1"]
                    measured[name] = copies(client, f"put {file} {remote}\n", f"get {remote} /dev/null\n", given.runs, pid, given.megabytes)
                short = cipher.split("@")[0]
                for direction in ("up", "down"):
                    theirs, their_cpu = measured["OpenSSH"][direction]
                    figures.told(f"{short}, {direction}: OpenSSH", theirs, "MB/s")
                    figures.told(f"{short}, {direction}: OpenSSH, CPU", their_cpu, "s/GB")
                    for name in list(ends)[1:]:
                        ours, our_cpu = measured[name][direction]
                        figures.told(f"{short}, {direction}: {name}", ours, "MB/s")
                        figures.met(f"{short}, {direction}: {name} beside OpenSSH", ours / theirs, "×", 1.3, at_least=True)
                        figures.told(f"{short}, {direction}: {name}, CPU", our_cpu, "s/GB")
                        figures.met(f"{short}, {direction}: {name}, CPU beside OpenSSH", our_cpu / max(their_cpu, 0.001), "×", 0.8)
            # What follows has the room of it.
            boxes.remove("OUT/ours")
            world.remove("OUT/ours")
            for gone in (file, folder / "theirs"):
                gone.unlink()
            many(figures, boxes, sshd, options(boxes), folder, given.files)
            large(figures, boxes, 1_000, given.many, 15)
            if given.keep:
                figures.keep(given.keep, given)
            print("validation of a voucher file of 1 GB, memory: HJEMMEL_FILE_MB=1024 cargo test --release --test memory file -- --nocapture")
        finally:
            sshd.server.terminate()
            world.stop()
            boxes.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
