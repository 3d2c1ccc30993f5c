"""What is shown of a server once, not with each client."""

import os
import re
import shutil
import subprocess
import uuid
from pathlib import Path

from scenarios import emptied
from worlds import Unavailable, run

HERE = Path(__file__).parent


def what_openssh_is_told_of_the_server(world):
    """Algorithms, methods, and all that is not SFTP."""
    options = world.ssh_options()
    ssh = ["ssh", *options, "-p", str(world.port)]
    shown = subprocess.run([*ssh, "-vv", "-o", "LogLevel=DEBUG2", f"{world.user}@127.0.0.1", "true"], capture_output=True, text=True, timeout=30).stderr
    assert "Authentications that can continue: publickey\n" in shown, shown
    assert "compression stoc: none\n" in shown
    assert "resetting read seqnr" in shown, "strict key exchange"
    offered = re.search(r"server-sig-algs=<([^>]*)>", shown)[1].split(",")
    assert "ssh-rsa" not in offered and "rsa-sha2-512" in offered, offered
    host = re.findall(r"host key algorithms: (.*)", shown)[-1].strip().split(",")
    assert host == ["ssh-ed25519", "ecdsa-sha2-nistp256"], host

    def refused(*more, key="rsa"):
        command = ["sftp", "-q", *world.ssh_options(key), *more, "-P", str(world.port), "-b", "-", f"{world.user}@127.0.0.1"]
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
        assert subprocess.run([*ssh, *([] if more == ["true"] else more), f"{world.user}@127.0.0.1", *([] if more != ["true"] else more)],
                              input="", capture_output=True, text=True, timeout=30).returncode != 0, more


def spsftp_sends_and_reads_by_the_older_root_alone(world, tools):
    """The real package: its `send`, and its `recv`, which knows metadata by the root `ns2:Trigger`."""
    python = Path(tools) / "spsftp/bin/python"
    if subprocess.run([python, "-c", "import spsftp"], capture_output=True).returncode:
        raise Unavailable("spsftp of PyPI")
    # It takes RSA keys in PEM alone.
    key = world.folder / "pem"
    shutil.copyfile(world.folder / "rsa", key)
    key.chmod(0o600)
    run("ssh-keygen", "-q", "-p", "-m", "PEM", "-N", "", "-P", "", "-f", key)

    def exchange():
        name, answer = f"sp-{uuid.uuid4()}", f"svar-{uuid.uuid4()}"
        world.write(f"OUT/{answer}", b"svar", world.PARTNER)
        world.write(f"OUT/{answer}.trigger", world.trigger(answer, 4, world.PARTNER, "KY").encode(), world.PARTNER)
        world.comes(answer)
        said = run(python, HERE / "drivers/spsftp_driver.py", world.port, key, name, answer, world.PARTNER)
        world.comes(f"{name}.sftpreceipt")
        assert "<Message>SUCCESS</Message>" in world.read(f"IN/{name}.sftpreceipt").decode()
        assert world.read(f"IN/{name}", world.PARTNER) == b"content of " + name.encode()
        return said.splitlines()

    def older(switch):
        run(world.program, "sftp", "user", "change", "KY", "--older-root", switch, "--reason", "prøve", "--config", world.config)

    assert exchange() == ["sent", "kept from it: KeyError('ns2:Trigger')"]
    older("true")
    assert exchange() == ["sent", "read svar"]
    older("false")


def receipts_and_metadata_are_valid_to_two_judges(world):
    """As a client fetched them, by the official schema: a file's metadata, its receipt, and the receipt of one that is refused for two reasons."""
    reference = Path(os.environ.get("HJEMMEL_REFERENCE", HERE.parents[3] / "shared/reference"))
    schema = reference / "sftp/xsd/SFTPTypes.xsd"
    if not schema.exists():
        raise Unavailable("the official schemas (HJEMMEL_REFERENCE)")
    if not shutil.which("java") or not shutil.which("xmllint"):
        raise Unavailable("Java, and package libxml2-utils")
    good, wrong = f"godt-{uuid.uuid4()}", f"forkert-{uuid.uuid4()}"
    for name, size, recipient in ((good, 4, world.PARTNER), (wrong, 5, "UKENDT")):
        world.write(f"OUT/{name}", b"data")
        world.write(f"OUT/{name}.trigger", world.trigger(name, size, recipient=recipient).encode())
        world.comes(f"{name}.sftpreceipt")
    folder = emptied(world, "judged")
    documents = {"metadata": world.read(f"IN/{good}.metadata", world.PARTNER), "success": world.read(f"IN/{good}.sftpreceipt"),
                 "refused": world.read(f"IN/{wrong}.sftpreceipt")}
    # What must not pass: else the judges would judge nothing.
    documents["changed"] = re.sub(rb"<SizeInBytes>4<", b"<SizeInBytes>four<", documents["metadata"])
    assert documents["changed"] != documents["metadata"]
    files = []
    for name, text in documents.items():
        files.append(folder / f"{name}.xml")
        files[-1].write_bytes(text)
    java = run("java", HERE / "drivers/schema/Judge.java", schema, *files).splitlines()
    assert java[:-1] == ["valid"] * 3 and "four" in java[-1], java
    libxml2 = [subprocess.run(["xmllint", "--noout", "--nonet", "--schema", schema, file], capture_output=True).returncode for file in files]
    assert libxml2[:-1] == [0, 0, 0] and libxml2[-1] == 3, libxml2
