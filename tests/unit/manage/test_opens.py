# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of a user of both protocols opens each file of the host once: what is decided is decided on one reading."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Iterator, Sequence

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.backend import Ftps
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.policy import Rules as FtpsRules
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import discover
from ansible_collections.secure_ftp.server.plugins.module_utils._host import accounts, unchanged
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output
from ansible_collections.secure_ftp.server.plugins.module_utils._manage import transaction
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp import apply as sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.backend import Sftp
from ansible_collections.secure_ftp.server.plugins.module_utils._sftp.policy import Rules as SftpRules
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import Jail, with_jail
from ansible_collections.secure_ftp.server.plugins.module_utils._users.passwords import verify

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3EHbivGdQioKPTZaJqdmP/5v/6aTGZuf02gGhXcu83 one"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICJ3EHbivGdQioKPTZaJqdmP/5v/6aTGZuf02gGhXcu8 two"
READ_ONCE = ("passwd", "group", "shadow", "sshd_config", "users.db", "vsftpd.conf", "login.defs")

_counting: list[Counter[str]] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _counting and isinstance(arguments[0], str) and not arguments[2] & os.O_ACCMODE:
        _counting[0][arguments[0]] += 1


@pytest.fixture(scope="module", autouse=True)
def watching() -> None:
    """A hook stays as long as the process; it counts only while somebody asks."""
    sys.addaudithook(_audit)


@contextlib.contextmanager
def counted() -> Iterator[Counter[str]]:
    opened: Counter[str] = Counter()
    _counting.append(opened)
    try:
        yield opened
    finally:
        _counting.clear()


class Host:
    """Both halves below one directory; the programs that change accounts are played, and not counted."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.etc = root, root / "etc"
        for name in ("etc", "jail", "keys", "homes"):
            (root / name).mkdir()
        (self.etc / "passwd").write_text("root:x:0:0::/root:/bin/bash\n")
        (self.etc / "group").write_text("root:x:0:\nsftponly:x:990:\n")
        (self.etc / "shadow").write_text("root:*:20000:0:99999:7:::\n")
        (self.etc / "login.defs").write_text("UID_MIN 1000\n")
        self.config = root / "sshd_config"
        self.config.write_text(with_jail("", Jail("sftponly", str(root / "jail"), str(root / "keys"))))
        (root / "vsftpd.conf").write_text(
            f"local_root={root}/homes/$USER\nuser_sub_token=$USER\nguest_username=nobody\n"
        )
        monkeypatch.setattr(accounts, "_execute", self.execute)
        monkeypatch.setattr(accounts, "find_program", lambda name: f"/usr/bin/{name}")
        monkeypatch.setattr(transaction, "LOCK_FILE", str(root / "lock"))
        for name, instead in {"effective": lambda *_of: {}, "jail_problems": lambda *_of: ([], [])}.items():
            monkeypatch.setattr(sftp, name, instead)
        # It opens them once more, to flush them, and reads nothing.
        monkeypatch.setattr(sftp, "flush_accounts", lambda etc: None)
        for name in ("prepare_host", "accounts_lock"):
            monkeypatch.setattr(sftp, name, contextlib.nullcontext)

    def manager(self) -> Manager:
        """As one call of the command has it: a process that has read nothing yet."""
        unchanged._read_before.clear()
        server = discover(db=str(self.root / "users.db"), config=str(self.root / "vsftpd.conf"))
        backends = [Sftp(SftpRules(config=str(self.config)), str(self.etc)), Ftps(server, FtpsRules(rounds=1000))]
        return Manager(1000, str(self.root / "var" / "unfinished.json"), audit=False, backends=backends)

    def execute(self, command: Sequence[str], data: str = "") -> Output:
        """Do what the program would do to the account files."""
        counting = _counting[:]
        _counting.clear()
        try:
            return Output(0, self._executed(command, data))
        finally:
            _counting.extend(counting)

    def _executed(self, command: Sequence[str], data: str) -> str:
        passwd, shadow = (self.lines(name) for name in ("passwd", "shadow"))
        if command[0] == "systemd-sysusers":
            for name, ids in (line.split()[1:3] for line in data.splitlines()):
                passwd[name] = f"x:{ids}::/nonexistent:/usr/sbin/nologin"
                shadow[name] = "!*:20000:0:99999:7:::"
        elif command[0] == "chpasswd":
            for line in data.splitlines():
                name, _colon, stored = line.partition(":")
                shadow[name] = f"{stored}:{shadow[name].partition(':')[2]}"
        elif command[0] == "usermod":
            fields = shadow[command[-1]].split(":")
            fields[6] = command[command.index("--expiredate") + 1]
            shadow[command[-1]] = ":".join(fields)
        elif command[0] == "userdel":
            del passwd[command[-1]], shadow[command[-1]]
        else:
            assert command[0] == "getent", command
            return "".join(f"{name}:{passwd[name]}\n" for name in command[4:])
        for file, lines in (("passwd", passwd), ("shadow", shadow)):
            (self.etc / f"{file}.new").write_text("".join(f"{name}:{rest}\n" for name, rest in lines.items()))
            (self.etc / f"{file}.new").rename(self.etc / file)
        return ""

    def lines(self, name: str) -> dict[str, str]:
        return dict(line.split(":", 1) for line in (self.etc / name).read_text().splitlines())


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only_ours: None) -> Host:
    if os.geteuid() != 0:
        pytest.skip("changes need root")
    tmp_path.chmod(0o755)
    return Host(tmp_path, monkeypatch)


def test_a_change_opens_each_file_once(host: Host) -> None:
    changes = {
        "add": lambda manager: manager.add("batman", password="geheim geheim", authorized_keys=[KEY]),
        "passwd": lambda manager: (manager.show("batman"), manager.edit("batman", password="another one 2"))[1],
        "keys add": lambda manager: manager.add_key("batman", OTHER),
        "lock": lambda manager: manager.lock("batman"),
        "unlock": lambda manager: manager.unlock("batman"),
        "del": lambda manager: manager.delete("batman", remove_home=True),
    }
    for verb, change in changes.items():
        with counted() as opened:
            answer = change(host.manager())
        assert answer["changed"], verb
        found = {Path(path).name: times for path, times in opened.items() if path.startswith(str(host.root))}
        assert {name: times for name, times in found.items() if name in READ_ONCE and times > 1} == {}, verb
        assert {"passwd", "shadow", "sshd_config"} <= set(found), "nothing was counted"
        assert opened["/etc/passwd"] <= 1, "the guest account"
        if verb != "del":
            assert answer["user"] == host.manager().show("batman"), "what is said is what is there"
    assert set(host.lines("passwd")) == {"root"} and not list((host.root / "homes").iterdir())


def test_the_played_programs_leave_what_the_real_ones_would(host: Host) -> None:
    host.manager().add("batman", password="geheim geheim", authorized_keys=[KEY], locked=True)
    assert host.lines("passwd")["batman"] == "x:1000:990::/nonexistent:/usr/sbin/nologin"
    stored, *_rest = host.lines("shadow")["batman"].split(":")
    assert stored[0] == "!" and verify("geheim geheim", stored[1:])
    assert host.manager().keys("batman") == [KEY]
