# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module replaces of somebody else's is kept beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.secure_ftp.server.plugins.modules import vsftpd_config

THEIRS = "listen=YES\nlocal_root=/srv/$USER\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="the new file is root's")
@pytest.mark.parametrize("backup", [True, False])
def test_a_configuration_of_somebody_else_is_kept_and_ours_is_not(
    backup: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "vsftpd.conf"
    conf.write_text(THEIRS)
    for port, copies in ((21, 1), (2121, 1)):
        options = {"listen": True, "listen_port": port}
        arguments = {"path": str(conf), "options": options, "validate": False, "backup": backup}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            vsftpd_config.main()
        result = json.loads(capsys.readouterr().out)
        assert result["changed"] and f"listen_port={port}" in conf.read_text()
        kept = list(tmp_path.glob("vsftpd.conf.*~"))
        assert [copy.read_text() for copy in kept] == [THEIRS] * (copies if backup else 0)
        if backup and port == 21:
            assert result["backup_file"] == str(kept[0])


@pytest.mark.skipif(os.geteuid() != 0, reason="the new file is root's")
def test_a_file_that_was_not_there_had_no_mode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = tmp_path / "vsftpd.conf"
    arguments = {"path": str(conf), "options": {"listen": True}, "validate": False}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        vsftpd_config.main()
    diff = json.loads(capsys.readouterr().out)["diff"]
    assert (diff["before_header"], diff["after_header"]) == (str(conf), f"{conf} (mode 0644)")
