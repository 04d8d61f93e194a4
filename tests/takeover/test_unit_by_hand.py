"""A vsftpd built by somebody, with their own unit and no package: its file stands where the role masks."""

from __future__ import annotations

import pytest

UNIT = "/etc/systemd/system/vsftpd.service"
THEIRS = "[Service]\nExecStart=/bin/sleep infinity\n\n[Install]\nWantedBy=multi-user.target\n"
USERS = {"ftp_users": [{"name": "newone", "password": "New-one-12345", "protocols": ["ftps"]}]}


@pytest.fixture
def server(host):
    """It runs and is started at boot."""
    host.copy(THEIRS, UNIT)
    host.sh("systemctl daemon-reload && systemctl enable --now vsftpd")
    return host


def test_the_run_stops_before_anything_is_touched_and_who_knows_goes_on_and_a_copy_stays(server):
    done = server.preflight(USERS)
    assert done.returncode and f"{UNIT}: is a unit of somebody else" in done.stdout, done.stdout
    assert server.sh(f"cat {UNIT}").stdout == THEIRS and server.sh("systemctl is-active vsftpd").stdout == "active\n"
    assert server.sh(f"ls {UNIT}.d", check=False).returncode, "no mark of a mask"

    server.site({**USERS, "vsftpd_replace_existing": True})
    assert server.sh(f"cat {UNIT}.*~").stdout == THEIRS
    assert server.sh(f"test -e {UNIT}", check=False).returncode and server.logs_in("newone", "New-one-12345")
