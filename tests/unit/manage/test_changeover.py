# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host changes over to one home for each user: decided from what is there, before anything is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from conftest import HASH
from ftps.test_rights import CONF, DIRECTORY, SERVER
from sftp.test_rights import group, there

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.instances import Instance
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.personal import BEGIN, END, Personal
from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import Homes
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.changeover import Facts, plan

OPTIONS = {**CONF, "guest_enable": "YES", "local_root": "/home/vftp/$USER"}
FIRST, SECOND = (Instance(unit, f"/etc/{unit}.conf", options=OPTIONS) for unit in ("vsftpd", "vsftpd-implicit"))


def own(name: str, *more: str) -> str:
    return "\n".join([BEGIN, f"guest_username={name}", f"local_root=/home/sftp/{name}", *more, END]) + "\n"


def facts(*names: str, **more: Any) -> Facts:
    """A host with the FTPS users ``names``; ann and bob are accounts."""
    files = more.pop("files", {})
    personal = {name: Personal(f"{DIRECTORY}/{name}", text) for name, text in files.items()}
    host = Facts(SERVER, names, personal, there(shadow={"ann": HASH, "bob": HASH}), (FIRST, SECOND), (), (14, 50))
    return replace(host, **more)


def test_everybody_moves_and_then_both_configurations_change() -> None:
    wanted = plan(facts("cat", "ann"))
    ann, cat = wanted.people
    assert (ann.name, ann.old, ann.account.home) == ("ann", "/home/vftp/ann", "/home/sftp/ann")
    assert (ann.has_account, ann.has_sftp, cat.has_account, cat.has_sftp) == (True, True, False, False)
    assert ann.file == own("ann") and not ann.has_file and ann.is_there
    assert [(user.name, user.protocols) for user in wanted.users] == [("ann", ("ftps", "sftp")), ("cat", ("ftps",))]
    assert wanted.configurations == dict.fromkeys(["/etc/vsftpd.conf", "/etc/vsftpd-implicit.conf"], "/home/sftp/$USER")


def test_rights_move_too() -> None:
    (ann,) = plan(facts("ann", files={"ann": f"{BEGIN}\nwrite_enable=NO\n{END}\n"})).people
    assert ann.file == own("ann", "write_enable=NO")


def test_who_has_moved_is_known_by_the_file() -> None:
    ann, bob = plan(facts("ann", "bob", files={"ann": own("ann"), "bob": own("ann")})).people
    assert ann.has_file and not bob.has_file and bob.file == own("bob")


def test_a_host_that_has_changed_over_has_nothing_to_do() -> None:
    homes = Homes("/home/sftp/$USER", config_directory=DIRECTORY)
    options = {**OPTIONS, "local_root": "/home/sftp/$USER"}
    host = facts(
        "ann",
        files={"ann": own("ann")},
        server=replace(SERVER, homes=homes, has_accounts=True),
        accounts=there(group("sftponly-ftps"), shadow={"ann": HASH}),
        instances=(replace(FIRST, options=options), SECOND),
    )
    wanted = plan(host)
    (ann,) = wanted.people
    assert ann.has_file and not ann.is_there
    assert wanted.configurations == {"/etc/vsftpd-implicit.conf": "/home/sftp/$USER"}, "a killed run did not come to it"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"server": replace(SERVER, homes=None)}, "expected every user of FTPS to start in an own directory"),
        ({"server": replace(SERVER, homes=Homes("/srv/all", ""))}, "found /srv/all"),
        ({"server": replace(SERVER, homes=Homes("/home/sftp/$USER"))}, "outside of the jail"),
        ({"accounts": there(shadow={}, takes_classes=False)}, "the block of the role sshd_chroot"),
        ({"instances": (replace(FIRST, options={**OPTIONS, "user_config_dir": ""}),)}, "user_config_dir"),
        ({"instances": (FIRST, replace(SECOND, options={}))}, "vsftpd-implicit.conf: expected guest_enable=YES"),
        ({"guest": None}, "no account 'ftp'"),
        ({"names": ("Dr. No",)}, "only letters"),
        ({"names": ("sftponly",)}, "an account of the server"),
        ({"names": ("olivia",)}, "another system account"),
        ({"files": {"ann": Personal(f"{DIRECTORY}/ann", "local_root=/srv/ann\n")}}, "found local_root=/srv/ann"),
        ({"mounts": ("/home/vftp/ann/usb",)}, "no file system mounted.*/home/vftp/ann/usb"),
        ({"mounts": ("/home/sftp/ann",)}, "no file system mounted.*/home/sftp/ann"),
    ],
)
def test_what_keeps_it_from_changing_over_is_said_before_anything(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SecureFtpError, match=said):
        plan(replace(facts("ann"), **change))


def test_every_problem_is_said_at_once() -> None:
    with pytest.raises(SecureFtpError, match="olivia.*root"):
        plan(facts("root", "olivia"))
