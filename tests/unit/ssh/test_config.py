# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sshd_config: found, written once, and judged by what sshd says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.secure_ftp.server.plugins.module_utils._core.errors import SecureFtpError
from ansible_collections.secure_ftp.server.plugins.module_utils._host.programs import Output
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh import config as _sshd
from ansible_collections.secure_ftp.server.plugins.module_utils._ssh.config import (
    BEGIN,
    CLOSED,
    END,
    Jail,
    discovered_directory,
    discovered_group,
    discovered_keys_directory,
    find_jail,
    jail_problems,
    parse,
    takeover_problems,
    unmarked,
    validate_jail,
    where_set,
    with_jail,
)

STOCK = """# comment
Include /nonexistent/sshd_config.d/*.conf
UsePAM yes
#Subsystem sftp commented
Subsystem\tsftp\t/usr/lib/openssh/sftp-server

# Example of overriding settings on a per-user basis
#Match User anoncvs
#\tX11Forwarding no
"""

ARTICLE = (
    STOCK.replace("/usr/lib/openssh/sftp-server", "internal-sftp")
    + """Match Group sftponly
        ForceCommand internal-sftp -d /%u
        PasswordAuthentication yes
        ChrootDirectory /home/sftp
        PermitTunnel no
        AllowAgentForwarding no
        AllowTcpForwarding no
        X11Forwarding no
"""
)


def subsystems(text):
    return [s.value for s in parse(text) if s.keyword == "subsystem"]


def test_the_block_ends_the_file_and_the_subsystem_line_stays():
    text = with_jail(STOCK, Jail())
    assert text.startswith(STOCK.rstrip("\n"))
    assert text.endswith(f"Match all\n{END}\n")
    block = text[text.index(BEGIN) :]
    assert "Match Group sftponly\n" in block
    for keyword, value in {**CLOSED, "ChrootDirectory": "/home/sftp"}.items():
        assert [s.value for s in parse(block) if s.keyword == keyword.lower()] == [value]


@pytest.mark.parametrize("start", [STOCK, ARTICLE, "", "Match User x\n  X11Forwarding no\n", STOCK.rstrip("\n")])
def test_writing_again_changes_nothing_and_other_options_replace_the_block(start):
    text = with_jail(start, Jail())
    assert with_jail(text, Jail()) == text
    other = with_jail(text, Jail(directory="/srv/sftp", log_level="INFO", log_facility="LOCAL3"))
    assert other.count("Match Group sftponly") == 1
    assert "internal-sftp -f LOCAL3 -l INFO -d /%u" in other and "/home/sftp" not in other
    assert with_jail(other, Jail()).split() == text.split()


def test_a_missing_subsystem_line_goes_before_the_first_match():
    text = with_jail("Port 22\nMatch User x\n  X11Forwarding no\n", Jail())
    assert text.splitlines()[:3] == ["Port 22", "Subsystem sftp /usr/lib/openssh/sftp-server", "Match User x"]


@pytest.mark.parametrize(
    "line",
    ["Subsystem sftp /usr/lib/openssh/sftp-server -f AUTHPRIV -l INFO -u 0002", "subsystem\tsftp  internal-sftp"],
)
def test_the_administrators_subsystem_line_stays_to_the_letter(line):
    text = with_jail(f"{line}\nSubsystem other b\n", Jail(log_level="INFO"))
    assert text.startswith(f"{line}\nSubsystem other b\n") and text.lower().count("subsystem") == 2


def test_a_subsystem_of_a_drop_in_is_not_doubled(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a.conf").write_text("Subsystem sftp internal-sftp\n")
    text = with_jail(f"Include {tmp_path}/d/*.conf\n", Jail(), str(tmp_path / "sshd_config"))
    assert "Subsystem" not in text


def test_the_articles_block_is_replaced():
    text = with_jail(ARTICLE, Jail())
    assert takeover_problems(parse(ARTICLE), Jail()) == []
    assert text.count("Match Group") == 1
    assert "Subsystem\tsftp\tinternal-sftp" in text


def test_a_hand_made_block_with_more_in_it_stays():
    text = with_jail(ARTICLE + "        Banner /etc/issue\n", Jail())
    assert text.count("Match Group") == 2 and "Banner" in text


def test_a_mark_that_lost_its_partner_takes_nothing_with_it():
    text = with_jail(f"{BEGIN}\nPort 22\n{END}\n{END}\n{BEGIN}\nUsePAM yes\n", Jail())
    assert "Port 22" not in text and "UsePAM yes" in text and text.count(BEGIN) == text.count(END) == 1
    text = with_jail(f"{BEGIN}\nUsePAM yes\n" + with_jail("", Jail()), Jail())
    assert "UsePAM yes" in text and text.count(BEGIN) == 1


def test_a_block_between_others_is_taken_out_alone():
    text = with_jail("Match Group sftponly\n  X11Forwarding no\n\n# bob\nMatch User bob\n  X11Forwarding yes\n", Jail())
    assert "# bob\nMatch User bob\n  X11Forwarding yes\n" in text and text.count("Match Group") == 1


@given(
    st.lists(
        st.sampled_from(["Port 22", "Match all", "Match Group sftponly", " X11Forwarding no", "", "#", BEGIN, END])
    )
)
def test_any_arrangement_converges(lines):
    text = with_jail("\n".join(lines), Jail())
    assert with_jail(text, Jail()) == text


def test_the_jail_is_found_through_includes_and_quotes(tmp_path):
    (tmp_path / "x.conf").write_text('Match Group admins,sftponly\n ChrootDirectory "/srv/jail/"\n')
    main = f"Include {tmp_path}/*.conf\nMatch Group sftponly\n ChrootDirectory /home/sftp\n AuthorizedKeysFile=/k/%u\n"
    jail = find_jail(parse(main), "sftponly")
    assert discovered_directory(jail, "sftponly") == "/srv/jail"
    assert discovered_keys_directory(jail) == "/k"
    assert jail["chrootdirectory"].where == f"{tmp_path}/x.conf:2"


@pytest.mark.parametrize("value", ["none", "None"])
def test_no_jail_is_no_directory(value):
    assert discovered_directory(find_jail(parse(f"Match Group g\n ChrootDirectory {value}\n"), "g"), "g") is None
    assert find_jail(parse("Match User g\n ChrootDirectory /x\nMatch Group g User h\n ChrootDirectory /y\n"), "g") == {}


def test_a_jail_per_user_is_refused():
    with pytest.raises(SecureFtpError, match="one directory for all users, found /home/%u"):
        discovered_directory(find_jail(parse("Match Group g\n ChrootDirectory /home/%u\n"), "g"), "g")


@pytest.mark.parametrize("value", [".ssh/authorized_keys", "/k/%u /l/%u", "/k/%u/keys", "/%h/%u", "%h/x"])
def test_a_keys_file_that_is_not_one_directory_is_not_discovered(value):
    assert discovered_keys_directory(find_jail(parse(f"Match Group g\n AuthorizedKeysFile {value}\n"), "g")) is None


def good():
    values = {keyword.lower(): ["no"] for keyword in CLOSED}
    return {
        **values,
        "chrootdirectory": ["/home/sftp"],
        "forcecommand": ["internal-sftp -d /%u"],
        "passwordauthentication": ["yes"],
        "pubkeyauthentication": ["yes"],
        "authorizedkeysfile": ["/etc/ssh/sftponly_keys/%u"],
        "authenticationmethods": ["any"],
    }


def judge(by_password=True, by_key=True, jail=None, **changes):
    values = {**good(), **changes}
    found = jail_problems("ann", ["sftponly", "art"], values, jail or Jail(), by_password, by_key)
    for problem in (one for problems in found for one in problems):
        assert problem.subject in values, "sshd's keyword, which those who mend it look up"
    return tuple(list(map(str, problems)) for problems in found)


def test_a_good_jail_has_no_problem():
    assert judge() == ([], [])
    assert judge(allowgroups=["x", "sftp*"], allowusers=["bob", "ann@10.*"], denyusers=["bob"]) == ([], [])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"chrootdirectory": ["none"]}, "chrootdirectory: expected /home/sftp, found none"),
        ({"forcecommand": ["none"]}, "forcecommand: expected internal-sftp"),
        ({"passwordauthentication": ["no"]}, "passwordauthentication: expected yes"),
        ({"pubkeyauthentication": ["no"]}, "pubkeyauthentication: expected yes"),
        ({"authorizedkeysfile": [".ssh/authorized_keys"]}, "authorizedkeysfile: expected /etc/ssh/sftponly_keys/%u"),
        ({"authenticationmethods": ["publickey,password"]}, "expected password alone"),
        ({"denyusers": ["a*"]}, "denyusers: expected ann not to match, found a*"),
        ({"denygroups": ["art"]}, "denygroups: expected art not to match"),
        ({"allowusers": ["bob", "root"]}, "allowusers: expected ann or a pattern for it, found bob root"),
        ({"allowgroups": ["wheel"]}, "allowgroups: expected one of sftponly art, found wheel"),
    ],
)
def test_what_keeps_users_out_or_lets_them_loose_is_fatal(changes, words):
    fatal, _doors = judge(**changes)
    assert any(words in problem for problem in fatal)


def test_methods_nobody_of_the_class_uses_do_not_matter():
    assert judge(by_password=False, passwordauthentication=["no"]) == ([], [])
    assert judge(by_key=False, pubkeyauthentication=["no"]) == ([], [])
    assert judge(jail=Jail(password_authentication=False), passwordauthentication=["no"]) == ([], [])


@pytest.mark.parametrize("keyword", CLOSED)
def test_every_open_door_is_named(keyword):
    assert judge(**{keyword.lower(): ["yes"]}) == ([], [f"{keyword.lower()}: expected no, found yes"])


def test_the_place_of_the_other_setting_is_named():
    settings = parse("AllowGroups a\nMatch Group sftponly\nAllowGroups b\n", "/c")
    assert where_set("allowgroups", settings, "sftponly") == " (set at /c:1)"
    assert where_set("banner", settings, "sftponly") == ""


@pytest.mark.parametrize(
    ("jail", "words"),
    [
        (Jail(group="a b"), "group name"),
        (Jail(directory="home"), "absolute path"),
        (Jail(directory="/home/%u"), "absolute path"),
        (Jail(directory="/home/../etc"), "absolute path"),
        (Jail(keys_directory="/etc/ssh/k s"), "keys_directory"),
        (Jail(directory="/tmp/jail"), "/tmp: expected to be writable by root only"),
    ],
)
def test_a_jail_sshd_would_refuse_is_refused_first(jail, words):
    with pytest.raises(SecureFtpError) as caught:
        validate_jail(jail)
    assert words in str(caught.value)


class Sshd:
    """Stands for sshd: refuses text with Bogus in it, and says per user what ``say`` returns."""

    def __init__(self, monkeypatch, say):
        self.say = say
        monkeypatch.setattr(_sshd, "ask_sshd", self)

    def __call__(self, arguments):
        path = arguments[arguments.index("-f") + 1]
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if "Bogus" in text:
            return Output(255, "", f"{path}: line 1: Bad option: Bogus\n")
        user = arguments[-1].split(",")[0][5:] if "-C" in arguments else ""
        return Output(0, self.say(text, user), "")


def test_a_config_is_replaced_once_sshd_accepts_it(tmp_path, monkeypatch):
    path = tmp_path / "sshd_config"
    path.write_text("old\n")
    path.chmod(0o640)
    kept = []
    Sshd(monkeypatch, lambda text, user: "x11forwarding no\nsubsystem " + text)
    _sshd.replace_config(str(path), "new\n", ["root"], lambda: kept.append(path.read_text()))
    assert path.read_text() == "new\n" and kept == ["old\n"] and path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(SecureFtpError, match="sshd_config: line 1: Bad option: Bogus; the old one is untouched"):
        _sshd.replace_config(str(path), "Bogus\n")
    assert path.read_text() == "new\n" and [p.name for p in tmp_path.iterdir()] == ["sshd_config"]


def test_a_config_that_changes_the_operators_settings_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "sshd_config"
    path.write_text("old\n")
    Sshd(monkeypatch, lambda text, user: "chrootdirectory " + ("/jail" if user == "op" and text == "new\n" else "none"))
    with pytest.raises(SecureFtpError, match="settings of user 'op' to stay, found chrootdirectory would change"):
        _sshd.replace_config(str(path), "new\n", ["root", "op"])
    assert path.read_text() == "old\n"


CAROL = """Match Group sftponly
    ChrootDirectory /srv/sftp/%u
    ForceCommand internal-sftp
    PasswordAuthentication yes
    AllowTcpForwarding no
    X11Forwarding no
"""


def test_the_older_name_of_a_keyword_is_the_same_setting():
    """ChallengeResponseAuthentication is KbdInteractiveAuthentication: compared as equal, so taken over, not left."""
    block = "Match Group sftponly\n  ChrootDirectory /home/sftp\n  ChallengeResponseAuthentication no\n"
    assert takeover_problems(unmarked(STOCK + block), Jail()) == []
    assert "Challenge" not in with_jail(STOCK + block, Jail())
    other = block.replace(" no", " yes")
    (problem,) = takeover_problems(unmarked(STOCK + other), Jail())
    assert "KbdInteractiveAuthentication" in str(problem) and other in with_jail(STOCK + other, Jail())


def test_the_group_whose_jail_can_be_filled_is_ours():
    per_user = "Match Group sftponly\n  ChrootDirectory /srv/sftp/%u\n"
    ours = "Match Group ftpjail\n  ChrootDirectory /home/sftp\n"
    assert discovered_group(parse(per_user + ours)) == "ftpjail"
    assert discovered_group(parse(per_user.replace("sftponly", "others"))) == "others", "which is then refused by name"
    assert discovered_group(parse(ours + ours.replace("ftpjail", "sftponly"))) == "sftponly"
    assert discovered_group([]) == "sftponly"


def test_a_jail_with_other_values_is_not_taken_over():
    """A tutorial's directory for each user: dropping the block would put their files out of reach."""
    first, second = map(str, takeover_problems(parse(STOCK + CAROL, "/etc/ssh/sshd_config"), Jail()))
    number = len(STOCK.splitlines()) + 2
    assert first.startswith(f"/etc/ssh/sshd_config:{number}: ChrootDirectory of the group sftponly: ")
    assert "expected /home/sftp, found /srv/sftp/%u;" in first
    assert "sshd_chroot_directory" in first and "sshd_chroot_group" in first
    assert "ForceCommand" in second and "sshd_chroot_start_directory" in second
    assert "/srv/sftp/%u" in with_jail(STOCK + CAROL, Jail())


@pytest.mark.parametrize(
    ("line", "jail"),
    [
        ("ChrootDirectory /srv/x", Jail(directory="/srv/x")),
        ('chrootdirectory "/home/sftp/"', Jail()),
        ("ForceCommand internal-sftp", Jail(start_directory="/")),
        ("ForceCommand internal-sftp -l INFO -d /%u", Jail(log_level="INFO")),
        ("PasswordAuthentication No", Jail(password_authentication=False)),
        ("AuthorizedKeysFile /etc/keys/%u", Jail(keys_directory="/etc/keys")),
        ("Banner /etc/issue", Jail()),
    ],
)
def test_a_jail_whose_values_are_ours_is_taken_over(line, jail):
    text = f"Match Group sftponly\n  {line}\n"
    assert takeover_problems(parse(text), jail) == []
    if not line.startswith("Banner"):
        assert with_jail(text, jail).count("Match Group") == 1
        assert takeover_problems(unmarked(with_jail(text, jail)), Jail(directory="/other")) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Match Group sftponly\n  AllowTcpForwarding yes\n", "AllowTcpForwarding"),
        ("Match Group sftponly\n  PasswordAuthentication no\n", "sshd_chroot_password_authentication"),
        ("Match Group sftponly\n  ForceCommand internal-sftp -R -d /%u\n", "ForceCommand"),
        ("PasswordAuthentication no\nMatch Group sftponly\n  ChrootDirectory /home/sftp\n", "by key alone"),
        ("Match Group sftponly\n  ChallengeResponseAuthentication yes\n", "KbdInteractiveAuthentication"),
    ],
)
def test_what_taking_over_would_change_is_named(text, words):
    (problem,) = takeover_problems(parse(text), Jail())
    assert words in str(problem) and problem.subject.startswith("/etc/ssh/sshd_config:")


def test_a_block_of_another_group_is_nobody_elses_business():
    assert (
        takeover_problems(parse("Match Group staff\n  ChrootDirectory /srv\nMatch all\n  X11Forwarding yes\n"), Jail())
        == []
    )
