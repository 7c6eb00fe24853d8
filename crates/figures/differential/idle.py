"""How long a server takes to start, and what memory it holds when nothing happens, with histories of
different lengths.

    python3 idle.py LAUNCHWAY FILL EVENTS...
    python3 idle.py --postgresql LAUNCHWAY FILL EVENTS...

The journal is a file, or in a PostgreSQL that is started for it, as Debian packages it. The server is started on an
empty one, and ended; FILL makes so many events behind its back. Then it is started twice: first it counts what came,
and looks through it for what others are owed, beside everything else; the second start is one of any day. Memory is
what is the process's own (RssAnon) and all that is resident (VmRSS), read when nothing is left to do. Figures are
printed; memory that grows with the history is a fault.
"""

import contextlib
import glob
import json
import os
import pwd
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

# Of the goal: 50 MiB, whatever is past.
RESIDENT_MIB_MAX = 50


def start(launchway, data, *more):
    began = time.monotonic()
    # To a file: one who fills a pipe that nobody reads stands still.
    with open(os.path.join(os.path.dirname(data), "log"), "a") as log:
        server = subprocess.Popen(
            [launchway, "serve", "--data", data, "--listen", "127.0.0.1:0", *more],
            stdout=subprocess.PIPE, stderr=log, text=True)
    url = server.stdout.readline().split()[1]
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url + "/healthz").read()
    return server, url, time.monotonic() - began


def stop(server):
    server.terminate()
    server.wait()


@contextlib.contextmanager
def postgresql():
    """Its socket's folder; a schema for each history. It refuses to run as root."""
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        place = os.path.join(folder, "database")
        os.mkdir(place)
        if user:
            os.chown(place, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        def run(*command):
            command = [os.path.join(programs, command[0]), *command[1:]]
            subprocess.run(command, check=True, user=user, cwd=place, stdout=subprocess.DEVNULL)
        data = os.path.join(place, "data")
        run("initdb", "-D", data, "-U", "launchway", "-A", "trust", "--no-locale", "-E", "UTF8")
        options = f"-k {place} -h ''"
        run("pg_ctl", "-D", data, "-w", "-o", options, "-l", os.path.join(place, "log"), "start")
        try:
            yield place
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")


def ask(place, statement):
    psql = ["psql", "-XqtA", "-h", place, "-U", "launchway", "-d", "postgres", "-c", statement]
    return subprocess.run(psql, check=True, capture_output=True, text=True).stdout.strip()


def schema(place, name):
    """The address of a new schema."""
    ask(place, f"CREATE SCHEMA {name}")
    folder = place.replace("/", "%2F")
    return f"postgres://launchway@/postgres?host={folder}&options=-csearch_path%3D{name}"


def memory(pid):
    status = open(f"/proc/{pid}/status").read()
    return [int(re.search(name + r":\s+(\d+)", status).group(1)) / 1024 for name in ("RssAnon", "VmRSS")]


def behind(url, token):
    request = urllib.request.Request(
        url + "/api/v1/metrics?since=1h", headers={"Authorization": "Bearer " + token})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return json.load(opener.open(request))["behind_events"]


def unread(data, place, name):
    """Events that were not looked through yet for what others are owed."""
    of = f"{name}." if place else ""
    statement = f"SELECT (SELECT max(position) FROM {of}event) - (SELECT min(position) FROM {of}outbox_cursor)"
    if place:
        return int(ask(place, statement))
    with contextlib.closing(sqlite3.connect(os.path.join(data, "journal.db"))) as journal:
        return journal.execute(statement).fetchone()[0]


def until_done(left):
    began = time.monotonic()
    while left() > 0:
        time.sleep(0.5)
    return time.monotonic() - began


def main():
    args = sys.argv[1:]
    if args[0] != "--postgresql":
        return measure(*args)
    with postgresql() as place:
        measure(*args[1:], place=place)


def measure(launchway, fill, *counts, place=None):
    worst = 0
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            data, name = os.path.join(folder, "data"), f"events{count}"
            # The folder remembers its database.
            more = ["--database", schema(place, name)] if place else []
            stop(start(launchway, data, *more)[0])
            subprocess.run([fill, data, count], check=True)
            made = subprocess.run([launchway, "tokens", "create", "idle", "--data", data],
                                  capture_output=True, text=True, check=True)
            token = made.stdout.strip()
            server, url, first = start(launchway, data)
            counted = until_done(lambda: behind(url, token))
            looked = counted + until_done(lambda: unread(data, place, name))
            after = memory(server.pid)
            stop(server)
            server, url, second = start(launchway, data)
            behind(url, token)
            time.sleep(3)
            idle = memory(server.pid)
            stop(server)
            worst = max(worst, idle[1])
            print(f"{int(count):>9} events in {'PostgreSQL' if place else 'SQLite'}: start {first * 1000:.0f} ms the first time, "
                  f"{second * 1000:.0f} ms later; counted in {counted:.1f} s, looked through in {looked:.1f} s, "
                  f"then {after[0]:.1f} MiB own, {after[1]:.1f} resident; "
                  f"idle {idle[0]:.1f} MiB own, {idle[1]:.1f} resident", flush=True)
    if worst > RESIDENT_MIB_MAX:
        sys.exit(f"{worst:.1f} MiB are resident, {RESIDENT_MIB_MAX} at most are meant to be")


main()
