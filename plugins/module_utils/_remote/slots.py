# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""A limit of requests of remote control at once: each is a process of root, and a client may send any number."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import Iterator

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import TooManyRequests

MOST = 8
"""The most requests at once, of all clients together."""

FILES = "/run/secure_ftp.server-remote-{}.lock"


@contextlib.contextmanager
def slot(files: str = FILES, most: int = MOST) -> Iterator[None]:
    """Hold one of ``most`` slots; the kernel gives it back however this process ends. Raises TooManyRequests."""
    for number in range(most):
        descriptor = os.open(files.format(number), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        try:
            yield
            return
        finally:
            os.close(descriptor)
    raise TooManyRequests(
        "remote control",
        f"at most {most} requests at once",
        found="more",
        remedy="nothing was done, try again in a moment",
    )
