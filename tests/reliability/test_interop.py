"""Files from others and for others: db_load, db_dump, db_verify, Perl's DB_File and pam_userdb."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pam
import pytest
from store_tools import PASSWORD, PASSWORD_HASH, contents, fake_hash, hash_plaintext, numbered_users, run_module, write

pytestmark = pytest.mark.skipif(not shutil.which("db_load"), reason="db-util is not installed")

PERL = """
use DB_File; use Fcntl;
my ($file, $command) = (shift, shift);
tie my %users, 'DB_File', $file, O_RDWR | ($command eq 'write' ? O_CREAT : 0), 0600, $DB_HASH or die "tie: $!";
if ($command eq 'read') { print unpack('H*', $_), ' ', unpack('H*', $users{$_}), "\\n" for keys %users }
else { while (<STDIN>) { my ($key, $value) = map { pack 'H*', $_ } split; $users{$key} = $value } }
untie %users;
"""


def have_perl() -> bool:
    return bool(shutil.which("perl")) and subprocess.run(["perl", "-MDB_File", "-e", "1"], check=False).returncode == 0


def db_load(path: Path, records: dict[bytes, bytes], *options: str) -> None:
    text = b"".join(b"%s\n%s\n" % record for record in records.items())
    subprocess.run(["db_load", "-T", "-t", "hash", *options, str(path)], input=text, check=True)


def db_dump(path: Path) -> dict[bytes, bytes]:
    """Verify the file and dump it."""
    subprocess.run(["db_verify", "-q", str(path)], check=True)
    lines = subprocess.run(["db_dump", str(path)], capture_output=True, check=True).stdout.split(b"\n")
    data = lines[lines.index(b"HEADER=END") + 1 : lines.index(b"DATA=END")]
    values = [bytes.fromhex(line.strip().decode()) for line in data]
    return dict(zip(values[::2], values[1::2]))


def perl(path: Path, command: str, records: dict[bytes, bytes] | None = None) -> dict[bytes, bytes]:
    text = "".join(f"{key.hex()} {value.hex()}\n" for key, value in (records or {}).items())
    done = subprocess.run(
        ["perl", "-e", PERL, str(path), command], input=text.encode(), capture_output=True, check=True
    )
    pairs = (line.split(b" ") for line in done.stdout.splitlines())
    return {bytes.fromhex(key.decode()): bytes.fromhex(value.decode()) for key, value in pairs}


@pytest.mark.parametrize("count", [1, 10, 1000, 30000])
def test_db_dump_and_db_verify_read_ours(tmp_path: Path, count: int) -> None:
    database = tmp_path / "users.db"
    write(database, numbered_users(0, count))
    assert db_dump(database) == numbered_users(0, count)
    changes = {**dict.fromkeys(numbered_users(0, count // 3)), **numbered_users(count // 2, count + 5, "new")}
    write(database, changes)
    assert db_dump(database) == {
        key: value for key, value in {**numbered_users(0, count), **changes}.items() if value is not None
    }


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
@pytest.mark.parametrize("order", ["1234", "4321"])
def test_what_db_load_wrote_is_updated_without_losing_a_record(tmp_path: Path, page_size: int, order: str) -> None:
    database = tmp_path / "users.db"
    loaded = {**numbered_users(0, 3000), b"plain": b"a plaintext password", b"long": b"x" * 500}
    db_load(database, loaded, "-c", f"db_pagesize={page_size}", "-c", f"db_lorder={order}")
    write(database, {b"batman": fake_hash(1), b"user000007": None})
    expected = {**loaded, b"batman": fake_hash(1)}
    del expected[b"user000007"]
    assert db_dump(database) == expected
    write(database, numbered_users(2000, 5000, "new"))
    assert db_dump(database) == {**expected, **numbered_users(2000, 5000, "new")}


@pytest.mark.skipif(not have_perl(), reason="Perl has no DB_File")
def test_perl_and_we_take_turns(tmp_path: Path) -> None:
    database = tmp_path / "users.db"
    expected = {**numbered_users(0, 500), b"plain": b"secret", b"empty": b""}
    perl(database, "write", expected)
    chance = random.Random(4)
    for turn in range(10):
        first = chance.randrange(1000)
        changes = numbered_users(first, first + 200, turn)
        (write if turn % 2 == 0 else lambda path, records: perl(path, "write", records))(database, changes)
        expected.update(changes)
        assert perl(database, "read") == db_dump(database) == contents(database) == expected


@pytest.mark.skipif(not pam.available(), reason="libpam 1.4 or pam_userdb is not installed")
@pytest.mark.parametrize("maker", ["ours", "db_load", "perl"])
def test_pam_userdb_reads_what_anybody_wrote_and_we_updated(tmp_path: Path, maker: str) -> None:
    database = tmp_path / "users.db"
    records = {b"batman": PASSWORD_HASH.encode(), **numbered_users(0, 2000)}
    if maker == "perl" and not have_perl():
        pytest.skip("Perl has no DB_File")
    {"ours": write, "db_load": db_load, "perl": lambda path, users: perl(path, "write", users)}[maker](
        database, records
    )
    pam.write_service(tmp_path, database)
    assert pam.log_in(tmp_path, "batman", PASSWORD) == 0
    options = {"db": str(database), "create_home": False, "rounds": 1000}
    for scheme, name in ((5000, "robin"), (50000, "alfred")):
        result = run_module("ftp_user", name=name, password=f"{name}'s Pass 1", **{**options, "rounds": scheme})
        assert result.get("changed"), result
    for name in ("robin", "alfred"):
        assert pam.log_in(tmp_path, name, f"{name}'s Pass 1") == 0
        assert pam.log_in(tmp_path, name, f"{name}'s Pass 2") != 0
    assert pam.log_in(tmp_path, "batman", PASSWORD) == 0
    run_module("ftp_user", name="robin", state="absent", **options)
    assert pam.log_in(tmp_path, "robin", "robin's Pass 1") != 0


@pytest.mark.skipif(not pam.available(), reason="libpam 1.4 or pam_userdb is not installed")
def test_a_plaintext_database_of_the_article_is_found_and_hashed_in_one_run(tmp_path: Path) -> None:
    database, services = tmp_path / "users.db", tmp_path / "pam.d"
    services.mkdir()
    passwords = {f"user{number}": f"the pass Wörd {number}" for number in range(50)}
    db_load(database, {name.encode(): password.encode() for name, password in passwords.items()})
    service = pam.write_service(services, database, crypt=None)
    info = run_module("ftp_user_info", db=str(database))
    assert sorted(info["plaintext"]) == sorted(passwords), info
    assert all(password not in str(info) for password in passwords.values())

    def everybody_gets_in() -> bool:
        return all(
            pam.log_in(services, name, password) == 0 and pam.log_in(services, name, password + "x") != 0
            for name, password in passwords.items()
        )

    assert everybody_gets_in()
    config = tmp_path / "vsftpd.conf"
    config.write_text("pam_service_name=vsftpd.virtual\n")
    from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.server import discover
    from ansible_collections.secure_ftp.server.plugins.module_utils._ftps.state import describe

    def server():
        return discover(config=str(config), pam_directory=str(services))

    outcome = hash_plaintext(server())
    assert outcome.whose("hashed") == sorted(passwords) and outcome.pam_changed
    assert "crypt=crypt" in service.read_text()
    assert everybody_gets_in()
    assert not describe(server())["plaintext"]
    assert not hash_plaintext(server()).changed
