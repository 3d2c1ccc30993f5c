#!/usr/bin/env python3
"""docs/install.md, command by command, on machines that systemd boots for it.

    tests/install/run.py [PACKAGE.deb]      without one, deploy/deb.sh packs the debug build (or HJEMMEL_PROGRAM)

Each machine is systemd-nspawn over a copy-on-write view of this one, with a network of their own: nothing is installed or written here.
A block that begins with ```sh NAME is run on that machine, and what stands in a ```text block below it must be in its output, in that
order (… stands for anything). A stand-in of the test's own is `scp`, for the machines have no SSH servers.
Needs root, Debian 12, systemd-container, PostgreSQL and HAProxy; says DID NOT RUN otherwise.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/install.md"
MACHINES = {"gateway-1": "10.77.0.1", "gateway-2": "10.77.0.2", "front": "10.77.0.3"}
BRIDGE = "hjinst"
NEEDED = {"systemd-nspawn": "systemd-container", "/usr/sbin/haproxy": "haproxy", "/usr/bin/pg_createcluster": "postgresql",
          "/usr/bin/prometheus": "prometheus", "openssl": "openssl", "curl": "curl", "ip": "iproute2", "readelf": "binutils", "nsenter": "util-linux"}
SCP = """#!/bin/sh
# MACHINE:PATH is that machine's file.
for last; do :; done
for word; do
    case $word in -r) recursive=-r ;; "$last") ;; *:*) from=/machines/${word%%:*}${word#*:} ;; esac
done
exec cp $recursive "$from" "$last"
"""


def did_not_run(why):
    print(f"DID NOT RUN: the commands of docs/install.md; {why}")
    sys.exit(0)


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, **options)


class Machine:
    def __init__(self, name, work):
        self.name, self.root = name, work / name / "root"
        for part in ("up", "wk", "root"):
            (work / name / part).mkdir(parents=True)
        layers = f"lowerdir=/,upperdir={work / name / 'up'},workdir={work / name / 'wk'}"
        run("mount", "-t", "overlay", "overlay", "-o", layers, str(self.root))
        self.process, self.leader = None, None

    def prepare(self, package):
        etc = self.root / "etc"
        for wants in etc.glob("systemd/system/*.wants"):
            shutil.rmtree(wants)
        (etc / "machine-id").unlink(missing_ok=True)
        (etc / "hostname").write_text(f"{self.name}\n")
        hosts = "".join(f"{address} {name}\n" for name, address in MACHINES.items())
        (etc / "hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n{hosts}")
        # What an earlier installation on this machine left is no part of a new one.
        for left in ("hjemmel", "postgresql/15/main"):
            shutil.rmtree(etc / left, ignore_errors=True)
        for left in ("hjemmel", "postgresql/15/main"):
            shutil.rmtree(self.root / "var/lib" / left, ignore_errors=True)
        # No network leads out: what Debian brings is installed already, and apt must not know of anything newer.
        shutil.rmtree(self.root / "var/lib/apt/lists")
        scp = self.root / "usr/local/bin/scp"
        scp.write_text(SCP)
        scp.chmod(0o755)
        shutil.copy(package, self.root / "root")

    def boot(self, roots):
        binds = [f"--bind={root}:/machines/{name}" for name, root in roots.items() if name != self.name]
        self.log = open(self.root.parent / "console", "w+")
        self.process = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--directory", str(self.root), "--machine", f"hj-{self.name}", "--boot", "--register=no",
             "--keep-unit", f"--network-bridge={BRIDGE}", *binds], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        until = time.time() + 180
        while time.time() < until and self.process.poll() is None:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            if children:
                self.leader = children[0]
                state = self.sh("systemctl is-system-running --wait", check=False)
                if state.stdout.strip() in ("running", "degraded"):
                    break
            time.sleep(0.2)
        else:
            self.log.seek(0)
            console = self.log.read()
            if "Welcome to" not in console:
                # Not even begun: containers without rights of their own may not boot others.
                did_not_run(f"systemd-nspawn boots nothing here: {console.strip()[-300:]}")
            raise RuntimeError(f"{self.name} did not boot: {console[-2000:]}")
        self.sh(f"ip addr add {MACHINES[self.name]}/24 dev host0; ip link set host0 up; ip link set lo up")

    def sh(self, command, check=True):
        # An environment of its own: nothing of this machine's may help.
        done = subprocess.run(
            ["nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--", "env", "-i", "HOME=/root", "LC_ALL=C.UTF-8", "TERM=dumb",
             "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive",
             "bash", "-euo", "pipefail", "-c", f"cd /root\n{command}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        if check and done.returncode:
            raise RuntimeError(f"{self.name} ended with {done.returncode}:\n{command}\n--- said:\n{done.stdout}")
        return done

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        subprocess.run(["umount", "-R", "-l", str(self.root)], check=False)


def expected(text, said):
    """The first line of `text` that is not in what was said, in order."""
    at = 0
    for line in text.splitlines():
        for piece in (piece.strip() for piece in line.split("…")):
            found = said.find(piece, at)
            if found < 0:
                return line
            at = found + len(piece)
    return None


# Metrics of the rules and the dashboard that a gateway shows only once there was something to count.
LATER = {
    "hjemmel_crl_next_update_timestamp_seconds": "no revocation list is configured",
    "hjemmel_crl_failures_in_a_row": "no revocation list is configured",
    "hjemmel_files": "the page's gateways take no files",
    "hjemmel_files_homes_nearly_full": "the page's gateways take no files",
    "hjemmel_files_oldest_seconds": "the page's gateways take no files",
    "hjemmel_files_silent": "the page's gateways take no files",
    "hjemmel_files_staging_free_bytes": "the page's gateways take no files",
    "hjemmel_sftp_bytes_total": "the page's gateways take no files",
    "hjemmel_sftp_refused_total": "the page's gateways take no files",
    "hjemmel_sftp_sessions": "the page's gateways take no files",
    "hjemmel_mailbox_files": "the page's gateways have no mailboxes",
    "hjemmel_mailbox_oldest_seconds": "the page's gateways have no mailboxes",
    "hjemmel_mailbox_silent": "the page's gateways have no mailboxes",
    "hjemmel_mailbox_nearly_full": "the page's gateways have no mailboxes",
    "hjemmel_finance_deliveries_total": "the page's gateways offer no finance service",
    "hjemmel_finance_errors_total": "the page's gateways offer no finance service",
    "hjemmel_finance_findings_total": "the page's gateways offer no finance service",
    "hjemmel_finance_vouchers_total": "the page's gateways offer no finance service",
    "hjemmel_jobs": "nothing has left a job",
    "hjemmel_console_requests_total": "the page's gateways have no console",
    "hjemmel_persons_queue": "the page's gateways hand no persons on",
    "hjemmel_persons_queue_oldest_seconds": "the page's gateways hand no persons on",
}


def watched(front):
    """Every metric that the rules and the dashboard name is in what Prometheus scraped of two gateways, or why not yet."""
    rules, dashboard = (ROOT / "deploy/prometheus-rules.yaml").read_text(), json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())
    told = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    told += re.findall(r"expr: (?:>-\n\s+)?(.*(?:\n {10,}\S.*)*)", rules)
    recorded = re.findall(r"record: (\S+)", rules)
    names = {name for told in told for name in re.findall(r"\b(hjemmel[_:][a-z0-9_:]+)", told)}
    if len(names) < 20:
        raise RuntimeError(f"too few metrics found in the rules and the dashboard: {names}")
    lacking, later = [], []
    # A rule's own series comes with the next evaluation that finds two scrapes to compare.
    until = time.time() + 150
    for name in sorted(names):
        query = f"count by (instance) (last_over_time({name}[10m]))" if name not in recorded else f"count(last_over_time({name}[10m]))"
        while not (found := front.sh(f"promtool query instant http://localhost:9090 '{query}'").stdout.count("=>")):
            if name in LATER or time.time() > until:
                break
            time.sleep(2)
        if not found:
            (later if name in LATER else lacking).append(name)
    if lacking:
        raise RuntimeError(f"not in the scrape of two gateways: {', '.join(lacking)}")
    for expression in told:
        # With Grafana's own variables filled in, each is a question that Prometheus understands.
        front.sh(f"promtool query instant http://localhost:9090 {shlex.quote(re.sub(r'[$]__rate_interval|[$]__interval', '1m', ' '.join(expression.split())))}")
    exported, remarks = 0, set()
    for node in ("gateway-1", "gateway-2"):
        scrape = front.sh("cd /etc/prometheus/tls; curl --silent --fail --cacert root.pem --cert prometheus.pem --key prometheus.key.pem "
                          f"--connect-to localhost:9464:{node}:9464 https://localhost:9464/metrics | tee /root/scrape | grep -c ^hjemmel_")
        exported += int(scrape.stdout)
        remarks.update(front.sh("promtool check metrics </root/scrape", check=False).stdout.splitlines())
    if remarks:
        raise RuntimeError("promtool remarks on the metrics:\n" + "\n".join(sorted(remarks)))
    print(f"ok  {len(names)} metrics of rules and dashboard ({len(told)} expressions) are in the scrape of two gateways ({exported} series), "
          "of which promtool finds nothing to remark" + "".join(f"; not yet: {name}, for {LATER[name]}" for name in later))


def beside_the_page(machines):
    """What the package and the unit promise beyond the page; how many promises were kept."""
    gateway = machines["gateway-1"]

    def shows(what, wanted, within=60):
        until, value = time.time() + within, None
        while time.time() < until:
            value = gateway.sh(f"systemctl show hjemmel -p {what} --value").stdout.strip()
            if value == wanted:
                return
            time.sleep(0.5)
        raise RuntimeError(f"{gateway.name}: {what} is {value!r} and not {wanted!r} within {within} s")

    gateway.sh("systemctl reload hjemmel")
    shows("StatusText", "serving")
    gateway.sh("cp /etc/hjemmel/hjemmel.toml /root/whole.toml; echo 'no_such_setting = 1' >/etc/hjemmel/hjemmel.toml; systemctl reload hjemmel")
    shows("StatusText", "serving; the last reload was refused, see the log")
    gateway.sh("systemctl is-active hjemmel; cp /root/whole.toml /etc/hjemmel/hjemmel.toml")
    print("ok  a reload that is refused leaves the gateway serving, and its status says so")

    # The unit's 30 s would only make the test longer.
    gateway.sh("mkdir -p /run/systemd/system/hjemmel.service.d; cd /run/systemd/system/hjemmel.service.d; "
               "printf '[Service]\\nWatchdogSec=20s\\n' >watchdog.conf; systemctl daemon-reload; systemctl restart hjemmel")
    time.sleep(30)
    gateway.sh("systemctl daemon-reload")
    time.sleep(30)
    shows("NRestarts", "0", within=1)
    print("ok  a gateway that works is left alone by the watchdog, also after a daemon-reload")
    # Killed for no word of it in time, and started anew.
    gateway.sh("systemctl kill --signal=STOP --kill-who=main hjemmel")
    shows("NRestarts", "1", within=300)
    shows("ActiveState", "active")
    if "Watchdog timeout" not in gateway.sh("journalctl -u hjemmel --no-pager").stdout:
        raise RuntimeError("the gateway that stood still was not ended by the watchdog")
    print("ok  a gateway that stands still is ended by the watchdog, started anew, and ready")

    page = gateway.sh("man hjemmel-ready | cat").stdout
    known = gateway.sh("source /usr/share/bash-completion/completions/hjemmel; COMP_WORDS=(hjemmel che) COMP_CWORD=1; "
                       "_hjemmel hjemmel che hjemmel; echo ${COMPREPLY[*]}").stdout.split()
    if "takes calls" not in page or known != ["check"]:
        raise RuntimeError(f"manual page or completion: {page} {known}")
    gateway.sh("for shell in zsh:/usr/share/zsh/vendor-completions/_hjemmel fish:/usr/share/fish/vendor_completions.d/hjemmel.fish; do "
               "test -s ${shell#*:}; ! command -v ${shell%%:*} >/dev/null || ${shell%%:*} -n ${shell#*:}; done")
    print("ok  the manual and the completions of bash, zsh and fish are there")

    symbols = gateway.sh("readelf --sections --wide /usr/bin/hjemmel").stdout
    if ".symtab" in symbols or ".debug_info" in symbols:
        raise RuntimeError(f"the program that is installed has its symbols: {symbols}")
    print("ok  the program is installed without symbols")

    exposure = gateway.sh("systemd-analyze security hjemmel.service --no-pager | tail -1").stdout
    print(f"ok  systemd: {exposure.strip()}")

    # The page ends with a suspension, and the restarts above began the counting anew: each gateway serves a call again before anybody looks.
    gateway.sh("systemd-run --pipe --wait --quiet -p User=hjemmel -p LoadCredential=keys:/etc/hjemmel/keys -p WorkingDirectory=/srv/dev/pki "
               "hjemmel agreement resume 00000000-0000-4000-8000-000000000001 --yes --reason tried "
               "--certificate person-signatory.pem --key person-signatory.key.pem --config /etc/hjemmel/hjemmel.toml")
    for name in ("gateway-1", "gateway-2"):
        machines[name].sh("for n in $(seq 60); do sleep 1; echo 6101801234 | hjemmel call --env /srv/dev/client.env && exit 0; done; exit 1")
    watched(machines["front"])
    gateway.sh("apt-get purge -y hjemmel")
    left = gateway.sh("ls -d /etc/hjemmel/keys /var/lib/hjemmel/audit; ls /usr/bin/hjemmel /lib/systemd/system/hjemmel.service 2>&1 || true").stdout
    if left.count("No such file") != 2:
        raise RuntimeError(f"a purge leaves records and keys, and nothing else: {left}")
    print("ok  a purge takes the program away and leaves records and keys")
    return 7


def main():
    if os.geteuid():
        did_not_run("only root can boot machines")
    missing = sorted({package for tool, package in NEEDED.items() if not shutil.which(tool)})
    if missing:
        did_not_run(f"{', '.join(missing)} not installed (Debian: apt-get install {' '.join(missing)})")
    page = PAGE.read_text()
    blocks = re.findall(r"^```sh ([\w-]+)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", page, re.MULTILINE | re.DOTALL)
    if len(blocks) != len(re.findall(r"^```sh", page, re.MULTILINE)):
        sys.exit("a block of docs/install.md names no machine")
    work = Path(tempfile.mkdtemp(prefix="hjemmel-install-"))
    machines = {}
    try:
        run("mount", "-t", "tmpfs", "-o", "size=4g", "tmpfs", str(work))
        if len(sys.argv) > 1:
            package = Path(sys.argv[1])
        else:
            program = os.environ.get("HJEMMEL_PROGRAM") or str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/hjemmel")
            run(str(ROOT / "deploy/deb.sh"), str(work / "deb"), env={**os.environ, "HJEMMEL_PROGRAM": program}, stdout=subprocess.DEVNULL)
            package = next((work / "deb").glob("hjemmel_*.deb"))
        try:
            for name in MACHINES:
                machines[name] = Machine(name, work)
            run("ip", "link", "add", BRIDGE, "type", "bridge")
            run("ip", "link", "set", BRIDGE, "up")
        except (subprocess.CalledProcessError, OSError) as error:
            did_not_run(f"no overlay or no bridge can be made here: {error}")
        roots = {name: machine.root for name, machine in machines.items()}
        for machine in machines.values():
            machine.prepare(package)
        for machine in machines.values():
            machine.boot(roots)
        # As Debian's package does where it is new on a machine; here it is installed already.
        machines["front"].sh("pg_createcluster 15 main && systemctl start postgresql@15-main")
        done = 0
        for name, command, text in blocks:
            began = time.time()
            said = machines[name].sh(command).stdout
            wrong = expected(text, said) if text else None
            if wrong is not None:
                raise RuntimeError(f"{name}:\n{command}\n--- lacks: {wrong}\n--- said:\n{said}")
            done += 1
            print(f"ok  {name:10} {time.time() - began:5.1f} s  {command.splitlines()[0][:90]}", flush=True)
        done += beside_the_page(machines)
        print(f"{done} passed, 0 failed")
    except RuntimeError as error:
        print(error)
        for machine in machines.values():
            if machine.leader:
                journal = machine.sh("journalctl -u hjemmel --no-pager -o cat | tail -30", check=False).stdout
                print(f"--- journal of {machine.name}:\n{journal}")
        sys.exit("1 failed")
    finally:
        for machine in machines.values():
            machine.end()
        subprocess.run(["ip", "link", "del", BRIDGE], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["umount", "-l", str(work)], check=False)
        work.rmdir()


if __name__ == "__main__":
    main()
