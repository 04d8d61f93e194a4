# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the client host does with ftplib, Paramiko and plain sockets: one JSON request in, one JSON answer out.

    echo '{"scenario": "ftps_cycle", "host": ...}' | python3 scenarios.py      # one, and its answer
    python3 scenarios.py SOCKET                                                # one a connection, until stdin ends

Each function is one scenario; it reports what happened and judges nothing. Runs beside ``ftps.py`` and
``ssh.py``; passwords stay out of the process list.
"""

from __future__ import annotations

import contextlib
import ftplib
import hashlib
import io
import json
import os
import select
import signal
import socket
import socketserver
import ssl
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import ftps


def _sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _text(data):
    return data.decode("utf-8", errors="replace")


def _patiently(attempt, seconds=15):
    """Try again while the server says that this address has too many sessions: those just closed end a little later."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except (ftplib.error_temp, ssl.SSLError) as error:
            # Implicit TLS: the refusal comes in the clear, so the handshake fails.
            full = str(error).startswith("421") or "WRONG_VERSION_NUMBER" in str(error)
            if not full or time.monotonic() > deadline:
                raise
        time.sleep(0.3)


def _connect(login):
    return _patiently(lambda: ftps.connect(**login))


# FTPS ----------------------------------------------------------------------------------------------------------


def ftps_cycle(login, passive=True):
    """Upload, list, rename, download, delete: the whole life of one file and one directory."""
    ftp = _connect(login)
    ftp.set_pasv(passive)
    content = b"ftplib\0\xff\r\n" * 500
    seen = {"tls": ftp.sock.version(), "pwd": ftp.pwd()}
    seen["made"] = ftp.mkd("cycle")
    ftp.cwd("cycle")
    ftp.storbinary("STOR one", io.BytesIO(content))
    seen["listed"] = ftp.nlst()
    seen["size_ok"] = ftp.size("one") == len(content)
    ftp.rename("one", "two")
    seen["renamed"] = ftp.nlst()
    received = []
    ftp.retrbinary("RETR two", received.append)
    seen["intact"] = b"".join(received) == content
    long_lines = []
    ftp.retrlines("LIST", long_lines.append)
    seen["long_list"] = long_lines
    ftp.delete("two")
    seen["deleted"] = ftp.nlst()
    ftp.cwd("/")
    ftp.rmd("cycle")
    seen["left"] = ftp.nlst()
    seen.update(passive_ports=ftp.passive_ports, data_peers=ftp.data_peers)
    ftp.quit()
    return seen


def ftps_file(login, path, name):
    """Send the local file ``path``, fetch it back, and say what came back."""
    ftp = _connect(login)
    with open(path, "rb") as file:
        ftp.storbinary("STOR " + name, file, blocksize=1 << 18)
    digest = hashlib.sha256()
    ftp.retrbinary("RETR " + name, digest.update, blocksize=1 << 18)
    ftp.quit()
    return {"sent": _sha256(path), "received": digest.hexdigest(), "passive_ports": ftp.passive_ports}


def ftps_logins_until(host, ca_file, user, password, stop, sessions=2):
    """Log in again and again, ``sessions`` at a time, until the file ``stop`` is there: how often, and refusals."""

    def run(_number):
        logins, refusals = 0, []
        while not os.path.exists(stop):
            answer = ftps_login(host, ca_file, user, password)
            logins += 1
            if not answer["granted"]:
                refusals.append(answer["reply"])
        return logins, refusals

    with ThreadPoolExecutor(sessions) as pool:
        results = list(pool.map(run, range(sessions)))
    return {
        "logins": sum(logins for logins, _refused in results),
        "refusals": sum((refused for _logins, refused in results), []),
    }


def _unhurried(hurry, pause):
    """A callback for each block of a transfer that makes it last until the file ``hurry`` is there."""
    return lambda *_progress: None if os.path.exists(hurry) else time.sleep(pause)


def ftps_unhurried(login, path, name, hurry):
    """Send the local file ``path``, slowly until ``hurry`` is there, then fetch it back; seconds since the epoch."""
    ftp = _connect(login)
    with open(path, "rb") as file:
        ftp.storbinary("STOR " + name, file, blocksize=1 << 17, callback=_unhurried(hurry, 0.4))
    sent_until = time.time()
    digest = hashlib.sha256()
    ftp.retrbinary("RETR " + name, digest.update, blocksize=1 << 18)
    ftp.delete(name)
    ftp.quit()
    return {"sent": _sha256(path), "received": digest.hexdigest(), "sent_until": sent_until}


def ftps_passive(login, rounds):
    """Which passive ports the server picks, and which address it announces."""
    ftp = _connect(login)
    for _turn in range(rounds):
        ftp.nlst()
    address, port = ftp.announced_passive_address()
    ftp.close()
    return {"used": ftp.passive_ports, "address": address, "announced": port}


def ftps_login(host, ca_file, user, password, tls="explicit", port=0):
    """Try to log in, once; ``tls`` is explicit, implicit or none. Nothing but a login is attempted."""

    def connect():
        implicit = tls == "implicit"
        ftp = ftplib.FTP(timeout=20) if tls == "none" else ftps.FtpsClient(ftps.trusting(ca_file), implicit)
        ftp.connect(host, port or (990 if implicit else 21))
        return ftp

    ftp = _patiently(connect)
    try:
        ftp.login(user, password)
        return {"granted": True, "reply": ftp.pwd()}
    except (ftplib.Error, EOFError, OSError) as error:
        return {"granted": False, "reply": str(error)}
    finally:
        ftp.close()


def ftps_logins(host, ca_file, attempts):
    """Try each [user, password, tls], two at a time: a server answers a wrong password late on purpose."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda attempt: ftps_login(host, ca_file, *attempt), attempts))


def _ftps_step(ftp, step):
    verb, path = step[0], step[1]
    if verb == "cwd":
        ftp.cwd(path)
        return ftp.pwd()
    if verb == "get":
        received = []
        ftp.retrbinary("RETR " + path, received.append)
        return _text(b"".join(received))
    if verb == "put":
        return ftp.storbinary("STOR " + path, io.BytesIO(step[2].encode()))
    if verb == "list":
        return sorted(ftp.nlst(path))
    if verb == "rename":
        return ftp.rename(path, step[2])
    if verb == "delete":
        return ftp.delete(path)
    if verb == "raw":
        return ftp.sendcmd(path)
    raise ValueError(verb)


def ftps_steps(login, steps):
    """Do each step from the start directory of one session; report its result or the server's refusal."""
    ftp = _connect(login)
    answers = []
    for step in steps:
        ftp.cwd("/")
        try:
            answers.append({"done": True, "result": _ftps_step(ftp, step)})
        except ftplib.Error as error:
            answers.append({"done": False, "result": str(error)})
    ftp.close()
    return answers


def ftps_clear_data(login):
    """Ask for a listing over an unencrypted data connection, and for one that resumes no session."""
    ftp = _connect(login)
    answers = {}
    try:
        ftp.prot_c()
        answers["clear"] = ftp.nlst()
    except ftplib.Error as error:
        answers["clear"] = str(error)
    ftp.close()
    ftp = _connect(dict(login, reuse=False))
    try:
        answers["no_reuse"] = ftp.nlst()
    except (ftplib.Error, OSError, EOFError) as error:
        answers["no_reuse"] = str(error)
    ftp.close()
    return answers


def _greeting(host, port):
    """What a server says before anything is asked of it; vsftpd refuses in the clear even where TLS comes first."""
    with socket.create_connection((host, port), 5) as connection:
        try:
            return _text(connection.recv(200)) or "(closed)"
        except socket.timeout:
            return "(waits for a TLS handshake)"


def ftps_connections(login, limit):
    """Hold ``limit`` sessions, ask for one more, give one back, ask again."""
    deadline = time.monotonic() + 20
    while True:  # the sessions of earlier tests take a moment to end
        held = []
        try:
            for _turn in range(limit):
                held.append(ftps.connect(**login))
            break
        except (ftplib.Error, EOFError, OSError):
            for ftp in held:
                ftp.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
    answer = {"held": len(held), "extra": _greeting(login["host"], 990 if login["implicit"] else 21)}
    answer["held_work"] = [ftp.pwd() for ftp in held]
    held.pop().quit()
    deadline = time.monotonic() + 10
    while "again" not in answer:
        try:
            ftp = ftps.connect(**login)
            answer["again"] = ftp.pwd()
            ftp.quit()
        except (ftplib.Error, EOFError, OSError) as error:
            if time.monotonic() > deadline:
                answer["again"] = str(error)
            time.sleep(0.2)
    for ftp in held:
        ftp.quit()
    return answer


# SFTP ----------------------------------------------------------------------------------------------------------


def sftp_cycle(login):
    """Upload, list, rename, download, delete with Paramiko."""
    import ssh

    client = ssh.connect(**login)
    sftp = client.open_sftp()
    content = b"paramiko\0\xff\r\n" * 500
    seen = {"pwd": sftp.normalize(".")}
    sftp.mkdir("cycle")
    with sftp.open("cycle/one", "wb") as file:
        file.write(content)
    seen["listed"] = sftp.listdir("cycle")
    seen["size_ok"] = sftp.stat("cycle/one").st_size == len(content)
    sftp.rename("cycle/one", "cycle/two")
    seen["renamed"] = sftp.listdir("cycle")
    with sftp.open("cycle/two", "rb") as file:
        seen["intact"] = file.read() == content
    sftp.remove("cycle/two")
    seen["deleted"] = sftp.listdir("cycle")
    sftp.rmdir("cycle")
    seen["left"] = sftp.listdir(".")
    client.close()
    return seen


def sftp_file(login, path, name):
    """Send the local file ``path``, fetch it back, and say what came back."""
    import ssh

    client = ssh.connect(**login)
    sftp = client.open_sftp()
    sftp.put(path, name)
    sink = path + ".paramiko"
    sftp.get(name, sink)
    client.close()
    return {"sent": _sha256(path), "received": _sha256(sink)}


def sftp_unhurried(login, path, name, hurry):
    """Send the local file ``path``, slowly until ``hurry`` is there, then fetch it back; seconds since the epoch."""
    import ssh

    client = ssh.connect(**login)
    sftp = client.open_sftp()
    with open(path, "rb") as file:
        # Blocks of 32 KiB.
        sftp.putfo(file, name, callback=_unhurried(hurry, 0.1))
    sent_until = time.time()
    digest = hashlib.sha256()
    with sftp.open(name, "rb") as file:
        file.prefetch()
        for block in iter(lambda: file.read(1 << 18), b""):
            digest.update(block)
    sftp.remove(name)
    client.close()
    return {"sent": _sha256(path), "received": digest.hexdigest(), "sent_until": sent_until}


def sftp_login(login):
    """Try to log in, once."""
    import paramiko
    import ssh

    try:
        client = ssh.connect(**login)
    except (paramiko.AuthenticationException, paramiko.BadAuthenticationType) as error:
        return {"granted": False, "reply": str(error)}
    try:
        return {"granted": True, "reply": client.open_sftp().normalize(".")}
    finally:
        client.close()


def _sftp_step(sftp, step):
    verb, path = step[0], step[1]
    if verb == "get":
        with sftp.open(path, "rb") as file:
            return _text(file.read())
    if verb == "put":
        with sftp.open(path, "wb") as file:
            file.write(step[2].encode())
        return "written"
    if verb == "append":
        with sftp.open(path, "ab") as file:
            file.write(step[2].encode())
        return "written"
    if verb == "list":
        return sorted(sftp.listdir(path))
    if verb == "cwd":
        sftp.chdir(path)
        return sftp.getcwd()
    if verb == "hardlink":
        verb, path, step = "extended", "hardlink@openssh.com", [verb, "", path, step[2]]
    if verb == "extended":
        import paramiko.sftp

        return str(sftp._request(paramiko.sftp.CMD_EXTENDED, path, *step[2:]))
    if verb == "utime":
        return sftp.utime(path, (step[2], step[2]))
    actions = {"symlink": sftp.symlink, "rename": sftp.rename, "mkdir": sftp.mkdir, "chmod": sftp.chmod}
    actions.update(delete=sftp.remove, stat=sftp.stat, rmdir=sftp.rmdir, truncate=sftp.truncate)
    return str(actions[verb](*step[1:]))


def sftp_steps(login, steps):
    """Do each step from the start directory of one session; report its result or the server's refusal."""
    import ssh

    client = ssh.connect(**login)
    answers = []
    for step in steps:
        sftp = client.open_sftp()
        try:
            answers.append({"done": True, "result": _sftp_step(sftp, step)})
        except OSError as error:
            answers.append({"done": False, "result": str(error)})
        finally:
            sftp.close()
    client.close()
    return answers


def ssh_powers(login, listening_port, socket_path, new_socket_path):
    """Ask for everything SSH offers beyond SFTP."""
    import ssh

    return ssh.powers(login, listening_port, socket_path, new_socket_path)


# Both ----------------------------------------------------------------------------------------------------------


def hold(folder, name, protocol, login):
    """Hold a session open until it ends or the file ``stop`` is there; files named after it tell that. No answer."""
    os.chdir(folder)
    try:
        alive = _session(protocol, login)
    except Exception:
        with open(name + ".log", "w") as log:
            traceback.print_exc(file=log)
        open(name + ".refused", "w").close()
        os._exit(0)
    open(name + ".open", "w").close()
    try:
        while not os.path.exists("stop"):
            alive()
            time.sleep(0.2)
    except Exception:
        open(name + ".ended", "w").close()
    os._exit(0)


def _session(protocol, login):
    """Log in; return what asks the server for something, and fails when the session has ended."""
    if protocol == "ftps":
        return ftps.connect(**login, timeout=60).pwd
    import ssh

    client = ssh.connect(**login, timeout=60)
    sftp = client.open_sftp()
    return lambda: (client, sftp.stat("."))


# The network -----------------------------------------------------------------------------------------------------


def ports(host, numbers, timeout=2):
    """Which TCP ports answer: "open", "refused" or "silent"."""

    def answer(number):
        try:
            socket.create_connection((host, number), timeout).close()
            return "open"
        except ConnectionRefusedError:
            return "refused"
        except OSError:
            return "silent"

    with ThreadPoolExecutor(16) as pool:
        return dict(zip(map(str, numbers), pool.map(answer, numbers)))


def banner(host, port=22, timeout=45):
    """Wait until a server greets; an SSH server that has penalised this address does so later."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            with socket.create_connection((host, port), 5) as connection:
                greeting = _text(connection.recv(100))
        except OSError as error:
            greeting = f"({error})"
        if greeting.startswith("SSH-") or time.monotonic() > deadline:
            return greeting
        time.sleep(1)


def certificate(host, ca_file, port=990, implicit=True):
    """The certificate a verified handshake shows."""
    ftp = ftps.FtpsClient(ftps.trusting(ca_file), implicit=implicit)
    ftp.connect(host, port)
    if not implicit:
        ftp.auth()
    try:
        return {"certificate": ftp.sock.getpeercert(), "tls": ftp.sock.version(), "cipher": ftp.sock.cipher()}
    finally:
        ftp.close()


def answer(request):
    """Run one scenario: {"answer": ...}, or {"error": ...} where a server or the network has refused something."""
    scenario = globals()[request.pop("scenario")]
    try:
        return {"answer": scenario(**request)}
    except (ftplib.Error, ssl.SSLError, OSError, EOFError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


class _Caller(socketserver.StreamRequestHandler):
    """Answers one request, in a process of its own."""

    def handle(self):
        try:
            answered = answer(json.load(self.rfile))
        except Exception:
            answered = {"crash": traceback.format_exc()}
        self.wfile.write(json.dumps(answered).encode())


class _Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    """Forks for each request: what Python and Paramiko import, which takes longer than most scenarios, is there."""

    max_children = 200
    request_queue_size = 200

    def service_actions(self):
        super().service_actions()
        if select.select([sys.stdin], [], [], 0)[0]:  # whoever started this is gone
            os.killpg(0, signal.SIGKILL)  # with every request that still waits for something


def serve(path):
    """Answer requests at the socket ``path`` until standard input ends."""
    import ssh  # noqa: F401  # pylint: disable=unused-import

    os.setpgrp()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with _Server(path, _Caller) as server:
        print("ready", flush=True)
        server.serve_forever(poll_interval=2)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(sys.argv[1])
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
    sys.stdout.flush()
    # A thread of Paramiko that outlives its connection crashes the interpreter when it is taken down: seen once in
    # thousands of runs as "malloc_consolidate(): unaligned fastbin chunk detected".
    os._exit(0)
