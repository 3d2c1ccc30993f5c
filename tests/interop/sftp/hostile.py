"""What a hostile client can take from the others before the homes and the partners' mailboxes of `hjemmel serve`: nothing. Run by run.sh with
the virtual environment's Python.

Each case says how much the server's memory grew at its height, and that OpenSSH's client, from another address, was served meanwhile."""

import argparse
import contextlib
import itertools
import logging
import re
import resource
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import paramiko

from wire import answer, channel_of, opened, packet, put, text
from worlds import Mailboxes, Partners, run

# Impossible as a number of a person: no day is 71.
NUMBER = "7101901234"
# How long another client may wait to be served, in seconds: it is served, whatever else the machine does.
WITHIN = 60
# What hostile clients may make the server hold in all, in kB.
MOST = 64 << 10


class Watched:
    """One of the two, with what is asked of it here."""

    def metric(self, line):
        with urllib.request.urlopen(f"http://{self.admin}/metrics") as answer:
            shown = answer.read().decode()
        found = re.search(rf"^{re.escape(line)} (\S+)$", shown, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def refused(self, cause):
        return self.metric(f'hjemmel_sftp_refused_total{{cause="{cause}"}}')

    def session(self):
        transport = paramiko.Transport(("127.0.0.1", self.port))
        transport.connect(username=self.user, pkey=paramiko.Ed25519Key.from_private_key_file(str(self.folder / "user")))
        return transport

    def other(self, user, key, folder, within=WITHIN):
        """OpenSSH's client from another address: a connection of its own, a file put, listed and removed."""
        began = time.monotonic()
        run("sftp", "-q", "-o", "BindAddress=127.0.0.2", *self.ssh_options(key), "-P", self.port, "-b", "-", f"{user}@127.0.0.1",
            stdin=f"put {self.folder}/user.pub {folder}/alive.part\nls -1 {folder}\nrm {folder}/alive.part\n", wait=within)
        return time.monotonic() - began


class World(Watched, Mailboxes):
    OUT, IN, RECEIPT = "OUT", "IN", "IN"

    def served(self, within=WITHIN):
        return self.other(self.PARTNER, "partner", "OUT", within)


class OfPartners(Watched, Partners):
    def served(self, within=WITHIN):
        # The other of the two system users.
        return self.other(self.user_of("rsa"), "rsa", self.OUT, within)


@contextlib.contextmanager
def watched(world):
    """The server's memory at its height, and that others are served."""
    height, over = [0], threading.Event()

    def look():
        while not over.wait(0.05):
            height[0] = max(height[0], world.resident())

    watching = threading.Thread(target=look)
    watching.start()
    try:
        yield
        took = world.served()
    finally:
        over.set()
        watching.join()
    # Since the start: what an earlier case took stays with the process.
    grew = height[0] - world.at_start
    print(f"      memory {grew} kB above that at the start, another client served in {took:.1f} s")
    assert grew < MOST, f"{grew} kB"


def five_thousand_connections_that_never_log_on_are_bounded(world):
    with watched(world):
        held = []
        for _ in range(5_000):
            with contextlib.suppress(OSError):
                held.append(socket.create_connection(("127.0.0.1", world.port), 5))
        assert len(held) > 4_900, len(held)
        assert world.metric("hjemmel_sftp_waiting") <= 256
        world.served()
        for one in held:
            one.close()
    assert world.refused("too_many_waiting") > 4_000


def a_thousand_log_ons_a_second_are_bounded(world):
    """As far as this machine makes so many: a greeting and the beginning of a key exchange each."""
    begun, over = [0], time.monotonic() + 5

    def flood():
        while time.monotonic() < over:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", world.port), 2) as one:
                one.sendall(b"SSH-2.0-flood\r\n" + struct.pack(">IB", 0x7FFFFFFF, 4) + b"\x14" * 64)
                begun[0] += 1

    with watched(world):
        floods = [threading.Thread(target=flood) for _ in range(8)]
        for one in floods:
            one.start()
        world.served()
        for one in floods:
            one.join()
    print(f"      {begun[0] / 5:.0f} connections a second")
    assert begun[0] > 100


def log_ons_with_a_wrong_key_at_speed_keep_nobody_waiting(world):
    """A key exchange and a signature each, from as many addresses as there are tries: none is banned before it cost something."""
    wrong = paramiko.Ed25519Key.from_private_key_file(str(world.folder / "wrong"))
    refused, lost, numbers, over = [0], [0], itertools.count(), time.monotonic() + 8

    def flood():
        while time.monotonic() < over:
            number = next(numbers)
            try:
                one = socket.create_connection(("127.0.0.1", world.port), 10, (f"127.1.{number // 250 % 250}.{number % 250 + 1}", 0))
                transport = paramiko.Transport(one)
            except (OSError, paramiko.SSHException):
                lost[0] += 1
                continue
            try:
                transport.connect(username=world.user, pkey=wrong)
                raise SystemExit("it was let in")
            except paramiko.AuthenticationException:
                refused[0] += 1
            except (OSError, EOFError, paramiko.SSHException):
                lost[0] += 1
            finally:
                transport.close()

    with watched(world):
        floods = [threading.Thread(target=flood) for _ in range(48)]
        for one in floods:
            one.start()
        slowest = 0
        while time.monotonic() < over:
            slowest = max(slowest, world.served())
        for one in floods:
            one.join()
    print(f"      {refused[0] / 8:.0f} log-ons a second refused, {lost[0]} connections closed before; another client waited {slowest:.1f} s at most")
    assert refused[0] > 0, "none came as far as its key"


def wrong_keys_shut_out_their_own_name_and_no_other_and_each_answer_takes_as_long(world):
    def tried(user, key):
        """How long the answer took, and its words; none where the user was let in."""
        began = time.monotonic()
        transport = paramiko.Transport(("127.0.0.1", world.port))
        try:
            transport.connect(username=user, pkey=key)
            return time.monotonic() - began, None
        except paramiko.AuthenticationException as error:
            return time.monotonic() - began, str(error)
        finally:
            transport.close()

    right, wrong = (paramiko.Ed25519Key.from_private_key_file(str(world.folder / key)) for key in ("user", "wrong"))
    tries = {user: [tried(user, wrong) for _ in range(5)] for user in ("KY", "UKENDT")}
    all_words = {words for told in tries.values() for _, words in told}
    assert len(all_words) == 1 and None not in all_words, tries
    known, unknown = (statistics.median(took for took, _ in told) for told in tries.values())
    print(f"      a known user's wrong key {known:.3f} s, an unknown user {unknown:.3f} s")
    assert abs(known - unknown) < 0.25, (known, unknown)
    # Until the name is shut out, which is told as a wrong key is.
    until, before = time.monotonic() + 60, world.refused("banned")
    while world.refused("banned") == before:
        took, words = tried("KY", wrong)
        assert words in all_words and took > known / 2, (took, words)
        assert time.monotonic() < until, "no ban"
    # Others from the same address are let in, and so is whoever comes from elsewhere.
    run("sftp", "-q", *world.ssh_options("partner"), "-P", world.port, "-b", "-", f"{world.PARTNER}@127.0.0.1", stdin="ls OUT\n")
    world.served()
    # It ends by itself; a right key that comes meanwhile makes it no longer.
    until = time.monotonic() + 60
    while tried("KY", right)[1] is not None:
        assert time.monotonic() < until, "the ban does not end"


def ten_thousand_open_handles_are_not_held(world):
    with watched(world):
        transport = world.session()
        held, channels = 0, []
        for _ in range(8):
            channel = channel_of(transport)
            # The same file for writing is busy from the second on; a folder is a handle too.
            assert bool(opened(channel, f"{world.OUT}/held", 0x1A)) != bool(channels)
            # paramiko closes a channel that nobody holds, whenever Python looks for such.
            channels.append(channel)
            for _ in range(1_250):
                channel.sendall(packet(11, struct.pack(">I", 2) + text(world.IN)))
                held += answer(channel)[0] == 102
        try:
            transport.open_session(timeout=10)
            raise AssertionError("a ninth channel")
        except (paramiko.SSHException, EOFError):
            pass
        transport.close()
    assert held <= 8 * 128, held
    assert world.refused("channels") >= 1


def endless_pipelining_without_reading_holds_a_bounded_room(world):
    # A name of something unfinished: before the partners' mailboxes it lies until it is renamed.
    large = f"{world.OUT}/large.part"
    world.write(large, b"x" * 400_000)
    with watched(world):
        over, sent = time.monotonic() + 8, [0]
        transports = []

        def flood():
            transport = world.session()
            # What comes is never read; nor is the window made wider for it.
            channel = channel_of(transport)
            handle = opened(channel, large, 1)
            transports.append(transport)
            reads = b"".join(packet(5, struct.pack(">I", id) + text(handle) + struct.pack(">QI", 0, 200_000)) for id in range(500))
            channel.settimeout(2)
            with contextlib.suppress(OSError, EOFError):
                while time.monotonic() < over:
                    sent[0] += channel.send(reads)

        floods = [threading.Thread(target=flood) for _ in range(6)]
        for one in floods:
            one.start()
        world.served()
        for one in floods:
            one.join()
        for transport in transports:
            transport.close()
    print(f"      {sent[0] / 33:.0f} READs of 200 kB asked for")
    assert sent[0] > 100_000


def a_write_at_two_to_the_62_is_refused_with_a_receipt_and_takes_no_disk(world):
    with watched(world):
        transport = world.session()
        channel = channel_of(transport)
        for offset in (1 << 62, (1 << 64) - 1, 10 << 40):
            handle = opened(channel, f"{world.OUT}/far", 0x1A)
            channel.sendall(packet(6, struct.pack(">I", 3) + text(handle) + struct.pack(">Q", offset) + text(b"x")))
            assert answer(channel)[8] == 4
            channel.sendall(packet(4, struct.pack(">I", 4) + text(handle)))
            assert answer(channel)[8] == 4, "the close fails too"
        transport.close()
    assert "1060" in world.read(f"{world.RECEIPT}/far.sftpreceipt").decode()
    assert world.names(world.OUT) == []


def names_of_odd_forms_are_refused_or_stand_as_they_are_spelt(world):
    out = world.OUT.encode() + b"/"
    refused = [out + name for name in (
        b"\xff\xfe", b"\xc0\xae\xc0\xae", b"\xed\xa0\x80", "\ufffd".encode(), b"a\0b", b"a\nb", b"a\rb", b"\x1b[2J", b"\x7f", "a\x85b".encode(),
        "a\u2028b".encode(), b"", b".", b"..", b"../../etc/passwd", b"../x", b"a/b", b"x" * 256, b"x" * 5_000, b"x" * 100_000)]
    refused += [b"", b"/", b".", b"..", world.OUT.encode(), world.IN.encode() + b"/x", world.OUT.lower().encode() + b"/x", b"/etc/passwd", b"STAGED/x",
                b"../KY/" + out + b"x"]
    # Unfinished, so that they lie where they are put.
    spelt = ["Æblegrød Å", "A\u030a", "~", "*", "$(reboot)", "a;b|c&d", " ", "..x", "CON", "\u202egpj.exe", "#1", "\U0001f512", "%2e%2e"]
    with watched(world):
        transport = world.session()
        channel = channel_of(transport)
        for path in refused:
            assert opened(channel, path, 0x1A) is None, path[:80]
        for name in spelt:
            assert put(channel, f"{world.OUT}/{name}.part", b"x"), name
        transport.close()
        # As bytes, one by one: a client's listing would show them by its own rules.
        column = "SELECT name FROM mailbox_upload" if isinstance(world, Partners) else "SELECT name FROM home_file WHERE folder = 'OUT'"
        assert sorted(name for name, in world.store.execute(column)) == sorted(f"{name}.part" for name in spelt)
    staged = [file for file in (world.folder / "staging").rglob("*") if file.is_file() and not file.name.startswith(".")]
    assert not staged, staged


def uploads_that_are_never_ended_are_bounded(world):
    with watched(world):
        transports, channels, held = [], [], 0
        for session in range(4):
            transport = world.session()
            transports.append(transport)
            for at in range(8):
                channel = channel_of(transport)
                channels.append(channel)
                for number in range(10):
                    handle = opened(channel, f"{world.OUT}/wait-{session}-{at}-{number}.part", 0x1A)
                    if handle:
                        channel.sendall(packet(6, struct.pack(">I", 3) + text(handle) + struct.pack(">Q", 0) + text(b"x" * 10_000)))
                        held += answer(channel)[8] == 0
        print(f"      {held} uploads begun")
        # Of a user: `WAITING` of the partners' door.
        assert held <= 64 or not isinstance(world, Partners), held
        world.served()
        assert world.names(world.OUT) == [], "none was closed"
        for transport in transports:
            transport.close()
    # A session that died leaves nothing.
    until = time.monotonic() + 60
    while not world.closed():
        assert time.monotonic() < until, "files of dead sessions stay open"
        time.sleep(0.1)
    assert world.names(world.OUT) == []


def clients_that_drip_keep_nobody_waiting(world):
    with watched(world):
        drips = [world.session() for _ in range(40)]
        channels = [channel_of(transport) for transport in drips]
        stat = packet(17, struct.pack(">I", 9) + text("OUT"))
        for byte in stat[:-1]:
            for channel in channels:
                channel.sendall(bytes([byte]))
        world.served()
        for channel in channels:
            channel.sendall(stat[-1:])
        assert all(answer(channel)[0] == 105 for channel in channels)
        for transport in drips:
            transport.close()


def lengths_that_lie_end_their_channel_alone(world):
    with watched(world):
        transport = world.session()
        for length in (0, 0x7FFFFFFF, 0xFFFFFFFF):
            channel = channel_of(transport)
            channel.sendall(struct.pack(">I", length) + b"\x05" * 64)
            try:
                while channel.recv(1000):
                    pass
            except EOFError:
                pass
            channel.close()
        assert channel_of(transport), "the connection goes on"
        transport.close()
    assert world.refused("not_sftp") >= 2


def what_is_not_sftp_is_refused_and_recorded(world):
    causes = ("port_forwarding", "socket", "x11", "agent", "shell", "exec", "terminal", "subsystem")
    before = {cause: world.refused(cause) for cause in causes}
    transport = world.session()

    def no(attempt):
        try:
            attempt()
        except (paramiko.SSHException, EOFError):
            return
        raise AssertionError("it was given")

    no(lambda: transport.open_channel("direct-tcpip", ("127.0.0.1", 22), ("127.0.0.1", 1), timeout=10))
    no(lambda: transport.open_channel("x11", src_addr=("127.0.0.1", 1), timeout=10))
    no(lambda: transport.request_port_forward("127.0.0.1", 0))
    for ask in ("invoke_shell", "get_pty", "request_x11"):
        no(getattr(transport.open_session(), ask))
    no(lambda: transport.open_session().exec_command("id"))
    no(lambda: transport.open_session().invoke_subsystem("netconf"))
    transport.close()
    options = [*world.ssh_options(), "-p", str(world.port), "KY@127.0.0.1"]
    subprocess.run(["ssh", "-A", "-o", "ForwardAgent=yes", *options, "true"], capture_output=True, timeout=30)
    subprocess.run(["ssh", "-o", "ExitOnForwardFailure=yes", "-N", "-R", f"{world.folder}/remote.sock:127.0.0.1:1", *options],
                   capture_output=True, timeout=30)
    for cause in causes:
        if cause != "agent":  # ssh asks for it only where there is one
            assert world.refused(cause) > before[cause], cause
    assert not (world.folder / "remote.sock").exists()


def a_key_that_is_disabled_ends_its_session_at_the_next_operation(world):
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", world.folder / "third")
    why = ["--reason", "prøve", "--config", world.config]
    run(world.program, "sftp", "key", "add", "KY", world.folder / "third.pub", "--label", "third", *why)
    transport = paramiko.Transport(("127.0.0.1", world.port))
    transport.connect(username="KY", pkey=paramiko.Ed25519Key.from_private_key_file(str(world.folder / "third")))
    channel = channel_of(transport)
    handle = opened(channel, "OUT/half", 0x1A)
    fingerprint = run("ssh-keygen", "-l", "-f", world.folder / "third.pub").split()[1]
    run(world.program, "sftp", "key", "disable", "KY", fingerprint, *why)
    time.sleep(0.3)  # for so long a session believes its key
    channel.sendall(packet(6, struct.pack(">I", 3) + text(handle) + struct.pack(">Q", 0) + text(b"x")))
    assert answer(channel)[8] == 3, "permission denied"
    transport.join(10)
    assert not transport.is_active()
    assert world.names("OUT") == [] and world.refused("key_not_allowed") >= 1


def a_number_of_a_person_in_names_and_elements_stands_in_no_log_metric_or_audit(world):
    for name in (f"{NUMBER}.xml", f"KY_{NUMBER[:6]}-{NUMBER[6:]}.xml"):
        trigger = world.trigger(name, 4).replace("<SendersFileId>fil-1", f"<p{NUMBER}/><SendersFileId>{NUMBER}")
        world.write(f"OUT/{name}", b"data")
        world.write(f"OUT/{name}.trigger", trigger.encode())
        world.comes(f"{name}.sftpreceipt")
        receipt = world.read(f"IN/{name}.sftpreceipt").decode()
        assert "<ErrorCode>1002" in receipt, receipt
        assert NUMBER not in re.sub(r"<SendersFileId>[^<]*</SendersFileId>", "", receipt), receipt
        world.write(f"OUT/{name}.trigger", world.trigger(name, 4).encode())
        world.comes(name, world.PARTNER)
    # Renames, wrong handles and refusals with that name, too.
    world.write(f"OUT/{NUMBER}", b"x")
    with contextlib.suppress(Exception):
        world.look(f"rename OUT/{NUMBER} IN/{NUMBER}")
    with urllib.request.urlopen(f"http://{world.admin}/metrics") as shown:
        told = [shown.read()]
    told += [file.read_bytes() for file in [world.folder / "server.log", *(world.folder / "audit").rglob("*")] if file.is_file()]
    for part in (NUMBER, f"{NUMBER[:6]}-{NUMBER[6:]}"):
        assert not any(part.encode() in text for text in told), part


CASES = [
    what_is_not_sftp_is_refused_and_recorded,
    a_key_that_is_disabled_ends_its_session_at_the_next_operation,
    a_write_at_two_to_the_62_is_refused_with_a_receipt_and_takes_no_disk,
    names_of_odd_forms_are_refused_or_stand_as_they_are_spelt,
    uploads_that_are_never_ended_are_bounded,
    lengths_that_lie_end_their_channel_alone,
    a_number_of_a_person_in_names_and_elements_stands_in_no_log_metric_or_audit,
    clients_that_drip_keep_nobody_waiting,
    ten_thousand_open_handles_are_not_held,
    endless_pipelining_without_reading_holds_a_bounded_room,
    five_thousand_connections_that_never_log_on_are_bounded,
    a_thousand_log_ons_a_second_are_bounded,
    log_ons_with_a_wrong_key_at_speed_keep_nobody_waiting,
    wrong_keys_shut_out_their_own_name_and_no_other_and_each_answer_takes_as_long,
]
# Where the partners' mailboxes have a way of their own.
OF_PARTNERS = [
    a_write_at_two_to_the_62_is_refused_with_a_receipt_and_takes_no_disk,
    names_of_odd_forms_are_refused_or_stand_as_they_are_spelt,
    uploads_that_are_never_ended_are_bounded,
    ten_thousand_open_handles_are_not_held,
    endless_pipelining_without_reading_holds_a_bounded_room,
]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", required=True)
    arguments.add_argument("cases", nargs="*")
    given = arguments.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000) if hard != resource.RLIM_INFINITY else 20_000, hard))
    # It tells each refusal with its stack.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    failed = 0
    for name, kind, cases in (("homes", World, CASES), ("partners", OfPartners, OF_PARTNERS)):
        cases = [case for case in cases if not given.cases or case.__name__ in given.cases]
        if cases:
            print(f"hostile before the {name}:")
            with tempfile.TemporaryDirectory(prefix="hjemmel-hostile-") as folder:
                failed += faults(kind(given.program, folder, 256 << 20, more="failures = 20\nfailures_within = \"5s\"\n"), cases)
    print(f"{failed} hostile cases failed" if failed else "every hostile case is bounded")
    return 1 if failed else 0


def faults(world, cases):
    failed = 0
    try:
        world.served()
        world.at_start = world.resident()
        for case in cases:
            world.clear()
            began = time.monotonic()
            try:
                case(world)
                print(f"ok    {case.__name__} ({time.monotonic() - began:.1f} s)")
            except Exception as error:  # each case is judged by itself
                failed += 1
                print(f"FAIL  {case.__name__}: {type(error).__name__}: {str(error)[:800]}")
            sys.stdout.flush()
    finally:
        world.stop()
    return failed


if __name__ == "__main__":
    sys.exit(main())
