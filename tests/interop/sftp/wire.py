"""Packets of SFTP by hand, over a channel of paramiko's: what no well-behaved library sends, and nothing that it would add."""

import struct


def packet(kind, body):
    return struct.pack(">IB", len(body) + 1, kind) + body


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">I", len(value)) + value


def exactly(channel, length):
    got = b""
    while len(got) < length:
        piece = channel.recv(length - len(got))
        if not piece:
            raise EOFError
        got += piece
    return got


def answer(channel):
    return exactly(channel, struct.unpack(">I", exactly(channel, 4))[0])


def opened(channel, name, flags):
    channel.sendall(packet(3, struct.pack(">I", 1) + text(name) + struct.pack(">II", flags, 0)))
    got = answer(channel)
    return got[9:] if got[0] == 102 else None


def channel_of(transport):
    """A channel with the subsystem on it, INIT answered."""
    channel = transport.open_session()
    channel.invoke_subsystem("sftp")
    channel.sendall(packet(1, struct.pack(">I", 3)))
    answer(channel)
    return channel


def listed(channel, folder, pages):
    """The first pages of a folder; how many names they had."""
    channel.sendall(packet(11, struct.pack(">I", 1) + text(folder)))
    handle, names = answer(channel)[5:], 0
    for _ in range(pages):
        channel.sendall(packet(12, struct.pack(">I", 2) + handle))
        got = answer(channel)
        if got[0] != 104:
            break
        names += struct.unpack(">I", got[5:9])[0]
    channel.sendall(packet(4, struct.pack(">I", 3) + handle))
    answer(channel)
    return names


def there(channel, path):
    channel.sendall(packet(17, struct.pack(">I", 4) + text(path)))
    return answer(channel)[0] == 105


def put(channel, path, content):
    channel.sendall(packet(3, struct.pack(">I", 1) + text(path) + struct.pack(">II", 0x1A, 0)))
    handle = answer(channel)[5:]
    channel.sendall(packet(6, struct.pack(">I", 2) + handle + struct.pack(">Q", 0) + text(content)))
    answer(channel)
    channel.sendall(packet(4, struct.pack(">I", 3) + handle))
    return answer(channel)[8] == 0
