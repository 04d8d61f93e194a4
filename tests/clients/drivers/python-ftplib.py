#: client: Python ftplib, with session reuse
#: packages: python3
#: version: python3 --version
#: modes: explicit implicit
#: times: none
#: hint: the five lines below
from __future__ import annotations

import os

import ftps
from python_driver import ROOT, Driver, E, main


class Ftplib(Driver):
    """With the class of tests/support/ftps.py, which resumes the TLS session and has implicit TLS."""

    def __init__(self) -> None:
        self.ftp = ftps.connect(E["HOST"], E["CA"], E["LOGIN"], E["PASSWORD"], implicit=E["MODE"] == "implicit")
        self.ftp.cwd(ROOT)

    def list(self, directory: str) -> list[str]:
        self.ftp.cwd(directory)
        return self.ftp.nlst()

    def put(self, local: str, remote: str) -> None:
        with open(local, "rb") as file:
            self.ftp.storbinary(f"STOR {remote}", file)

    def get(self, remote: str, local: str) -> None:
        with open(local, "wb") as file:
            self.ftp.retrbinary(f"RETR {remote}", file.write)

    def rename(self, old: str, new: str) -> None:
        self.ftp.rename(old, new)

    def delete(self, remote: str) -> None:
        self.ftp.delete(remote)

    def mkdir(self, remote: str) -> None:
        self.ftp.mkd(remote)

    def resume(self, remote: str, local: str) -> None:
        with open(local, "ab") as file:
            self.ftp.retrbinary(f"RETR {remote}", file.write, rest=os.path.getsize(local))


main(Ftplib)
