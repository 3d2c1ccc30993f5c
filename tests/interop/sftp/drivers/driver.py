"""Drives paramiko or asyncssh over one connection: who logs on comes as a line of JSON on standard input, then a line for each step."""

import asyncio
import json
import os
import sys

PIECE = 1 << 20


def told(done):
    print(json.dumps(done, default=str), flush=True)


def pieces(local, begin):
    with open(local, "rb") as source:
        source.seek(begin)
        while piece := source.read(PIECE):
            yield piece


def by_paramiko(about, steps):
    import paramiko

    ssh = paramiko.SSHClient()
    ssh.load_host_keys(about["known_hosts"])
    ssh.connect(about["host"], about["port"], about["user"], key_filename=about["key"], look_for_keys=False, allow_agent=False)
    sftp = ssh.open_sftp()

    def put(local, remote, preserve):
        # confirm=True: it asks for the size by name afterwards.
        sftp.put(local, remote, confirm=True)
        if preserve:
            times = os.stat(local)
            sftp.utime(remote, (times.st_atime, times.st_mtime))
            sftp.chmod(remote, 0o644)

    def goes_on(local, remote, mode):
        with sftp.open(remote, mode) as to:
            begin = to.stat().st_size if mode == "r+" else 0
            to.seek(begin)
            for piece in pieces(local, begin):
                to.write(piece)

    does = {
        "put": lambda step: put(step["local"], step["remote"], step["preserve"]),
        # It asks for the whole file before it reads any.
        "get": lambda step: sftp.get(step["remote"], step["local"], prefetch=True),
        "names": lambda step: sftp.listdir(step["remote"]),
        "remove": lambda step: sftp.remove(step["remote"]),
        "mkdir": lambda step: sftp.mkdir(step["remote"]),
        "rename": lambda step: sftp.rename(step["remote"], step["to"]),
        "replace": lambda step: sftp.posix_rename(step["remote"], step["to"]),
        "resume": lambda step: goes_on(step["local"], step["remote"], "r+"),
        "append": lambda step: goes_on(step["local"], step["remote"], "a"),
    }
    for step in steps:
        try:
            told({"done": does[step["do"]](step)})
        except Exception as error:
            told({"error": f"{type(error).__name__}: {error}"})
    ssh.close()


async def by_asyncssh(about, steps):
    import asyncssh

    async def goes_on(sftp, local, remote, mode):
        async with sftp.open(remote, mode) as to:
            begin = await to.seek(0, os.SEEK_END) if mode == "r+b" else 0
            for piece in pieces(local, begin):
                await to.write(piece)

    does = {
        "put": lambda sftp, step: sftp.put(step["local"], step["remote"], preserve=step["preserve"]),
        "get": lambda sftp, step: sftp.get(step["remote"], step["local"]),
        "names": lambda sftp, step: sftp.listdir(step["remote"]),
        "remove": lambda sftp, step: sftp.remove(step["remote"]),
        "mkdir": lambda sftp, step: sftp.mkdir(step["remote"]),
        "rename": lambda sftp, step: sftp.rename(step["remote"], step["to"]),
        "replace": lambda sftp, step: sftp.posix_rename(step["remote"], step["to"]),
        "resume": lambda sftp, step: goes_on(sftp, step["local"], step["remote"], "r+b"),
        "append": lambda sftp, step: goes_on(sftp, step["local"], step["remote"], "ab"),
        "tree_up": lambda sftp, step: sftp.put([entry.path for entry in os.scandir(step["local"])], step["remote"], recurse=True),
        "tree_down": lambda sftp, step: sftp.mget(step["remote"] + "/*", step["local"], recurse=True),
    }
    connecting = asyncssh.connect(
        about["host"], about["port"], username=about["user"], client_keys=[about["key"]], known_hosts=about["known_hosts"], agent_path=None
    )
    async with connecting as ssh, ssh.start_sftp_client() as sftp:
        while step := await asyncio.to_thread(next, steps, None):
            try:
                told({"done": await does[step["do"]](sftp, step)})
            except Exception as error:
                told({"error": f"{type(error).__name__}: {error}"})


def main():
    lines = (json.loads(line) for line in sys.stdin)
    about = next(lines)
    try:
        by_paramiko(about, lines) if sys.argv[1] == "paramiko" else asyncio.run(by_asyncssh(about, lines))
    except Exception as error:
        told({"error": f"{type(error).__name__}: {error}"})


main()
