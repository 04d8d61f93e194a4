"""Programs of the host: what they print, and one that does not end."""

from __future__ import annotations

import pytest

from ansible_collections.secure_ftp.server.plugins.module_utils._errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._processes import Output, run_command


def test_what_a_program_prints():
    answer = run_command(["sh", "-c", r"printf 'caf\351 %s' $LC_ALL; echo oops >&2; exit 3"])
    assert answer == Output(3, "caf\ufffd C", "oops\n")


def test_standard_input_is_empty():
    assert run_command(["cat"]) == Output(0, "")


def test_a_program_that_does_not_end():
    with pytest.raises(SecureFtpError, match=r"^sleep 60: expected it to end within 0\.2 s, found it still running; "):
        run_command(["sleep", "60"], seconds=0.2)
