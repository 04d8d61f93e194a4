#: client: Python Paramiko
#: packages: python3-paramiko
#: version: python3 -c 'import paramiko; print(paramiko.__version__)'
#: modes: password key
#: times: none
from __future__ import annotations

import os

import paramiko
from python_driver import ROOT, Driver, E, main


class Paramiko(Driver):
    def __init__(self) -> None:
        self.ssh = paramiko.SSHClient()
        self.ssh.load_host_keys(E["KNOWN"])
        by = {"password": E["PASSWORD"]} if E["MODE"] == "password" else {"key_filename": E["KEY"]}
        self.ssh.connect(E["HOST"], 22, E["LOGIN"], allow_agent=False, look_for_keys=False, timeout=20, **by)
        self.sftp = self.ssh.open_sftp()
        self.sftp.chdir(ROOT)

    def list(self, directory: str) -> list[str]:
        return self.sftp.listdir(directory)

    def put(self, local: str, remote: str) -> None:
        self.sftp.put(local, remote)

    def get(self, remote: str, local: str) -> None:
        self.sftp.get(remote, local)

    def rename(self, old: str, new: str) -> None:
        self.sftp.rename(old, new)

    def delete(self, remote: str) -> None:
        self.sftp.remove(remote)

    def mkdir(self, remote: str) -> None:
        self.sftp.mkdir(remote)

    def resume(self, remote: str, local: str) -> None:
        with self.sftp.open(remote, "rb") as there, open(local, "ab") as here:
            there.seek(os.path.getsize(local))
            here.write(there.read())


main(Paramiko)
