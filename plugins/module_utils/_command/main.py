# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: for use inside this collection only; may change without notice.
"""The command ``ftp-users``: each verb has a file, and the work is done by Manager."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Sequence

from ansible_collections.secure_ftp.server.plugins.module_utils._command import (
    verb_about,
    verb_add,
    verb_check,
    verb_del,
    verb_edit,
    verb_export,
    verb_folders,
    verb_hash_plaintext,
    verb_import,
    verb_instructions,
    verb_keys,
    verb_list,
    verb_lock,
    verb_one_home,
    verb_passwd,
    verb_remote,
    verb_repair,
    verb_show,
    verb_unlock,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._command.answers import print_json
from ansible_collections.secure_ftp.server.plugins.module_utils._command.streams import open_closed
from ansible_collections.secure_ftp.server.plugins.module_utils._command.words import Parser, Verbs
from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import (
    EXIT_CODES,
    NOTHING,
    InvalidInput,
    SecureFtpError,
)
from ansible_collections.secure_ftp.server.plugins.module_utils._core.text import visible_lines
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import Manager

EPILOG = """\
examples:
  ftp-users add batman                        FTPS and SFTP; asks for the password
  ftp-users add robin --protocol ftps --generate
  ftp-users add alfred --protocol sftp --no-password --key "ssh-ed25519 AAAA... alfred"
  pass show ftp/joker | ftp-users edit joker --password-stdin
  ftp-users lock joker                        no log-in by password or key
  ftp-users keys alfred add ~/alfred.pub
  ftp-users import users.csv                  show the changes, ask, then make them
  ftp-users about                             what to type on a client; fingerprints
  ftp-users instructions batman               the text to send to batman, without the password
  ftp-users check                             check the whole server

exit status:
  0  done            3  no such user       6  not permitted
  1  failed          4  exists already     7  damaged database
  2  invalid input   5  locked: another program is changing the users
  check: 0 no findings, 10 warnings, 11 errors; remote: 8 busy, too many requests at once
"""

INTERRUPTED = 130
"""128 and SIGINT, as shells have it."""

VERBS = (
    verb_list,
    verb_show,
    verb_folders,
    verb_add,
    verb_edit,
    verb_del,
    verb_passwd,
    verb_lock,
    verb_unlock,
    verb_keys,
    verb_import,
    verb_export,
    verb_about,
    verb_instructions,
    verb_check,
    verb_repair,
    verb_hash_plaintext,
    verb_one_home,
    verb_remote,
)
"""In the order of the help."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = Parser(
        prog="ftp-users",
        description="Manage the users of this FTPS and SFTP server.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = Verbs(top)
    for verb in VERBS:
        verb.register(verbs)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status. Never a traceback: each error is one line."""
    open_closed()
    # argparse takes an optional word that comes after an option for one too many; so --json, wherever it is, goes last.
    words = sorted(sys.argv[1:] if argv is None else argv, key="--json".__eq__)
    as_json = "--json" in words
    try:
        arguments = parser().parse_args(words)
        _expect_text(getattr(arguments, "name", ""))
        status: int = arguments.run(arguments, Manager())
        sys.stdout.flush()
        return status
    except SecureFtpError as error:
        return _report(error, as_json)
    except KeyboardInterrupt as error:  # a change that had begun says what is changed by now
        sys.stderr.write(f"\ninterrupted; {str(error) or NOTHING}\n")
        return INTERRUPTED
    except BrokenPipeError:  # | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        said = f"the system refused: {error.strerror or error}"
        return _report(SecureFtpError(str(error.filename or ""), found=said), as_json)


def _expect_text(name: str) -> None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidInput(f"user name {name!r}", "UTF-8", found="other bytes") from None


def _report(error: SecureFtpError, as_json: bool) -> int:
    if as_json:
        print_json({"error": {"code": error.code, "message": str(error)}})
        sys.stdout.flush()
    else:
        sys.stderr.write(f"error: {visible_lines(str(error))}\n")
    return EXIT_CODES[error.code]
