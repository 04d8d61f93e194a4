#: client: Python ftputil, with session reuse
#: packages: python3-ftputil
#: version: python3 -c 'import ftputil; print(ftputil.__version__)'
#: modes: explicit implicit
#: times: none
#: several: it opens a connection for each file that is open
#: hint: a `session_factory` with the five lines below
from __future__ import annotations

import os

import ftps
import ftputil
from python_driver import ROOT, Driver, E, main


def session(host: str, login: str, password: str) -> ftps.FtpsClient:
    return ftps.connect(host, E["CA"], login, password, implicit=E["MODE"] == "implicit")


class Ftputil(Driver):
    def __init__(self) -> None:
        self.host = ftputil.FTPHost(E["HOST"], E["LOGIN"], E["PASSWORD"], session_factory=session)
        self.host.chdir(ROOT)

    def list(self, directory: str) -> list[str]:
        return self.host.listdir(directory)

    def put(self, local: str, remote: str) -> None:
        self.host.upload(local, remote)

    def get(self, remote: str, local: str) -> None:
        self.host.download(remote, local)

    def rename(self, old: str, new: str) -> None:
        self.host.rename(old, new)

    def delete(self, remote: str) -> None:
        self.host.remove(remote)

    def mkdir(self, remote: str) -> None:
        self.host.mkdir(remote)

    def resume(self, remote: str, local: str) -> None:
        with self.host.open(remote, "rb", rest=os.path.getsize(local)) as there, open(local, "ab") as here:
            here.write(there.read())


main(Ftputil)
