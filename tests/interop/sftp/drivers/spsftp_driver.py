"""spsftp as its users use it: a file sent to a partner, and one of the partner's read with its metadata. Says `sent`, and `read` or what kept it."""

import io
import sys

import spsftp

port, key, name, fetched, partner = sys.argv[1:]
client = spsftp.SpSftp({"user": "KY", "host": "127.0.0.1", "port": port, "ssh_key_path": key, "ssh_key_passphrase": None})
client.connect()
client.send(io.BytesIO(b"content of " + name.encode()), name, partner)
print("sent")
into = io.BytesIO()
try:
    client.recv(fetched, into, partner)
    print("read", into.getvalue().decode())
except (KeyError, spsftp.MetadataError) as error:
    print("kept from it:", repr(error))
client.disconnect()
