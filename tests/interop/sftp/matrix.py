"""What real clients do, before `hjemmel stub sftp`, before the homes and before the partners' mailboxes of `hjemmel serve`. Run by run.sh."""

import argparse
import contextlib
import math
import subprocess
import sys
import tempfile
import time

from clients import CLIENTS
from once import receipts_and_metadata_are_valid_to_two_judges, spsftp_sends_and_reads_by_the_older_root_alone, what_openssh_is_told_of_the_server
from scenarios import KNOWN, LONG, OF_PARTNERS, PLAIN, REAL
from worlds import UNHURRIED, Failed, Mailboxes, Partners, Plain, Unavailable, World

REKEY = 1 << 20  # every transfer below renews its keys several times
AT_LEAST = 12  # real clients before each server


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", required=True)
    arguments.add_argument("--tools", required=True)
    arguments.add_argument("--long", action="store_true")
    arguments.add_argument("--within", type=float, help=f"begin with no client after so many seconds ({UNHURRIED}; without end with --long)")
    arguments.add_argument("--before", choices=["stub", "mailboxes", "partners", "all"], default="all", help="before which server")
    arguments.add_argument("clients", nargs="*", metavar="CLIENT", help=", ".join(CLIENTS))
    given = arguments.parse_args()
    unknown = set(given.clients) - set(CLIENTS)
    if unknown:
        arguments.error(f"no such client: {', '.join(unknown)}")
    within = given.within or (math.inf if given.long else UNHURRIED)
    deadline, failed = time.monotonic() + within, []
    # With keys renewed at each megabyte a gigabyte takes an hour in Python.
    rounds = [("stub", Plain, REKEY, PLAIN), ("mailboxes", Mailboxes, REKEY, REAL), ("partners", Partners, REKEY, OF_PARTNERS)]
    if given.long:
        rounds += [("stub", Plain, 256 << 20, LONG), ("mailboxes", Mailboxes, 256 << 20, LONG)]
    # Clients wait more than they work: those before the plain folders go beside the others.
    beside = given.before == "all" and not given.clients
    with played_beside("stub", failed) if beside else contextlib.nullcontext():
        for name, kind, rekey, scenarios in rounds:
            if given.before not in (name, "all") or beside and name == "stub":
                continue
            with tempfile.TemporaryDirectory(prefix="hjemmel-sftp-") as folder:
                world = kind(given.program, folder, rekey)
                print(f"before the {name}:")
                try:
                    failed += round_of(name, world, given, scenarios, deadline)
                finally:
                    world.stop()
    return 1 if failed else 0


@contextlib.contextmanager
def played_beside(server, failed):
    """The rounds before one server by a process of their own; what it says comes at the end."""
    with tempfile.TemporaryFile("w+") as said:
        other = subprocess.Popen([sys.executable, __file__, *sys.argv[1:], "--before", server], stdout=said, stderr=said)
        World.beside = frozenset({other.pid})
        try:
            yield
        finally:
            if other.wait():
                failed.append(server)
            said.seek(0)
            print(said.read(), end="")


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
                wrong.append((scenario.__name__, " ".join(str(error).split())[:800]))
        client.end()
        ran += 1
        print(f"{'FAIL' if wrong else 'ok  '}  {name}: {done} scenarios in {time.monotonic() - began:.1f} s ({client.version})")
        for scenario, why in wrong:
            print(f"FAIL  {name}, {scenario}:\n      {why}")
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
