# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An FTPS client on ftplib that does what ``ftplib.FTP_TLS`` leaves out.

vsftpd's ``require_ssl_reuse=YES`` answers 522 unless a data connection resumes the TLS session of its
control connection, and ftplib neither does that nor speaks implicit TLS. Standard library only, so that
one file can be copied to any client host.
"""

from __future__ import annotations

import ftplib
import re
import socket
import ssl


class FtpsClient(ftplib.FTP_TLS):
    """``ftplib.FTP_TLS`` with TLS session reuse, implicit TLS and a record of the data connections."""

    def __init__(self, context: ssl.SSLContext, implicit: bool = False, reuse: bool = True, timeout: float = 20):
        super().__init__(context=context, timeout=timeout)
        self.implicit = implicit
        self.reuse = reuse
        self.passive_ports: list[int] = []
        self.data_peers: list[tuple[str, int]] = []

    def connect(self, host="", port=0, timeout=-999, source_address=None):
        """Connect as ftplib does; with implicit TLS the handshake comes before the greeting."""
        if not self.implicit:
            return super().connect(host, port, timeout, source_address)
        self.host, self.port = host, port or 990
        raw = socket.create_connection((self.host, self.port), self.timeout, source_address)
        self.sock = self.context.wrap_socket(raw, server_hostname=self.host)
        self.af = self.sock.family
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()
        return self.welcome

    def makepasv(self):
        """Ask for a passive port as ftplib does, and remember it."""
        host, port = super().makepasv()
        self.passive_ports.append(port)
        return host, port

    def ntransfercmd(self, cmd, rest=None):
        """Open a data connection that resumes the session of the control connection."""
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        self.data_peers.append(conn.getpeername()[:2])
        if self._prot_p:
            session = self.sock.session if self.reuse else None
            conn = self.context.wrap_socket(conn, server_hostname=self.host, session=session)
        return conn, size

    def announced_passive_address(self) -> tuple[str, int]:
        """The address and port the server names in its answer to PASV, before any client second-guesses it."""
        numbers = [int(n) for n in re.findall(r"\d+", self.sendcmd("PASV").split("(", 1)[1])]
        return ".".join(map(str, numbers[:4])), numbers[4] * 256 + numbers[5]


def trusting(ca_file: str) -> ssl.SSLContext:
    """A context that trusts the certificates of ``ca_file`` alone and checks the server's name or address."""
    return ssl.create_default_context(cafile=ca_file)


def connect(
    host: str,
    ca_file: str,
    user: str,
    password: str,
    port: int = 0,
    implicit: bool = False,
    reuse: bool = True,
    timeout: float = 20,
) -> FtpsClient:
    """Return a logged-in client whose data connections are encrypted too."""
    ftp = FtpsClient(trusting(ca_file), implicit=implicit, reuse=reuse, timeout=timeout)
    ftp.connect(host, port or (990 if implicit else 21))
    try:
        ftp.login(user, password)
        ftp.prot_p()
    except BaseException:
        ftp.close()
        raise
    return ftp
