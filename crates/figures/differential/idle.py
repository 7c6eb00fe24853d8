"""How long a server takes to start, and what memory it holds when nothing happens, with histories of
different lengths.

    python3 idle.py LAUNCHWAY FILL EVENTS...
    python3 idle.py --postgresql LAUNCHWAY FILL EVENTS...

The journal is a file, or in a PostgreSQL that is started for it, as Debian packages it. FILL makes a journal of so many events. The server is started on it twice: first it counts what is
past, beside everything else; the second start is one of any day. Memory is what is the process's own
(RssAnon) and all that is resident (VmRSS), read when nothing is left to count. Figures are printed;
memory that grows with the history is a fault.
"""

import contextlib
import glob
import json
import os
import pwd
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

# Of the goal: 50 MiB, whatever is past.
RESIDENT_MIB_MAX = 50


def start(launchway, data, *more):
    began = time.monotonic()
    server = subprocess.Popen(
        [launchway, "serve", "--data", data, "--listen", "127.0.0.1:0", *more],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
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


def schema(place, name):
    """The address of a new schema."""
    psql = ["psql", "-Xq", "-h", place, "-U", "launchway", "-d", "postgres"]
    subprocess.run([*psql, "-c", f"CREATE SCHEMA {name}"], check=True)
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
            data = os.path.join(folder, "data")
            if place:
                # The folder remembers its database.
                url = schema(place, f"events{count}")
                stop(start(launchway, data, "--database", url)[0])
            subprocess.run([fill, data, count], check=True)
            made = subprocess.run([launchway, "tokens", "create", "idle", "--data", data],
                                  capture_output=True, text=True, check=True)
            token = made.stdout.strip()
            server, url, first = start(launchway, data)
            began = time.monotonic()
            while behind(url, token) > 0:
                time.sleep(0.5)
            counted = time.monotonic() - began
            after = memory(server.pid)
            stop(server)
            server, url, second = start(launchway, data)
            behind(url, token)
            time.sleep(3)
            idle = memory(server.pid)
            stop(server)
            worst = max(worst, idle[1])
            print(f"{int(count):>9} events in {'PostgreSQL' if place else 'SQLite'}: start {first * 1000:.0f} ms the first time, "
                  f"{second * 1000:.0f} ms later; counted in {counted:.1f} s, then {after[0]:.1f} MiB own, "
                  f"{after[1]:.1f} resident; idle {idle[0]:.1f} MiB own, {idle[1]:.1f} resident", flush=True)
    if worst > RESIDENT_MIB_MAX:
        sys.exit(f"{worst:.1f} MiB are resident, {RESIDENT_MIB_MAX} at most are meant to be")


main()
