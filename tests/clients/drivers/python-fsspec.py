#: client: Python fsspec, sftp
#: packages: python3-fsspec python3-paramiko
#: version: python3 -c 'import fsspec; print(fsspec.__version__)'
#: modes: password key
#: times: none
#: cannot certificate: it accepts every host key (AutoAddPolicy in its sftp.py); who needs that uses Paramiko
#: hint: give the user's directory, `/NAME/...`
from __future__ import annotations

import os

import fsspec
from python_driver import ROOT, Driver, E, main


class Fsspec(Driver):
    def __init__(self) -> None:
        by = {"password": E["PASSWORD"]} if E["MODE"] == "password" else {"key_filename": E["KEY"]}
        plain = {"allow_agent": False, "look_for_keys": False}
        self.fs = fsspec.filesystem("sftp", host=E["HOST"], username=E["LOGIN"], **by, **plain)

    def list(self, directory: str) -> list[str]:
        return [os.path.basename(name) for name in self.fs.ls(ROOT + directory, detail=False)]

    def put(self, local: str, remote: str) -> None:
        self.fs.put(local, ROOT + remote)

    def get(self, remote: str, local: str) -> None:
        self.fs.get(ROOT + remote, local)

    def rename(self, old: str, new: str) -> None:
        self.fs.mv(ROOT + old, ROOT + new)

    def delete(self, remote: str) -> None:
        self.fs.rm(ROOT + remote)

    def mkdir(self, remote: str) -> None:
        self.fs.mkdir(ROOT + remote)

    def resume(self, remote: str, local: str) -> None:
        with self.fs.open(ROOT + remote, "rb") as there, open(local, "ab") as here:
            there.seek(os.path.getsize(local))
            here.write(there.read())


main(Fsspec)
