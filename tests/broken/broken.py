"""Break the project on purpose, one way at a time: a test or benchmark must notice each.

    make broken                    every way (about 10 minutes)
    make broken ONLY=slow          those whose name begins so

Works on a copy of the project. The tests themselves are run unbroken by ``make test``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv/bin/python"
LIBRARY = "plugins/module_utils"
USERDB, HASHFILE, FTPS_APPLY = (f"{LIBRARY}/_ftps/{name}.py" for name in ("database", "hashfile", "apply"))
FTPS_PLAN, FTPS_STATE = (f"{LIBRARY}/_ftps/{name}.py" for name in ("plan", "state"))
DISCOVERY, SESSIONS = (f"{LIBRARY}/_ftps/{name}.py" for name in ("server", "sessions"))
NAMES, PASSWORDS = (f"{LIBRARY}/_users/{name}.py" for name in ("names", "passwords"))
SFTP_PLAN, SFTP_APPLY, SFTP_REFUSALS, SFTP_LOCKS = (
    f"{LIBRARY}/_sftp/{name}.py" for name in ("plan", "apply", "refusals", "locks")
)
PROCESSES, HOST_SESSIONS = (f"{LIBRARY}/_host/{name}.py" for name in ("processes", "sessions"))
DIRECTORIES, MOUNTS, ACCOUNTS = (f"{LIBRARY}/_host/{name}.py" for name in ("directories", "mounts", "accounts"))
WALKING, MOVING = (f"{LIBRARY}/_host/{name}.py" for name in ("walking", "moving"))
AUDIT, TRANSACTION, JOURNAL, BY_MODULE, REPAIR = (
    f"{LIBRARY}/_manage/{name}.py" for name in ("audit", "transaction", "journal", "by_module", "repair")
)
GUARD = f"{LIBRARY}/_firewall/ufw_guard.py"
TAKEOVER = f"{LIBRARY}/_preflight/takeover.py"
VARIABLES, PREFLIGHT_SSHD = (f"{LIBRARY}/_preflight/{name}.py" for name in ("variables", "sshd"))
SSH_CONFIG, SSH_CLASSES = (f"{LIBRARY}/_ssh/{name}.py" for name in ("config", "classes"))
FLUSH = "        os.fsync(fd)\n"


@dataclass(frozen=True)
class Broken:
    """``old`` of ``file`` replaced by ``new``; ``test`` (of reliability, or unit/FILE) or line ``bench`` must fail."""

    name: str
    file: str
    old: str
    new: str
    test: str = ""
    bench: str = ""


WAYS = (
    Broken(
        "killed: the database is written in place",
        USERDB,
        "os.rename(temporary, path)",
        "__import__('shutil').copyfile(temporary, path)",
        "test_kill.py::test_a_killed_write_leaves_the_old_or_the_new_users",
    ),
    Broken(
        "killed: the mode is lost",
        USERDB,
        "        os.fchmod(fd, mode)\n",
        "",
        "test_kill.py::test_a_killed_write_leaves_the_old_or_the_new_users",
    ),
    Broken(
        "killed: the owner is lost",
        USERDB,
        "os.fchown(fd, uid, gid)",
        "pass",
        "test_kill.py::test_a_killed_write_leaves_the_old_or_the_new_users",
    ),
    Broken(
        "killed: litter piles up",
        USERDB,
        "        _clean(directory, base)\n",
        "",
        "test_kill.py::test_a_killed_write_leaves_the_old_or_the_new_users",
    ),
    Broken(
        "killed: users before their directories",
        FTPS_PLAN,
        "        steps.append(MakeHomes(tuple(outcome.homes), *stored.guest))\n",
        "        steps += [write, MakeHomes(tuple(outcome.homes), *stored.guest)]\n",
        "unit/ftps/test_plan.py::test_a_new_user_gets_a_directory_before_a_record",
    ),
    Broken(
        "raced: nothing is locked",
        USERDB,
        "with _lock(path, lock_timeout):\n            if not is_current",
        "with contextlib.nullcontext():\n            if not is_current",
        "test_race.py::test_16_writers_of_50_users_each_lose_none",
    ),
    Broken(
        "locked: a lock file left behind counts as a lock",
        USERDB,
        "os.open(lock, os.O_RDWR | os.O_CREAT |",
        "os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL |",
        "test_race.py::test_a_dead_lock_holder_blocks_nobody",
    ),
    Broken(
        "locked: waiting has another bound",
        USERDB,
        "if time.monotonic() >= deadline:",
        "if time.monotonic() >= deadline + 3:",
        "test_race.py::test_a_live_lock_holder_is_waited_for_with_a_bound",
    ),
    Broken(
        "read: a moment without a database",
        USERDB,
        "os.rename(temporary, path)",
        "(os.path.exists(path) and os.unlink(path), os.rename(temporary, path))",
        "test_readers.py::test_no_login_is_refused_during_500_updates",
    ),
    Broken(
        "disk: nothing is flushed before the rename",
        USERDB,
        FLUSH,
        "        pass\n",
        "test_disk.py::test_everything_is_on_disk_before_the_rename",
    ),
    Broken(
        "disk: a failing fsync is ignored",
        USERDB,
        FLUSH,
        "        with contextlib.suppress(OSError):\n            os.fsync(fd)\n",
        "test_disk.py::test_every_system_call_of_a_write_may_fail",
    ),
    Broken(
        "disk: the rename is not flushed",
        USERDB,
        "        fsync_directory(directory)\n",
        "        pass\n",
        "test_disk.py::test_everything_is_on_disk_before_the_rename",
    ),
    Broken(
        "disk: what does not fit stays behind",
        USERDB,
        "            _remove(temporary)\n",
        "            pass\n",
        "test_disk.py::test_a_full_disk",
    ),
    Broken(
        "disk: a read-only file system is a traceback",
        USERDB,
        '        raise file_error(path, "lock", error) from error\n    try:',
        "        raise\n    try:",
        "test_disk.py::test_a_read_only_file_system",
    ),
    Broken(
        "hostile: a pipe is waited for",
        HASHFILE,
        "        _check_kind(path, os.lstat(path))\n"
        "        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK",
        "        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW",
        "test_hostile.py::test_a_hostile_file_is_named_in_a_second_and_untouched[fifo]",
    ),
    Broken(
        "hostile: all 10 GB are read before the header",
        HASHFILE,
        "head = os.pread(fd, _META_SIZE, 0)",
        "head = b''.join(iter(lambda: os.read(fd, 1 << 20).strip(b'\\0'), 0))",
        "test_hostile.py::test_a_hostile_file_is_named_in_a_second_and_untouched[10 GB sparse]",
    ),
    Broken(
        "hostile: one message for everything",
        HASHFILE,
        'refuse(f"a Berkeley DB {kind} database"',
        'refuse("something else"',
        "test_hostile.py::test_a_hostile_file_is_named_in_a_second_and_untouched[btree]",
    ),
    Broken(
        "hostile: links between pages are followed unchecked",
        HASHFILE,
        "if following >= count or previous >= count:",
        "if False:",
        "test_hostile.py::test_damaged_databases_neither_crash_nor_hang_anything",
    ),
    Broken(
        "hostile: a name may climb",
        NAMES,
        "[A-Za-z_0-9][A-Za-z0-9._-]*",
        "[A-Za-z_0-9./][A-Za-z0-9._/-]*",
        "test_hostile.py::test_name_validator",
    ),
    Broken(
        "hostile: control characters in passwords",
        PASSWORDS,
        "if ord(character) < 0x20 or",
        "if",
        "test_hostile.py::test_password_validators",
    ),
    Broken(
        "hostile: salvage invents records",
        HASHFILE,
        "                yield key, value\n",
        "                yield key + b'x', value\n",
        "test_hostile.py::test_what_is_readable_of_a_damaged_database_is_salvaged_by_ftp_users",
    ),
    Broken(
        "interop: a NUL behind each value, as C programs like it",
        USERDB,
        "database.put(key, value)",
        "database.put(key, value + bytes(1))",
        "test_interop.py::test_pam_userdb_reads_what_anybody_wrote_and_we_updated",
    ),
    Broken(
        "interop: what others wrote is forgotten",
        USERDB,
        "        if file:\n            write_all(fd, file.data)\n"
        "        _apply(path, changes, driver, create=file is None)",
        "        _apply(path, changes, driver, create=True)",
        "test_interop.py::test_what_db_load_wrote_is_updated_without_losing_a_record",
    ),
    Broken(
        "interop: one byte order",
        HASHFILE,
        'order = "<" if little == _HASH_MAGIC else ">"',
        'order = "<"',
        "test_interop.py::test_what_db_load_wrote_is_updated_without_losing_a_record",
    ),
    Broken(
        "plaintext: hashes before PAM takes them",
        FTPS_APPLY,
        "self._before_switch = allow_both(service)",
        "pass",
        "test_kill.py::test_killed_after_each_step_of_hashing_plaintext_everybody_still_gets_in",
    ),
    Broken(
        "plaintext: not reported",
        PASSWORDS,
        "            return name\n    return PLAINTEXT",
        "            return name\n    return 'unknown'",
        "test_interop.py::test_a_plaintext_database_of_the_article_is_found_and_hashed_in_one_run",
    ),
    Broken(
        "slow: libdb's small cache",
        USERDB,
        "database.set_cachesize(0, _cache(sum(map(_size, changes.items()))))",
        "pass",
        bench="write 100,000 records",
    ),
    Broken(
        "slow: records looked up one by one",
        USERDB,
        "if self._file is None or len(keys) > FEW:",
        "if self._file is None:",
        bench="find 100,000 records unchanged",
    ),
    Broken(
        "slow: more copies of the records",
        HASHFILE,
        "self._records = records\n",
        "self._records, self.copies = records, [{k + b'': v + b' ' for k, v in records.items()} for _n in range(4)]\n",
        bench="memory to find 100,000 records unchanged",
    ),
    Broken(
        "slow: every record written for one",
        USERDB,
        "_apply(path, changes, driver, create=file is None)",
        "_apply(path, {**(file.records() if file else {}), **changes}, driver, create=file is None)",
        bench="change 1 user of 100,000",
    ),
    Broken(
        "slow: every record written for one, through Ansible",
        USERDB,
        "_apply(path, changes, driver, create=file is None)",
        "_apply(path, {**(file.records() if file else {}), **changes}, driver, create=file is None)",
        bench="ftp_user changing 1 of 100,000",
    ),
    Broken(
        "takeover: settings of others are not compared",
        TAKEOVER,
        "    if is_ours(instance.text) or is_stock(instance.path):",
        "    if True:",
        "unit/preflight/test_takeover.py::test_settings_that_would_change_are_named_with_the_variables_that_keep_them",
    ),
    Broken(
        "takeover: users of the old database are not asked about",
        TAKEOVER,
        "out = sorted(names - _wanted_names(users))",
        "out: list[str] = []",
        "unit/preflight/test_takeover.py::test_users_of_another_database_are_counted_and_named",
    ),
    Broken(
        "takeover: lines of the PAM file are dropped",
        TAKEOVER,
        "if _would_be_missed(line)]",
        "if False]",
        "unit/preflight/test_takeover.py::test_other_lines_of_the_pam_file_would_be_lost",
    ),
    Broken(
        "takeover: directories change hands",
        TAKEOVER,
        "found.st_uid not in (0, ids[0])",
        "False",
        "unit/preflight/test_takeover.py::test_a_directory_that_would_change_hands_is_named",
    ),
    Broken(
        "takeover: a directory that was there gets our mode",
        FTPS_STATE,
        "return self.own or (guest is not None and found is not None and found.is_directory and found.uid == guest[0])",
        "return False",
        "unit/ftps/test_plan.py::test_a_directory_of_the_owner_is_kept_with_its_mode",
    ),
    Broken(
        "takeover: the files of user_config_dir are not read",
        DISCOVERY,
        '        root = options.get("local_root")\n        if not root:',
        '        root = options.get("local_root")\n        if root or not root:',
        "unit/doctor/test_ftps_users.py::test_a_directory_of_a_users_own_file_is_looked_at",
    ),
    Broken(
        "takeover: a link is called damaged",
        f"{LIBRARY}/_doctor/ftps_users.py",
        "path = os.path.realpath(server.database)",
        "path = server.database",
        "unit/doctor/test_ftps_users.py::test_a_database_that_is_a_link_is_not_damaged",
    ),
    Broken(
        "takeover: the certificate that is served is not looked at",
        f"{LIBRARY}/_ftps/probe.py",
        "return bool(served.certificate) and served.certificate != wanted",
        "return False",
        "unit/ftps/test_probe.py::test_a_renewed_file_is_seen_whatever_its_time_stamp",
    ),
    Broken(
        "takeover: a variable that is none of ours is accepted",
        VARIABLES,
        "        if not near and not name.startswith(OUR_OWN):\n            continue\n",
        "        if True:\n            continue\n",
        "unit/preflight/test_variables.py::test_what_looks_like_ours_and_is_none_is_a_problem",
    ),
    Broken(
        "takeover: everybody is removed without a list",
        VARIABLES,
        "    if purge and (users is None",
        "    if False and (users is None",
        "unit/preflight/test_variables.py::test_purge_without_a_list_is_refused",
    ),
    Broken(
        "takeover: the playbook of the users looks at nothing first",
        "playbooks/users.yml",
        "        roles: []\n",
        "        variables: {}\n",
        "unit/preflight/test_variables.py::test_the_playbook_of_users_looks_at_names_and_people_first",
    ),
    Broken(
        "takeover: a role alone takes over what it finds",
        "roles/vsftpd/tasks/checks.yml",
        '    configurations: "{{ __vsftpd_wanted }}"\n',
        "",
        "unit/preflight/test_variables.py::test_a_role_alone_looks_at_what_is_there_before_it_changes_anything",
    ),
    Broken(
        "takeover: new SFTP users need nothing to log in with",
        f"{LIBRARY}/_preflight/checks.py",
        'if "sftp" in user.protocols and not user.authorized_keys and not host.has_account(user.name):',
        "if False:",
        "unit/preflight/test_checks.py::test_new_users_without_anything_to_log_in_with_are_found",
    ),
    Broken(
        "takeover: directories become homes without a word",
        PREFLIGHT_SSHD,
        "return found.st_uid in holders or (found.st_uid == 0 and not ours)",
        "return False",
        "unit/preflight/test_sshd.py::test_a_directory_that_would_become_a_home_is_found",
    ),
    Broken(
        "takeover: who may log in is not looked at",
        PREFLIGHT_SSHD,
        "for problem in access_problems(name, groups, values):",
        "for problem in ():",
        "unit/preflight/test_sshd.py::test_a_list_of_allowed_groups_is_found_and_the_file_that_holds_it",
    ),
    Broken(
        "takeover: a foreign block is dropped whatever it says",
        SSH_CONFIG,
        "if named and all(word in ours and _same_value(ours[word][0], value, ours[word][1]) for word, value in named):",
        "if named:",
        "unit/ssh/test_config.py::test_a_hand_made_block_with_more_in_it_stays",
    ),
    Broken(
        "takeover: the Subsystem line of others is rewritten",
        SSH_CONFIG,
        '        return text.rstrip("\\n") + "\\n"\n    lines = text.splitlines()',
        '        text = re.sub("(?im)^subsystem.*\\n?", "", text)\n    lines = text.splitlines()',
        "unit/ssh/test_config.py::test_the_administrators_subsystem_line_stays_to_the_letter",
    ),
    Broken(
        "takeover: no copy of a configuration of others stays",
        "plugins/modules/vsftpd_config.py",
        "            keep_old(module, path, result)\n",
        "            pass\n",
        "unit/modules/test_backup.py",
    ),
    Broken(
        "takeover: no copy of a PAM file of others stays",
        f"{LIBRARY}/_ftps/pam.py",
        "        keep_copy(service.path)\n",
        "        pass\n",
        "unit/ftps/test_pam.py::test_a_file_of_somebody_else_is_copied_before_it_is_changed_and_ours_is_not",
    ),
    Broken(
        "takeover: one copy replaces another",
        f"{LIBRARY}/_host/files.py",
        "copy = next(name for name in names if not os.path.lexists(name))",
        "copy = next(names)",
        "unit/host/test_files.py::test_a_copy_has_owner_mode_time_and_a_name_of_its_own",
    ),
    Broken(
        "takeover: a restored file is as old as it says",
        f"{LIBRARY}/_host/units.py",
        "return max(os.stat(path).st_ctime, os.lstat(path).st_ctime)",
        "return os.stat(path).st_mtime",
        "unit/host/test_units.py::test_a_file_restored_with_its_old_time_is_not_read_yet",
    ),
    Broken(
        "takeover: the check changes the directories of others",
        f"{LIBRARY}/_doctor/ftps_users.py",
        "    if not somebodys:\n        return finding\n",
        "    return finding\n",
        "unit/doctor/test_ftps_users.py::test_the_fix_never_changes_directories_that_somebody_else_lives_by",
    ),
    Broken(
        "takeover: vsftpd is not masked while it is not configured",
        "roles/vsftpd/vars/main.yml",
        '__vsftpd_packages_first:\n  vsftpd: "{{ role_path }}/tasks/mask.yml"\n',
        "__vsftpd_packages_first: {}\n",
        "unit/test_roles.py::test_the_unit_is_masked_before_the_package_comes_and_until_it_is_configured",
    ),
    Broken(
        "takeover: the log is not rotated by its size",
        "roles/vsftpd/tasks/main.yml",
        'files: "{{ [__vsftpd_nobody] + __vsftpd_log_files }}"',
        'files: "{{ [__vsftpd_nobody] }}"',
        "unit/test_roles.py::test_the_log_is_rotated_by_its_size_and_holds_no_commands",
    ),
    Broken(
        "policy: any number of remote requests at once",
        f"{LIBRARY}/_remote/slots.py",
        "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "pass",
        "unit/remote/test_slots.py::test_no_more_than_so_many_at_once",
    ),
    Broken(
        "policy: the command takes short passwords",
        f"{LIBRARY}/_manage/manager.py",
        'user_from_options({"name": name, **options}, min_length(), existing)',
        'user_from_options({"name": name, **options}, 1, existing)',
        "unit/users/test_policy.py::test_manager_and_the_sources_of_the_command_refuse_it",
    ),
    Broken(
        "policy: any weak hash is said to be stored",
        f"{LIBRARY}/_manage/stored.py",
        "_stored(name, protocol, open_) == hash for protocol in protocols",
        "_stored(name, protocol, open_) for protocol in protocols",
        "unit/manage/test_stored.py::test_what_is_stored_by_each_protocol_is_new_to_none",
    ),
    Broken(
        "policy: hashes are taken whatever they are",
        PASSWORDS,
        "if found is None or is_taken():",
        "if True:",
        "unit/users/test_formats.py::test_weak_hashes_are_taken_where_somebody_says_so_and_worse_ones_never",
    ),
    Broken(
        "jail: what runs outside it is not looked for",
        f"{LIBRARY}/_doctor/sftp.py",
        "    yield from outside_findings(",
        "    outside_findings(",
        "unit/doctor/test_sftp.py::test_ways_out_of_the_jail_are_part_of_the_examination",
    ),
    Broken(
        "jail: keys are looked for in one place only",
        f"{LIBRARY}/_doctor/outside.py",
        'for pattern in " ".join(values.get("authorizedkeysfile", [])).split():',
        'for pattern in [".ssh/authorized_keys"]:',
        "unit/doctor/test_outside.py::test_keys_are_looked_for_where_sshd_does",
    ),
    Broken(
        "removal: mounts are not looked at",
        DIRECTORIES,
        "            refuse_mounts([path])\n",
        "",
        "unit/host/test_mounts.py::test_a_bind_mount_of_the_same_file_system_refuses_everything",
    ),
    Broken(
        "removal: only the home itself may not be a mount",
        MOUNTS,
        'point == real or point.startswith(real + "/")',
        "point == real",
        "unit/host/test_mounts.py::test_a_bind_mount_of_the_same_file_system_refuses_everything",
    ),
    Broken(
        "removal: a mount that appears meanwhile is entered",
        DIRECTORIES,
        "if mount_id(child) != mount:\n                    raise",
        "if False:\n                    raise",
        "unit/host/test_mounts.py::test_what_is_mounted_after_the_look_is_not_entered_either",
    ),
    Broken(
        "removal: what is put in meanwhile ends it",
        DIRECTORIES,
        "_ATTEMPTS = 20",
        "_ATTEMPTS = 1",
        "unit/host/test_directories.py::test_what_is_put_in_during_a_removal_goes_too_as_long_as_that_ends",
    ),
    Broken(
        "removal: a kept home is not closed",
        DIRECTORIES,
        "path, 0, 0, 0o700, check_mode, make=False",
        "path, 0, 0, 0o700, True, make=False",
        "unit/host/test_directories.py::test_a_kept_home_is_closed_and_comes_back_whole",
    ),
    Broken(
        "removal: an SFTP user's kept home is not closed",
        SFTP_PLAN,
        "        steps.append(CloseHomes(stored.jail.directory, tuple(changes.remove)))\n",
        "",
        "unit/sftp/test_apply.py::test_removal_takes_credentials_first_and_keeps_the_home",
    ),
    Broken(
        "removal: an FTPS user's kept directory is not closed",
        FTPS_PLAN,
        "        steps.append(CloseHomes(homes.root, closing))\n",
        "        pass\n",
        "unit/ftps/test_apply.py::test_the_directory_of_who_goes_is_closed",
    ),
    Broken(
        "removal: what is left hides that the user is gone",
        f"{LIBRARY}/_users/backend.py",
        '            error.state = f"done already: {\'; \'.join(done)}" if done else ""\n',
        "            pass\n",
        "unit/ftps/test_apply.py::test_a_directory_that_stays_does_not_hide_that_its_user_is_gone",
    ),
    Broken(
        "removal: whose a kept home was is guessed",
        DIRECTORIES,
        "        if noted is not None:\n",
        "        if False:\n",
        "unit/host/test_directories.py::test_whose_a_kept_home_was_is_noted_and_not_guessed",
    ),
    Broken(
        "removal: a moved directory leads elsewhere",
        WALKING,
        "if identity(self.fd) != self._way[-1]:",
        "if False:",
        "unit/host/test_directories.py::test_a_directory_that_is_moved_while_it_is_handed_over_leads_nowhere",
    ),
    Broken(
        "moving: a file whose name is taken is dropped",
        MOVING,
        "                if not _same(self._at.fd, name, found, parent, free, there):\n                    continue\n",
        "                pass\n",
        "unit/host/test_moving.py::test_directories_are_merged_and_nothing_is_overwritten[rename]",
    ),
    Broken(
        "moving: a file of somebody else changes its owner",
        MOVING,
        "return found.st_nlink > 1 and",
        "return False and",
        "unit/host/test_moving.py::test_a_file_with_a_name_elsewhere_is_copied[rename]",
    ),
    Broken(
        "moving: half a copy of a killed run stays",
        MOVING,
        "            self._clear(new)\n",
        "",
        "unit/host/test_moving.py::test_what_a_killed_copy_left_is_finished[rename]",
    ),
    Broken(
        "moving: the user can exchange files meanwhile",
        MOVING,
        "                close_home(*os.path.split(path))\n",
        "                pass\n",
        "unit/host/test_moving.py::test_it_is_closed_while_it_is_moved_and_sessions_end_first[rename]",
    ),
    Broken(
        "one home: a password opens the account of a user of FTPS only",
        SSH_CLASSES,
        '    "PasswordAuthentication",\n',
        "",
        "unit/ssh/test_shut_class.py::test_the_class_stands_first_and_switches_off_every_method",
    ),
    Broken(
        "one home: who no longer uses SFTP keeps the password",
        SFTP_PLAN,
        "TakePasswords((*changes.remove, *sorted(changes.close)))",
        "TakePasswords(tuple(changes.remove))",
        "unit/sftp/test_shut.py::test_who_no_longer_uses_sftp_keeps_the_account_and_loses_what_opens_it",
    ),
    Broken(
        "one home: an account can log in before its credentials are stored",
        f"{LIBRARY}/_sftp/class_changes.py",
        "if stored.is_shut(name) or (not new",
        "if (not new",
        "unit/sftp/test_shut.py::test_sftp_comes_last_for_an_account_that_has_none",
    ),
    Broken(
        "one home: a module of SFTP takes the account of a user of FTPS",
        f"{LIBRARY}/_manage/beside.py",
        "other: has_other}",
        "other: False}",
        "unit/manage/test_beside.py::test_the_other_protocol_stays_as_it_is",
    ),
    Broken(
        "removal: links are followed when a home is handed over",
        DIRECTORIES,
        "os.chown(entry, uid, gid, dir_fd=fd, follow_symlinks=False)",
        "os.chown(entry, uid, gid, dir_fd=fd)",
        "unit/host/test_directories.py::test_a_kept_home_is_closed_and_comes_back_whole",
    ),
    Broken(
        "sessions: processes are asked instead of ended",
        PROCESSES,
        "(held, signal.SIGKILL)",
        "(held, signal.SIGTERM)",
        "unit/ftps/test_sessions.py::test_the_sessions_of_one_user_end_and_nobody_elses",
    ),
    Broken(
        "sessions: whoever has the number by now is hit",
        PROCESSES,
        "            if not is_running(process):\n                return\n",
        "",
        "unit/host/test_sessions.py::test_a_number_that_somebody_else_has_by_now_is_not_hit",
    ),
    Broken(
        "sessions: other programs in the home end too",
        SESSIONS,
        'if one.name == "vsftpd"]',
        "if one.name]",
        "unit/ftps/test_sessions.py::test_the_sessions_of_one_user_end_and_nobody_elses",
    ),
    Broken(
        "sessions: FTPS's go on",
        FTPS_APPLY,
        "    warnings = end_ftps_sessions(mine)\n",
        "    warnings: list[str] = []\n",
        "unit/ftps/test_apply.py::test_whoever_is_locked_removed_or_given_another_password_is_ended",
    ),
    Broken(
        "sessions: an FTPS log-in that is being checked gets in",
        SESSIONS,
        "    deadline = time.monotonic() + seconds\n",
        "    checking, deadline = [], time.monotonic() + seconds\n",
        "unit/ftps/test_sessions.py::test_a_log_in_that_is_being_checked_ends_when_its_session_begins",
    ),
    Broken(
        "sessions: an FTPS log-in behind inetd that is being checked gets in",
        SESSIONS,
        "(one.parent in pids or _serves_one(one))",
        "one.parent in pids",
        "unit/ftps/test_sessions.py::test_a_log_in_that_is_being_checked_ends_when_its_session_begins",
    ),
    Broken(
        "sessions: the daemon of FTPS is taken for a connection",
        SESSIONS,
        'not held.intersection(listening_sockets(f"{proc.PROC}/{process.pid}"))',
        "True",
        "unit/ftps/test_sessions.py::test_a_daemon_is_never_taken_for_a_connection",
    ),
    Broken(
        "sessions: an FTPS session on its way into its directory gets there",
        SESSIONS,
        "for one in {*before, *started} if",
        "for one in started if",
        "unit/ftps/test_sessions.py::test_a_session_on_its_way_into_its_directory_ends_too",
    ),
    Broken(
        "sessions: everybody who has not logged in yet is waited for",
        SESSIONS,
        "        and not proc.waits_in(one).startswith(_WAITS_FOR_CHILD)\n",
        "",
        "unit/ftps/test_sessions.py::test_who_waits_for_a_password_is_not_waited_for",
    ),
    Broken(
        "sessions: an SFTP log-in that is being checked gets in",
        HOST_SESSIONS,
        "    old = _log_ins(titles, proc.processes()) if accounts else []\n",
        "    old: list[Process] = []\n",
        "unit/host/test_sessions.py::test_a_log_in_that_sshd_is_checking_ends",
    ),
    Broken(
        "sessions: a number that two accounts share is one user's",
        HOST_SESSIONS,
        "if uid not in shared} - {0}",
        "} - {0}",
        "unit/host/test_sessions.py::test_of_a_shared_user_id_only_what_is_known_to_be_the_users_ends",
    ),
    Broken(
        "sessions: users of containers are ours",
        HOST_SESSIONS,
        "        return not proc.is_contained(process)\n",
        "        return True\n",
        "unit/host/test_sessions.py::test_a_container_has_users_of_its_own",
    ),
    Broken(
        "jail: the home in passwd is the upload directory again",
        ACCOUNTS,
        'NO_HOME = "/nonexistent"',
        'NO_HOME = "/home/sftp"',
        "unit/host/test_accounts.py",
    ),
    Broken(
        "jail: values of a block made by hand are not compared",
        f"{LIBRARY}/_ssh/config.py",
        "if keyword and not _same_value(keyword, setting.value, value):",
        "if False:",
        "unit/ssh/test_config.py::test_a_jail_with_other_values_is_not_taken_over",
    ),
    Broken(
        "jail: rights on the host do not matter",
        ACCOUNTS,
        "privileged = sorted(PRIVILEGED_GROUPS.intersection(groups))",
        "privileged: list[str] = []",
        "unit/host/test_accounts.py::test_an_account_with_rights_is_nobodys_sftp_user",
    ),
    Broken(
        "jail: preflight passes over who has rights and is to go",
        f"{LIBRARY}/_preflight/sshd.py",
        "if why and (touched is None or name in touched):",
        "if why and name in names:",
        "unit/preflight/test_sshd.py::test_an_administrator_who_is_to_go_is_found",
    ),
    Broken(
        "jail: a purge removes who has rights",
        SFTP_REFUSALS,
        "& inside if not rules.purge else inside",
        "& inside",
        "unit/sftp/test_apply.py::test_an_administrator_in_the_group_is_left_alone",
    ),
    Broken(
        "jail: passwd --lock is no lock, even of who has no key",
        SFTP_LOCKS,
        "return state.full or (bool(state.mark) and not has_keys)",
        "return state.full",
        "unit/sftp/test_state.py",
    ),
    Broken(
        "jail: our lock is shown as an expiry",
        SFTP_LOCKS,
        '(parts.group("day") or "") if full else expires)',
        'parts.group("day") or expires)',
        "unit/sftp/test_state.py",
    ),
    Broken(
        "transaction: half a user after a failure behind the rename",
        TRANSACTION,
        "is_done = self._is_done(before)",
        "is_done = False",
        "unit/manage/test_manager.py::test_a_failure_behind_the_rename_leaves_no_half_user",
    ),
    Broken(
        "transaction: a flush that fails goes unsaid",
        FTPS_APPLY,
        "    if change.undurable is not None:\n        raise change.undurable\n",
        "",
        "unit/manage/test_manager.py::test_a_failure_behind_the_rename_leaves_no_half_user",
    ),
    Broken(
        "transaction: accounts are not flushed",
        SFTP_APPLY,
        "        flush_accounts(plan.stored.etc)\n",
        "",
        "unit/sftp/test_apply.py::test_what_is_done_is_flushed_behind_the_last_step",
    ),
    Broken(
        "transaction: directories that are made are not flushed",
        DIRECTORIES,
        "            _flush(fd, changed, root)\n",
        "            pass\n",
        "unit/host/test_directories.py::test_homes_that_are_made_are_flushed_as_they_are_to_be",
    ),
    Broken(
        "transaction: what failed is not taken back",
        TRANSACTION,
        "self._undo(before, [path for plan in plans.values() for path in plan.new_directories])",
        "pass",
        "unit/manage/test_manager.py::test_a_half_that_fails_takes_the_other_one_back",
    ),
    Broken(
        "transaction: a module does not take back what failed",
        TRANSACTION,
        "backend.restore(before[backend.protocol])",
        "pass",
        "unit/manage/test_manager.py::test_a_module_that_fails_takes_back_what_it_did",
    ),
    Broken(
        "transaction: no journal",
        TRANSACTION,
        "        self._remember([*users, *purged], before)\n",
        "",
        "unit/manage/test_manager.py::test_a_module_that_was_killed_is_finished_by_the_command",
    ),
    Broken(
        "transaction: the journal is gone before the change",
        TRANSACTION,
        "        self._remember([*users, *purged], before)\n",
        "        self._remember([*users, *purged], before)\n        os.unlink(self._path or '')\n",
        "unit/manage/test_manager.py::test_a_change_that_was_killed_is_finished_by_the_next_one",
    ),
    Broken(
        "transaction: a refused change stays in the journal",
        JOURNAL,
        "                os.unlink(path)\n            except",
        "                pass\n            except",
        "unit/manage/test_manager.py::test_what_was_refused_is_not_done_by_the_next_change",
    ),
    Broken(
        "rights: an FTPS user who uploads only may change the umask",
        f"{LIBRARY}/_ftps/personal.py",
        '"REST", "SITE")',
        '"REST")',
        "unit/ftps/test_personal.py::test_each_right_is_the_options_that_enforce_it",
    ),
    Broken(
        "rights: more rights come before the new password",
        f"{LIBRARY}/_sftp/class_changes.py",
        " if name not in self.widened}",
        "}",
        "unit/sftp/test_apply.py::test_a_killed_change_never_leaves_more_rights_than_before_or_after",
    ),
    Broken(
        "rights: the class of a user is left before the next one is joined",
        f"{LIBRARY}/_sftp/class_changes.py",
        "        if joining:\n",
        "        if False:\n",
        "unit/sftp/test_rights.py::test_from_one_class_to_another_there_is_no_moment_without_either",
    ),
    Broken(
        "transaction: passwords in the journal",
        TRANSACTION,
        "        users = self._without_passwords(users, reading)\n",
        "",
        "unit/manage/test_manager.py::test_a_module_that_was_killed_is_finished_by_the_command",
    ),
    Broken(
        "transaction: modules wait for nobody",
        BY_MODULE,
        "transaction.alone() as warnings",
        "__import__('contextlib').nullcontext([]) as warnings",
        "unit/manage/test_manager.py::test_a_module_waits_for_the_change_before_it_and_finishes_a_killed_one",
    ),
    Broken(
        "transaction: a repair waits for nobody",
        REPAIR,
        "with Transaction([], reopen, journal.PATH).alone(mend) as warnings:",
        "with __import__('contextlib').nullcontext(mend() or []) as warnings:",
        "unit/manage/test_repair.py::test_while_somebody_changes_users_nothing_is_repaired",
    ),
    Broken(
        "transaction: salvaging waits for nobody",
        BY_MODULE,
        "users_lock() if logged else contextlib.nullcontext()",
        "contextlib.nullcontext()",
        "unit/manage/test_repair.py::test_while_somebody_changes_users_nothing_is_repaired",
    ),
    Broken(
        "transaction: a damaged database makes a killed change be forgotten",
        TRANSACTION,
        "(OSError, NotDurable, DamagedStore)",
        "(OSError, NotDurable)",
        "unit/manage/test_repair.py::test_a_killed_change_is_finished_by_what_repairs_the_database",
    ),
    Broken(
        "transaction: what was killed is left",
        TRANSACTION,
        "            yield self.finish()\n",
        "            yield []\n",
        "unit/manage/test_manager.py::test_a_module_waits_for_the_change_before_it_and_finishes_a_killed_one",
    ),
    Broken(
        "audit: what was done is not logged",
        AUDIT,
        "(log or write)(priority, ",
        "str(",
        "unit/manage/test_audit.py::test_a_change_is_one_line_for_each_result",
    ),
    Broken(
        "guard: the copies count before they are on the disk",
        GUARD,
        "            _flush(copy)\n",
        "",
        "unit/firewall/test_ufw_guard.py::test_everything_is_flushed_before_it_counts",
    ),
    Broken(
        "guard: the next boot knows nothing of the change",
        GUARD,
        "        _enable_boot_unit(root)\n",
        "",
        "unit/firewall/test_ufw_guard.py::test_a_boot_puts_the_files_back_and_leaves_the_rest_to_ufw",
    ),
    Broken(
        "guard: a confirmed change is not on the disk",
        GUARD,
        "            _flush(path)\n            _flush(os.path.dirname(path))\n",
        "            pass\n",
        "unit/firewall/test_ufw_guard.py::test_a_confirmed_change_is_flushed_before_the_copies_are_given_up",
    ),
    Broken("slow: one core", PASSWORDS, "if workers <= 1:", "if True:", bench="verify 2,000 passwords"),
)


def notices(way: Broken, folder: Path) -> tuple[bool, str]:
    """Whether the test or benchmark fails on the broken copy, and what it printed."""
    copy = folder / "ansible_collections/secure_ftp/server"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".venv", ".git", ".work", "__pycache__", ".cache"))
    (copy / ".venv").symlink_to(ROOT / ".venv")
    source = (copy / way.file).read_text()
    if source.count(way.old) != 1:
        raise SystemExit(f"{way.name}: expected {way.old!r} once in {way.file}, found {source.count(way.old)} times")
    (copy / way.file).write_text(source.replace(way.old, way.new))
    environment = {**os.environ, "PYTHONPATH": str(folder), "SECURE_FTP_KILLS": "200"}
    command = [str(PYTHON), "tests/bench/bench.py", "--suite=store"]
    if way.test:
        where = way.test if "/" in way.test.partition("::")[0] else f"reliability/{way.test}"
        command = [str(PYTHON), "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/{where}"]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=600)
    if way.test:
        return done.returncode == 1 and " failed" in done.stdout, done.stdout
    missed = [row for row in done.stdout.splitlines() if row.startswith(f"| {way.bench} ") and "| NO " in row]
    return bool(missed), done.stdout + done.stderr


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="?", default="")
    only, unnoticed = parser.parse_args().only, 0
    for way in WAYS:
        if not way.name.startswith(only):
            continue
        with tempfile.TemporaryDirectory() as folder:
            noticed, output = notices(way, Path(folder))
        unnoticed += not noticed
        print(f"{'noticed' if noticed else 'NOT NOTICED'}: {way.name} ({way.test or way.bench})", flush=True)
        if not noticed:
            print(output[-3000:], file=sys.stderr)
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
