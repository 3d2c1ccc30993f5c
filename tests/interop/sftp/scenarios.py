"""What a client must manage before each server."""

import contextlib
import os
import re
import shutil
import signal
import threading
import uuid
from pathlib import Path

from worlds import Failed, same

GIGABYTE = 1 << 30
MOST = 64 << 10  # what a transfer of any size, or one that stands still, may add to the server's memory, in kB


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
    three = content(world, "three", 3_000_001)
    client.put(three, "OUT/three")
    world.same(three, "OUT/three")
    back = world.folder / "back"
    back.unlink(missing_ok=True)
    client.get("OUT/three", back)
    same(three, back)


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
    # With times preserved: they are set by name when the file is taken.
    client.put(data, "OUT/data", preserve=True)
    client.put(trigger, "OUT/data.trigger", preserve=True)
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
    client.put(data, f"OUT/{name}", preserve=True)
    client.put(trigger, f"OUT/{name}.trigger", preserve=True)
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


def a_trigger_that_comes_by_a_rename_takes_the_file(client, world):
    if not client.rename:
        return False
    name = f"data-{uuid.uuid4()}"
    text = world.trigger(name, 100_000) if world.real else "trigger"
    for way, rename in (("", client.rename), ("posix-", client.replace or client.rename)):
        trigger = world.folder / "data.trigger"
        trigger.write_text(text.replace(name, f"{way}{name}"))
        client.put(content(world, "data", 100_000), f"OUT/{way}{name}")
        client.put(trigger, f"OUT/.in.{way}{name}.part")
        rename(f"OUT/.in.{way}{name}.part", f"OUT/{way}{name}.trigger")
        if world.real:
            world.comes(f"{way}{name}.sftpreceipt")
        assert f"{way}{name}.sftpreceipt" in client.names("IN")
        assert world.names("OUT") == []


def a_rename_onto_a_name_that_is_there_is_refused_and_posix_rename_replaces(client, world):
    if not client.rename:
        return False
    world.write("OUT/a", b"a")
    world.write("OUT/b", b"b")
    client.rename("OUT/a", "OUT/c")
    assert world.read("OUT/c") == b"a"
    if not client.rename_replaces:
        fails(lambda: client.rename("OUT/c", "OUT/b"))
        assert world.read("OUT/b") == b"b" and world.names("OUT") == ["b", "c"]
    if client.replace:
        client.replace("OUT/c", "OUT/b")
        assert world.read("OUT/b") == b"a" and world.names("OUT") == ["b"]


def fails(what):
    try:
        what()
    except (Failed, OSError):
        return
    raise AssertionError("no failure was reported")


def tree(world, names):
    """A folder with files of these names, and nothing else; its own name is in the way of none."""
    folder = world.folder / "tree"
    shutil.rmtree(folder, ignore_errors=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode() * 100)
    return folder


def whole_folders_go_up_and_come_down(client, world):
    if not client.tree_up:
        return False
    names = [f"fil-{number:03}" for number in range(25)]
    client.tree_up(tree(world, names), "OUT")
    assert world.names("OUT") == names, world.names("OUT")
    for name in (names[0], names[-1]):
        world.same(world.folder / "tree" / name, f"OUT/{name}")
    world.fill(25)
    back = emptied(world, "back-tree")
    client.tree_down("IN", back)
    found = {path.name: path.read_text() for path in back.rglob("*") if path.is_file()}
    assert found == {f"{number:05}.xml": "x" for number in range(25)}, sorted(found)


def emptied(world, name):
    folder = world.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def a_new_folder_is_refused_and_the_client_says_so(client, world):
    if not client.mkdir:
        return False
    fails(lambda: client.mkdir("OUT/mappe"))
    fails(lambda: client.mkdir("mappe"))
    if client.tree_up:
        # A folder within a folder too; the files beside it may arrive.
        with contextlib.suppress(Failed, OSError):
            client.tree_up(tree(world, ["mappe/fil"]), "OUT")
        assert not {"mappe", "fil"} & set(world.names("OUT")), world.names("OUT")


def a_reader_that_stalls_keeps_nobody_waiting_and_goes_on(client, world):
    size = 4 << 20
    while True:
        large = content(world, f"large-{size}", size)
        world.lay(large, "OUT/large")
        into, failure = emptied(world, "stalled"), []

        def get():
            try:
                client.get("OUT/large", into / "large")
            except (Failed, OSError) as error:
                failure.append(error)

        reading = threading.Thread(target=get)
        before = world.resident()
        reading.start()
        while reading.is_alive() and not any(file.stat().st_size for file in into.iterdir()):
            pass
        stopped = told(programs(client, world), signal.SIGSTOP)
        try:
            stalled = reading.is_alive() and stopped
            world.others_are_served()
            grew = world.resident() - before
        finally:
            told(stopped, signal.SIGCONT)
        reading.join()
        assert not failure, failure[0]
        same(large, into / "large")
        assert grew < MOST, f"{grew} kB"
        if stalled:
            return
        # It was faster than it was stopped.
        large.unlink()
        size *= 2
        assert size < 1 << 30, "it was never seen reading"


def programs(client, world):
    """The processes of a client: those below this one, but the server and the clients of another round; sshfs stands by itself."""
    found, todo, others = [], [os.getpid()], {world.server.pid, *world.beside}
    while todo:
        for task in Path(f"/proc/{todo.pop()}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                children = [child for child in map(int, task.read_text().split()) if child not in others]
                todo += children
                found += children
    for process in Path("/proc").glob("[0-9]*") if hasattr(client, "mount") else []:
        with contextlib.suppress(OSError):
            if str(client.mount).encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return sorted(set(found))


def told(processes, what):
    """Those that were still there to be told it."""
    there = []
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, what)
            there.append(process)
    return there


def an_upload_is_resumed(client, world):
    if not client.resume:
        return False
    whole = content(world, "whole", 400_000)
    world.write("OUT/resumed", whole.read_bytes()[:150_000])
    client.resume(whole, "OUT/resumed")
    world.same(whole, "OUT/resumed")


def what_is_appended_stands_at_the_end(client, world):
    if not client.append:
        return False
    world.write("OUT/log", b"first ")
    more = world.folder / "more"
    more.write_text("second")
    client.append(more, "OUT/log")
    assert world.read("OUT/log") == b"first second"


def in_takes_nothing_and_the_client_says_so(client, world):
    fails(lambda: client.put(content(world, "small", 10), "IN/small"))
    assert world.names("IN") == []


def a_thousand_files_are_listed(client, world, number=1_000):
    if not client.names:
        return False
    world.fill(number)
    found = client.names(world.RECEIVED)
    assert len(found) == number and len(set(found)) == number, len(found)


def ten_thousand_files_are_listed(client, world):
    return a_thousand_files_are_listed(client, world, 10_000)


def a_gigabyte_goes_up_and_comes_down(client, world):
    gigabyte, before = content(world, "gigabyte", GIGABYTE), world.resident()
    back = world.folder / "back"
    back.unlink(missing_ok=True)
    try:
        client.put(gigabyte, "OUT/gigabyte")
        world.same(gigabyte, "OUT/gigabyte")
        client.get("OUT/gigabyte", back)
        same(gigabyte, back)
    finally:
        # Of sixteen clients the disk would have a gigabyte each.
        back.unlink(missing_ok=True)
        with contextlib.suppress(Failed, OSError):
            world.remove("OUT/gigabyte")
    grew = world.resident() - before
    print(f"      the server's memory: {world.resident()} kB, {grew} kB more than before")
    assert grew < MOST, f"{grew} kB"


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
    if not client.resume:
        return False
    # By its own user alone: what is unfinished is nobody else's.
    name, whole, half, back = f"loen-{uuid.uuid4()}.part", content(world, "whole", 300_000), world.folder / "half", world.folder / "back"
    half.write_bytes(whole.read_bytes()[:150_000])
    client.put(half, f"{world.OUT}/{name}")
    client.resume(whole, f"{world.OUT}/{name}")
    back.unlink(missing_ok=True)
    client.get(f"{world.OUT}/{name}", back)
    same(whole, back)


def a_file_that_is_too_large_has_a_receipt_whatever_the_client_says(client, world):
    name = f"stor-{uuid.uuid4()}.txt"
    with contextlib.suppress(Failed, OSError):
        client.put(content(world, "large", world.LARGEST + 1), f"{world.OUT}/{name}")
    world.comes(world.RECEIPT, f"{name}.sftpreceipt")
    assert b"<ErrorCode>1060<" in world.read(f"{world.RECEIPT}/{name}.sftpreceipt")
    assert name not in world.names(world.IN)


def whole_folders_are_delivered_and_fetched(client, world):
    if not client.tree_up:
        return False
    names = sorted(f"mappe-{uuid.uuid4()}" for _ in range(5))
    client.tree_up(tree(world, names), world.OUT)
    for name in names:
        world.comes(world.IN, name)
    assert world.names(world.OUT) == []
    back = emptied(world, "back-tree")
    client.tree_down(world.IN, back)
    for name in names:
        got, = back.rglob(name)
        same(world.folder / "tree" / name, got)
    world.empty()


def a_new_folder_beside_the_streams_is_refused_and_the_client_says_so(client, world):
    if not client.mkdir:
        return False
    for place in (f"{world.OUT}/mappe", "PA85858/OUT/mappe", "mappe"):
        fails(lambda: client.mkdir(place))


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
    a_trigger_that_comes_by_a_rename_takes_the_file,
    danish_letters_stand_in_names,
    a_rename_onto_a_name_that_is_there_is_refused_and_posix_rename_replaces,
    an_upload_is_resumed,
    what_is_appended_stands_at_the_end,
    whole_folders_go_up_and_come_down,
    a_new_folder_is_refused_and_the_client_says_so,
    in_takes_nothing_and_the_client_says_so,
    a_reader_that_stalls_keeps_nobody_waiting_and_goes_on,
]
# The plain folders, which are read anew for each page.
PLAIN = [*SCENARIOS, a_thousand_files_are_listed]
# The homes, with the receipts that the plain folders do not have.
REAL = [*SCENARIOS, a_refused_file_has_a_receipt_with_each_reason_and_stays, ten_thousand_files_are_listed]
OF_PARTNERS = [
    a_file_goes_to_the_other_party_and_its_removal_confirms_it,
    an_unfinished_name_waits_and_its_rename_delivers,
    an_unfinished_upload_is_resumed,
    whole_folders_are_delivered_and_fetched,
    a_new_folder_beside_the_streams_is_refused_and_the_client_says_so,
    a_file_that_is_too_large_has_a_receipt_whatever_the_client_says,
    an_inbox_takes_nothing,
    ten_thousand_files_are_listed,
]
LONG = [a_gigabyte_goes_up_and_comes_down]

# What a client cannot do, or says nothing of; each was seen against OpenSSH's own server too.
KNOWN = {
    # It writes behind, and its close does not wait.
    ("sshfs", "in_takes_nothing_and_the_client_says_so"): None,
}
