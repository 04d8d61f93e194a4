# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command on a real terminal: prompts without echo, tables, questions and completion."""

from __future__ import annotations

import signal

import pexpect
import pytest
from test_command import EVERYWHERE, FIRST, NAME, NOWHERE, granted, no_selina, run

__all__ = ["no_selina"]

PROMPT = "ready> "
ROWS, COLUMNS = 40, 100


@pytest.fixture()
def terminal(server):
    """A shell on the server, in a terminal of a known size, with the command's completion."""
    # Not by the namespaces: the shell of a session outside its own has no job control, and Ctrl-C reaches nobody.
    shell = pexpect.spawn(
        "podman",
        ["exec", "--interactive", "--tty", server.name, "bash", "--norc"],
        encoding="utf-8",
        timeout=30,
        dimensions=(ROWS, COLUMNS),
    )
    # The size may come after the shell's start, and a prompt that is shown then is drawn once more: wait for it first.
    shell.sendline(f"until [ \"$(stty size)\" = '{ROWS} {COLUMNS}' ]; do sleep 0.1; done")
    shell.sendline(f"bind 'set enable-bracketed-paste off' 2>/dev/null; PS1='{PROMPT}'")
    shell.expect(rf"[\r\n]{PROMPT}")  # not the one in the echo of this line
    shell.sendline(". /usr/local/share/bash-completion/completions/ftp-users")
    shell.expect_exact(PROMPT)
    yield shell
    # close() gives a program a tenth of a second to end, and on a busy machine that is too short.
    if shell.isalive():
        shell.kill(signal.SIGKILL)
        shell.wait()
    shell.close()


def finish(terminal) -> str:
    """What came until the next prompt."""
    terminal.expect_exact(PROMPT)
    return terminal.before


@pytest.mark.spread
def test_the_password_is_asked_for_twice_and_not_shown(server, terminal):
    terminal.sendline(f"ftp-users add {NAME}")
    terminal.expect_exact(f"New password for {NAME}: ")
    terminal.sendline("geheim geheim")
    terminal.expect_exact("Repeat the password: ")
    terminal.sendline("anders anders")
    terminal.expect_exact("The passwords differ; try again.")
    for question in (f"New password for {NAME}: ", "Repeat the password: "):
        terminal.expect_exact(question)
        terminal.sendline(FIRST)
    said = finish(terminal)
    assert f"{NAME}: added (ftps, sftp)" in said and FIRST not in said and "geheim" not in said
    assert granted(server, FIRST) == EVERYWHERE


@pytest.mark.spread
def test_control_c_at_the_prompt_changes_nothing(server, terminal):
    terminal.sendline(f"ftp-users add {NAME}; echo status=$?")
    terminal.expect_exact(f"New password for {NAME}: ")
    terminal.sendintr()
    terminal.expect_exact("interrupted; nothing was changed")
    terminal.expect_exact("status=130")
    finish(terminal)
    run(server, "show", NAME, status=3)


@pytest.mark.spread
def test_who_exists_or_does_not_is_said_before_a_password_is_asked_for(terminal):
    terminal.sendline("ftp-users add batman; echo status=$?")
    assert "New password" not in until(terminal, "status=4")
    terminal.sendline("ftp-users passwd joker; echo status=$?")
    assert "New password" not in until(terminal, "status=3")


def until(terminal, text: str) -> str:
    terminal.expect_exact(f"\r\n{text}\r\n")
    said = terminal.before
    finish(terminal)
    return said


@pytest.mark.spread
def test_a_generated_password_is_shown_once_and_logs_in(server, terminal):
    terminal.sendline(f"ftp-users add {NAME} --generate")
    terminal.expect(r"password: (\w{20})\r\n")
    password = terminal.match.group(1)
    finish(terminal)
    assert granted(server, password) == EVERYWHERE
    terminal.sendline(f"ftp-users show {NAME}")
    assert password not in finish(terminal)


@pytest.mark.spread
def test_the_list_is_a_table(terminal):
    terminal.sendline("ftp-users list")
    lines = [line for line in finish(terminal).splitlines()[1:] if line.strip()]
    start = lines[0].index("PROTOCOLS")
    assert lines[0].startswith("NAME") and "STATE" in lines[0] and len(lines) >= 5
    rows = {line.split()[0]: line for line in lines[1:]}
    assert rows["alfred"][start:].startswith("sftp") and rows["batman"][start:].startswith("ftps, sftp")
    assert all(line[start - 1] == " " and line[start] != " " for line in lines)


@pytest.mark.spread
@pytest.mark.parametrize(("reply", "logged_in"), [("n", NOWHERE), ("y", EVERYWHERE)])
def test_import_says_what_it_would_do_and_asks(server, terminal, reply, logged_in):
    server.sh(f"printf 'name,password\\n{NAME},file password\\n' >/root/users.csv")
    terminal.sendline("ftp-users import /root/users.csv")
    terminal.expect_exact("Do it? [y/N] ")
    assert f"{NAME}: would be added" in terminal.before
    terminal.sendline(reply)
    assert ("nothing was changed" if reply == "n" else f"{NAME}: added") in finish(terminal)
    assert granted(server, "file password") == logged_in


@pytest.mark.spread
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("ftp-users unl", "ftp-users unlock "),
        ("ftp-users passwd orac", "ftp-users passwd oracle "),
        ("ftp-users add x --gen", "ftp-users add x --generate "),
        ("ftp-users edit x --protocol sf", "ftp-users edit x --protocol sftp "),
        ("ftp-users keys alf", "ftp-users keys alfred "),
        ("ftp-users keys alfred de", "ftp-users keys alfred del "),
        ("ftp-users import /etc/hostn", "ftp-users import /etc/hostname"),
    ],
)
def test_the_tabulator_completes(terminal, typed, completed):
    terminal.send(typed + "\t")
    terminal.expect_exact(completed)
