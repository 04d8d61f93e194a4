#: client: Python ftplib as it is
#: packages: python3
#: version: python3 --version
#: modes: explicit
#: cannot all: its data connections do not resume the TLS session; use the five lines below, or SFTP
#: said: 522 SSL connection failed: session reuse required
from __future__ import annotations

import ftplib
import ssl

from python_driver import Driver, E, main


class Ftplib(Driver):
    def __init__(self) -> None:
        self.ftp = ftplib.FTP_TLS(context=ssl.create_default_context(cafile=E["CA"]), timeout=20)
        self.ftp.connect(E["HOST"])
        self.ftp.login(E["LOGIN"], E["PASSWORD"])
        self.ftp.prot_p()

    def put(self, local: str, remote: str) -> None:
        try:
            with open(local, "rb") as file:
                self.ftp.storbinary(f"STOR {remote}", file)
        except OSError:  # the server has ended the data connection, and says why on the other one
            self.ftp.voidresp()


main(Ftplib)
