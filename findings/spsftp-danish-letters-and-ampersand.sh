#!/usr/bin/env bash
# spsftp (Python, for Serviceplatformen's SFTP service): names with Danish letters, and with an ampersand, before OpenSSH's sftp-server.
#
# Guessed: `send` puts the file and its trigger, and returns; the trigger is XML whatever the file is called.
# Happens: the trigger is handed to paramiko as text, which counts characters where the server counts bytes: for a name with æ, ø or å `send`
#          raises "size mismatch in put!" after file and trigger are both there, so a caller that tries again sends twice. A name with & is put
#          into the trigger as it is, which is then not well-formed.
# The product: as long as the recipient has the first file, the second try is refused (1040) and not put over it; a trigger that is not well-formed gets a
#          receipt with 1001. docs/clients/sftp.md says what users of spsftp do: names in ASCII without &, and the receipt before another try.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
server=/usr/lib/openssh/sftp-server
[ -x "$server" ] || { echo "$server is needed: apt-get install openssh-sftp-server"; exit 2; }
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check spsftp==0.0.1 paramiko==2.12.0 xmltodict==0.12.0
mkdir -p "$dir/home/OUT"
cat > "$dir/try.py" <<'PY'
import importlib.metadata, io, os, socket, subprocess, sys, xml.etree.ElementTree as tree
import paramiko, spsftp
print("spsftp", importlib.metadata.version("spsftp"), "paramiko", paramiko.__version__)
os.chdir(sys.argv[2])
class Named(socket.socket):  # paramiko asks a channel for its name
    def get_name(self):
        return "pair"
ours, theirs = socket.socketpair()
ours = Named(fileno=ours.detach())
server = subprocess.Popen([sys.argv[1]], stdin=theirs, stdout=theirs)
client = spsftp.SpSftp.__new__(spsftp.SpSftp)  # without its connection: the server is at the other end of a socket
client.username, client.sftp = "KY", paramiko.SFTPClient(ours)
said = {}
for name in ("plain.xml", "Sortiment Overført.xml", "R&D.xml"):
    try:
        client.send(io.BytesIO(b"content"), name, "OPUS")
        told = "returns"
    except OSError as error:
        told = f"raises {error}"
    trigger = open(f"OUT/{name}.trigger", encoding="utf-8").read()
    try:
        read = tree.fromstring(trigger).find("FileDescriptor/FileName").text == name
    except tree.ParseError as error:
        read = f"not well-formed ({error})"
    said[name] = (told, read)
    print(f"{name}: file there {os.path.getsize('OUT/' + name)} bytes, send {told}, trigger names it: {read}")
server.kill()
due = said["plain.xml"] == ("returns", True)
due &= said["Sortiment Overført.xml"][0].startswith("raises size mismatch in put!") and said["Sortiment Overført.xml"][1] is True
due &= said["R&D.xml"][0] == "returns" and "not well-formed" in str(said["R&D.xml"][1])
sys.exit(0 if due else "the behaviour has changed")
PY
"$dir/venv/bin/python" "$dir/try.py" "$server" "$dir/home" 2>&1 | grep -v -i "warn\|cryptography\|^  " ; exit "${PIPESTATUS[0]}"
