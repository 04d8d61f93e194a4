# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared folders with real clients: what members and readers can do, and what a hostile member cannot."""

from __future__ import annotations

import json
import shlex

import pytest
from conftest import CLIENT_DIRECTORY, SFTP_JAIL, run_module, wait_until

MEMBERS, READERS = ["dick", "jason"], ["tim"]
PASSWORD = "flying-Grayson 4"
FOLDER = "projects"
SOURCE = f"/srv/ftp-shared/{FOLDER}"
UNIT = f"ftp-shared-{FOLDER}.service"


def share(server, folder, name=FOLDER, **options) -> dict:
    """Apply the module to one folder; return its result."""
    said = run_module(server, "ftp_shared_folders", {"folders": [{"name": name, **options}]}, "", folder)
    return said


def clean(server) -> None:
    server.sh(f"""systemctl disable --now {UNIT} 2>/dev/null
rm -rf /etc/systemd/system/ftp-shared-{FOLDER}*; systemctl daemon-reload
for name in {" ".join(MEMBERS + READERS)}; do
  ftp-users del $name --remove-home >/dev/null 2>&1; rm -rf {SFTP_JAIL}/$name
done; rm -rf {SOURCE}; true""")


def add(server, client, name: str, key_file: str) -> None:
    public = client.sh(f"ssh-keygen -y -f {key_file}").stdout.strip()
    protocol = "both" if server.one_home else "sftp"
    words = f"{name} --protocol {protocol} --password-stdin --key {shlex.quote(public)}"
    server.sh(f"printf '%s\\n' '{PASSWORD}' | ftp-users add {words}")


@pytest.fixture(scope="module")
def people(server, client, key_file):
    """Three users; of SFTP only where FTPS has other homes."""
    clean(server)
    for name in MEMBERS + READERS:
        add(server, client, name, key_file)
    yield
    clean(server)


@pytest.fixture
def shared(server, people, tmp_path):
    """The folder, empty, as listed."""
    share(server, tmp_path, members=MEMBERS, readers=READERS)
    server.sh(f"find {SOURCE} -mindepth 1 -delete")


def sftp(server, client, user: str, *lines: str) -> str:
    """What OpenSSH's client says when ``user`` types ``lines`` in the folder; a line that fails does not stop it."""
    options = f"-o StrictHostKeyChecking=yes -o UserKnownHostsFile={server.known_hosts} -o ConnectTimeout=15"
    typed = "\n".join([f"cd {FOLDER}", *(f"-{line}" for line in lines), ""])
    command = f"sftp -i {CLIENT_DIRECTORY}/key -o IdentitiesOnly=yes {options} -b - {user}@{server.address} 2>&1"
    client.ask("banner", host=server.address)
    return client.sh(f"cd {server.directory}; {command} <<'END'\n{typed}END\n", check=False).stdout


def found_by_the_check(server) -> list[str]:
    """The subjects of what the check finds about folders."""
    findings = json.loads(server.sh("ftp-users check --json", check=False).stdout)["findings"]
    return [one["subject"] for one in findings if one["subject"].startswith("folder")]


def test_the_playbook_shares_what_the_list_says(server):
    """converge.yml lists one folder; nothing of it is missing for the check."""
    assert {"rw", "nosuid"} <= set(server.host.mount_point(f"{SFTP_JAIL}/alfred/common").options)
    assert server.host.group("ftpshare-common").members == ["alfred"]


def mode_of(server, name: str) -> str:
    return server.sh(f"stat -c %a {SOURCE}/{name}").stdout.strip()


@pytest.mark.parametrize("mode", ["600", "644", "400", "4755", "2755"])
def test_what_a_member_uploads_the_others_read_change_and_delete(server, client, shared, mode):
    client.sh(f"cd {server.directory}; rm -f mine theirs; echo first >mine; chmod {mode} mine; echo second >theirs")
    sftp(server, client, "dick", "put mine", "put -p mine kept", "mkdir sub", "put mine sub/deep", "chmod 600 mine")
    for name in ("mine", "kept", "sub/deep"):
        assert mode_of(server, name) in ("660", "770"), f"{name}: also not setuid on the disk"
    sftp(server, client, "jason", "get mine got", "put theirs mine", "put theirs sub/deep", "put theirs sub/new")
    assert client.sh(f"cat {server.directory}/got").stdout == "first\n"
    assert server.sh(f"cd {SOURCE}; cat mine sub/deep sub/new").stdout == "second\n" * 3
    sftp(server, client, "jason", "rename mine moved", "rm kept", "rm sub/deep", "rm sub/new", "rmdir sub")
    assert server.sh(f"ls {SOURCE}").stdout.split() == ["moved"]
    sftp(server, client, "dick", "rm moved")
    assert server.sh(f"ls {SOURCE}").stdout == ""


def test_times_are_kept_when_the_client_asks_for_it(server, client, shared):
    client.sh(f"cd {server.directory}; echo x >old; touch -d 2001-02-03 old")
    sftp(server, client, "dick", "put -p old")
    assert server.sh(f"date -u -r {SOURCE}/old +%F").stdout.strip() in ("2001-02-02", "2001-02-03")


def test_a_reader_reads_and_changes_nothing(server, client, shared):
    client.sh(f"cd {server.directory}; rm -f mine got; echo first >mine; chmod 600 mine")
    sftp(server, client, "dick", "put mine", "mkdir sub", "put mine sub/deep")
    before = server.sh(f"cd {SOURCE}; find . -printf '%p %m %u %s %T@\\n' | sort").stdout
    said = sftp(
        server,
        client,
        "tim",
        "put mine new",
        "put mine",
        "rm mine",
        "rename mine new",
        "mkdir new",
        "rmdir sub",
        "chmod 777 mine",
        "ln mine new",
        "ln -s mine new",
        "put mine sub/new",
        "get mine got",
        "ls sub",
    )
    assert server.sh(f"cd {SOURCE}; find . -printf '%p %m %u %s %T@\\n' | sort").stdout == before
    assert client.sh(f"cat {server.directory}/got").stdout == "first\n" and "sub/deep" in said
    # Not only the mount is read-only: where it can be written, the reader could not either.
    written = f"setpriv --reuid $(id -u tim) --regid $(id -g tim) --init-groups touch {SFTP_JAIL}/dick/{FOLDER}/new"
    server.sh(f"chmod 711 {SFTP_JAIL}/dick; {written}; status=$?; chmod 700 {SFTP_JAIL}/dick; [ $status != 0 ]")


def ftps(server, user: str, *steps: list, done: bool = True) -> list[str]:
    """What the steps gave over FTPS, all of which are ``done``, or refused."""
    login = {**server.ftps("batman"), "user": user, "password": PASSWORD}
    answers = server.client.ask("ftps_steps", login=login, steps=steps)
    assert [one["done"] for one in answers] == [done] * len(steps), answers
    return [one["result"] for one in answers]


@pytest.mark.one_home
def test_what_a_member_uploads_by_ftps_the_others_change_and_delete_by_sftp(server, client, shared):
    client.sh(f"cd {server.directory}; rm -f got; echo second >theirs")
    ftps(server, "dick", ["put", f"{FOLDER}/mine", "first\n"], ["raw", f"MKD {FOLDER}/sub"])
    ftps(server, "dick", ["put", f"{FOLDER}/sub/deep", "first\n"], ["raw", f"SITE CHMOD 0600 {FOLDER}/mine"])
    assert [mode_of(server, name) for name in ("mine", "sub", "sub/deep")] == ["660", "770", "660"]
    sftp(server, client, "jason", "get mine got", "put theirs mine", "rename mine moved", "rm sub/deep", "rmdir sub")
    assert client.sh(f"cat {server.directory}/got").stdout == "first\n"
    assert server.sh(f"ls {SOURCE}").stdout.split() == ["moved"]
    assert ftps(server, "dick", ["get", f"{FOLDER}/moved"], ["delete", f"{FOLDER}/moved"])[0] == "second\n"
    assert server.sh(f"ls {SOURCE}").stdout == ""


@pytest.mark.one_home
def test_what_a_member_uploads_by_sftp_the_others_change_and_delete_by_ftps(server, client, shared):
    client.sh(f"cd {server.directory}; rm -f mine; echo first >mine; chmod 600 mine")
    sftp(server, client, "dick", "put mine", "mkdir sub", "put mine sub/deep")
    assert ftps(server, "jason", ["get", f"{FOLDER}/mine"], ["get", f"{FOLDER}/sub/deep"]) == ["first\n"] * 2
    ftps(server, "jason", ["put", f"{FOLDER}/mine", "second\n"], ["rename", f"{FOLDER}/mine", f"{FOLDER}/moved"])
    ftps(server, "jason", ["delete", f"{FOLDER}/sub/deep"], ["raw", f"RMD {FOLDER}/sub"])
    assert server.sh(f"cd {SOURCE}; ls; cat *").stdout == "moved\nsecond\n"
    ftps(server, "jason", ["delete", f"{FOLDER}/moved"])
    assert server.sh(f"ls {SOURCE}").stdout == ""


@pytest.mark.one_home
def test_a_reader_reads_by_ftps_and_changes_nothing(server, shared):
    ftps(server, "dick", ["put", f"{FOLDER}/mine", "first\n"], ["raw", f"MKD {FOLDER}/sub"])
    before = server.sh(f"cd {SOURCE}; find . -printf '%p %m %u %s %T@\\n' | sort").stdout
    assert ftps(server, "tim", ["get", f"{FOLDER}/mine"], ["list", FOLDER])[0] == "first\n"
    refused = [
        ["put", f"{FOLDER}/mine", "x"],
        ["put", f"{FOLDER}/new", "x"],
        ["put", f"{FOLDER}/sub/new", "x"],
        ["delete", f"{FOLDER}/mine"],
        ["rename", f"{FOLDER}/mine", f"{FOLDER}/new"],
        ["rename", f"{FOLDER}/mine", "new"],
        ["raw", f"APPE {FOLDER}/mine"],
        ["raw", f"MKD {FOLDER}/new"],
        ["raw", f"RMD {FOLDER}/sub"],
        ["raw", f"RMD {FOLDER}"],
        ["raw", f"SITE CHMOD 0666 {FOLDER}/mine"],
    ]
    ftps(server, "tim", *refused, done=False)
    assert server.sh(f"cd {SOURCE}; find . -printf '%p %m %u %s %T@\\n' | sort").stdout == before


@pytest.mark.one_home
def test_a_link_in_the_folder_leads_nowhere_out_over_ftps(server, client, shared):
    """SFTP makes it, FTPS follows it, in the chroot of the user who does."""
    server.sh(f"echo secret >{SFTP_JAIL}/dick/secret; chown dick: {SFTP_JAIL}/dick/secret; rm -f /tmp/escaped")
    targets = ["/etc/passwd", "../../../../etc/passwd", f"{SFTP_JAIL}/dick/secret", "../../dick/secret", "/tmp/escaped"]
    sftp(server, client, "dick", *(f"ln -s {target} link{number}" for number, target in enumerate(targets)))
    assert server.sh(f"ls {SOURCE} | wc -l").stdout.strip() == str(len(targets)), "the links are there"
    for user in ("jason", "tim"):
        links = [f"{FOLDER}/link{number}" for number in range(len(targets))]
        ftps(server, user, *(["get", link] for link in links), *(["put", link, "x"] for link in links), done=False)
    ftps(server, "jason", ["put", f"{FOLDER}/mine", "x"])
    ftps(server, "jason", ["rename", f"{FOLDER}/mine", "mine"], ["rename", FOLDER, "moved"], done=False)
    assert not server.host.file("/tmp/escaped").exists and server.host.file(f"{SOURCE}/mine").exists


def test_nobody_else_gets_to_the_files(server, shared):
    for path in (SOURCE, f"/run/ftp-shared/{FOLDER}/rw", f"/run/ftp-shared/{FOLDER}/ro", f"{SFTP_JAIL}/dick/{FOLDER}"):
        assert server.sh(f"setpriv --reuid 65534 --regid 65534 --clear-groups ls {path}", check=False).returncode != 0


def test_links_devices_and_odd_names_lead_nowhere(server, client, shared):
    """A link means what it means in the jail of whoever follows it; nothing leaves the folder by a rename."""
    client.sh(f"cd {server.directory}; rm -rf stolen* mine; echo mine >mine")
    said = sftp(
        server,
        client,
        "dick",
        "ln -s /etc/passwd absolute",
        "ln -s ../../../../../../etc/passwd relative",
        "ln -s /run/ftp-shared/projects/rw run",
        "ln -s ../.. up",
        "get absolute stolen-1",
        "get relative stolen-2",
        "put mine ../outside",
        "rename ../outside inside",
        "ln ../outside inside",
        f"rename {FOLDER} ../{FOLDER}-2",
        f"rename ../{FOLDER} ../moved",
        f"rmdir ../{FOLDER}",
        "put mine a\\\\x2db",
        "put mine ..x",
        "put mine %n$HOME",
        "mkdir a@b.service",
    )
    assert client.sh(f"ls {server.directory} | grep stolen", check=False).stdout == ""
    assert server.sh(f"cat {SFTP_JAIL}/dick/outside").stdout == "mine\n", said
    assert not server.host.file(f"{SOURCE}/inside").exists
    assert server.host.mount_point(f"{SFTP_JAIL}/dick/{FOLDER}").exists
    options = server.host.mount_point(f"{SFTP_JAIL}/dick/{FOLDER}").options
    assert {"rw", "nosuid", "nodev", "noexec"} <= set(options)
    said = sftp(server, client, "jason", "put mine up/dick-was-here", "get up/dick/outside stolen-3", "ls run")
    assert client.sh(f"ls {server.directory} | grep stolen", check=False).stdout == "", said
    server.sh(f"rm -f {SFTP_JAIL}/dick/outside")


def test_a_link_in_the_place_of_the_folder_is_never_mounted_over(server, shared, tmp_path):
    """While it is not mounted, the place is an entry of the user's own directory."""
    place = f"{SFTP_JAIL}/dick/{FOLDER}"
    server.sh(f"systemctl stop {UNIT}; rmdir {place}; ln -s /etc {place}; systemctl start {UNIT}; sleep 1")
    assert not server.host.mount_point("/etc").exists and server.host.file("/etc/passwd").exists
    assert server.host.mount_point(f"{SFTP_JAIL}/jason/{FOLDER}").exists
    assert found_by_the_check(server) == ["folder-unmounted"]
    assert "mounted: dick" in share(server, tmp_path, members=MEMBERS, readers=READERS)
    assert server.host.mount_point(place).exists and found_by_the_check(server) == []
    assert server.sh(f"readlink {place}.*; rm {place}.*").stdout == "/etc\n"


def test_bindfs_that_is_killed_comes_back_and_nothing_is_open_meanwhile(server, client, shared):
    client.sh(f"cd {server.directory}; echo x >mine")
    sftp(server, client, "dick", "put mine")
    place = f"{SFTP_JAIL}/dick/{FOLDER}"
    as_dick = "setpriv --reuid $(id -u dick) --regid $(id -g dick) --init-groups"
    # Nothing that dick writes meanwhile is left below the mount: the directory there is root's.
    server.sh(f"""systemctl kill --signal=KILL {UNIT}
for i in $(seq 300); do {as_dick} touch {place}/meanwhile 2>/dev/null; test -e {place}/mine && break; done
systemctl stop ftp-shared-{FOLDER}-rw@dick.service""")
    assert server.sh(f"ls -A {place}; stat -c '%U %a' {place}").stdout == "root 755\n"
    server.sh(f"systemctl start ftp-shared-{FOLDER}-rw@dick.service")
    wait_until(lambda: server.host.mount_point(f"{SFTP_JAIL}/tim/{FOLDER}").exists)
    assert "ro" in server.host.mount_point(f"{SFTP_JAIL}/tim/{FOLDER}").options
    server.sh(f"{as_dick} touch {place}/after; systemctl stop {UNIT}")
    assert found_by_the_check(server) == ["folder-unmounted"]
    server.sh(f"systemctl restart {UNIT}")
    wait_until(lambda: found_by_the_check(server) == [])


def test_who_leaves_is_out_at_once(server, client, shared, tmp_path):
    held = f"{CLIENT_DIRECTORY}/folder-held"
    options = f"-o StrictHostKeyChecking=yes -o UserKnownHostsFile={server.known_hosts}"
    for name in MEMBERS:
        client.sh(f"""rm -f {held}-{name}
(sleep 60 | sftp -i {CLIENT_DIRECTORY}/key {options} -b - {name}@{server.address}; touch {held}-{name}) \
    >/dev/null 2>&1 &""")
    wait_until(lambda: all(server.sh(f"pgrep -u {name}", check=False).stdout for name in MEMBERS))
    said = share(server, tmp_path, members=["jason"], readers=READERS)
    assert "left: dick" in said
    assert not server.sh("pgrep -u dick", check=False).stdout and server.sh("pgrep -u jason").stdout
    assert not server.host.file(f"{SFTP_JAIL}/dick/{FOLDER}").exists
    assert server.host.group(f"ftpshare-{FOLDER}").members == ["jason"]
    server.sh("pkill -u jason")


def test_a_member_who_becomes_a_reader_only_reads(server, client, shared, tmp_path):
    said = share(server, tmp_path, members=["dick"], readers=["jason", "tim"])
    assert "only reads now: jason" in said
    client.sh(f"cd {server.directory}; echo x >mine")
    sftp(server, client, "jason", "put mine")
    assert not server.host.file(f"{SOURCE}/mine").exists
    assert "writes now: jason" in share(server, tmp_path, members=MEMBERS, readers=READERS)
    sftp(server, client, "jason", "put -p mine")
    assert server.host.file(f"{SOURCE}/mine").exists
    assert "SUCCESS" in share(server, tmp_path, members=MEMBERS, readers=READERS)


def test_a_deleted_member_leaves_and_the_folder_stays(server, client, shared, key_file):
    client.sh(f"cd {server.directory}; echo x >mine")
    sftp(server, client, "dick", "put mine", "put mine ../own")
    server.sh("ftp-users del dick --remove-home")
    assert not server.host.file(f"{SFTP_JAIL}/dick").exists
    assert server.sh(f"cat {SOURCE}/mine").stdout == "x\n"
    assert not server.sh("ls /etc/systemd/system/ftp-shared-*.wants | grep @dick", check=False).stdout
    assert found_by_the_check(server) == []
    add(server, client, "dick", key_file)
    assert not server.host.mount_point(f"{SFTP_JAIL}/dick/{FOLDER}").exists, "the next one of that name is nobody"


def test_an_absent_folder_keeps_its_files(server, client, shared, tmp_path):
    client.sh(f"cd {server.directory}; echo x >mine")
    sftp(server, client, "dick", "put mine")
    assert "its files stay" in share(server, tmp_path, state="absent")
    assert server.sh(f"cat {SOURCE}/mine").stdout == "x\n"
    assert FOLDER not in server.sh("cat /proc/self/mountinfo; ls -R /etc/systemd/system").stdout
    assert "SUCCESS" in share(server, tmp_path, state="absent")
    share(server, tmp_path, members=MEMBERS)
    assert "mine" in sftp(server, client, "jason", "ls")
