"""Drives paramiko or asyncssh: what is to be done comes as JSON on standard input."""

import asyncio
import json
import os
import sys


def by_paramiko(about):
    import paramiko

    ssh = paramiko.SSHClient()
    ssh.load_host_keys(about["known_hosts"])
    ssh.connect(about["host"], about["port"], about["user"], key_filename=about["key"], look_for_keys=False, allow_agent=False)
    sftp = ssh.open_sftp()
    done = []
    for step in about["steps"]:
        match step["do"]:
            case "put":
                # confirm=True: it asks for the size by name afterwards.
                done.append(sftp.put(step["local"], step["remote"], confirm=True).st_size)
                if step["preserve"]:
                    times = os.stat(step["local"])
                    sftp.utime(step["remote"], (times.st_atime, times.st_mtime))
                    sftp.chmod(step["remote"], 0o644)
            case "get":
                # It asks for the whole file before it reads any.
                done.append(sftp.get(step["remote"], step["local"], prefetch=True))
            case "names":
                done.append(sftp.listdir(step["remote"]))
            case "remove":
                done.append(sftp.remove(step["remote"]))
            case "rename":
                done.append(sftp.rename(step["remote"], step["to"]))
    ssh.close()
    return done


async def by_asyncssh(about):
    import asyncssh

    done = []
    connecting = asyncssh.connect(
        about["host"], about["port"], username=about["user"], client_keys=[about["key"]], known_hosts=about["known_hosts"], agent_path=None
    )
    async with connecting as ssh, ssh.start_sftp_client() as sftp:
        for step in about["steps"]:
            match step["do"]:
                case "put":
                    done.append(await sftp.put(step["local"], step["remote"], preserve=step["preserve"]))
                case "get":
                    done.append(await sftp.get(step["remote"], step["local"]))
                case "names":
                    done.append(await sftp.listdir(step["remote"]))
                case "remove":
                    done.append(await sftp.remove(step["remote"]))
                case "rename":
                    done.append(await sftp.rename(step["remote"], step["to"]))
    return done


def main():
    about = json.load(sys.stdin)
    try:
        done = by_paramiko(about) if sys.argv[1] == "paramiko" else asyncio.run(by_asyncssh(about))
        print(json.dumps({"done": done}, default=str))
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}))


main()
