#: client: Python asyncssh
#: packages: python3-asyncssh
#: version: python3 -c 'import asyncssh; print(asyncssh.__version__)'
#: modes: password key
#: times: up down
#: hint: `preserve=True` keeps times
from __future__ import annotations

import asyncio
import os
import sys

import asyncssh
from python_driver import ROOT, E


async def do(sftp: asyncssh.SFTPClient, verb: str, one: str, two: str = "", _names: str = "") -> None:
    if verb == "list":
        print("\n".join(name for name in await sftp.listdir(one) if name not in (".", "..")))
    elif verb == "put":
        await sftp.put(one, two, preserve=True)
    elif verb == "get":
        await sftp.get(one, two, preserve=True)
    elif verb == "rename":
        await sftp.rename(one, two)
    elif verb == "delete":
        await sftp.remove(one)
    elif verb == "resume":
        async with sftp.open(one, "rb") as there:
            with open(two, "ab") as here:
                await there.seek(os.path.getsize(two))
                here.write(await there.read())
    elif verb == "many":
        await sftp.put([entry.path for entry in os.scandir(one)], two)
    elif verb == "tree":
        await sftp.put(one, two, recurse=True)
    elif verb == "tree-back":
        await sftp.get(one, two, recurse=True)
    else:
        sys.exit(64)


async def main() -> None:
    by = {"password": E["PASSWORD"], "client_keys": None} if E["MODE"] == "password" else {"client_keys": [E["KEY"]]}
    place = {"username": E["LOGIN"], "known_hosts": E["KNOWN"], "agent_path": None, **by}
    async with asyncssh.connect(E["HOST"], **place) as ssh, ssh.start_sftp_client() as sftp:
        await sftp.chdir(ROOT)
        await do(sftp, *sys.argv[1:])


asyncio.run(main())
