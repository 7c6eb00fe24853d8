"""How long a server takes to start, and what memory it holds when nothing happens, with histories of
different lengths.

    python3 idle.py LAUNCHWAY FILL EVENTS...

FILL makes a journal of so many events. The server is started on it twice: first it counts what is
past, beside everything else; the second start is one of any day. Memory is what is the process's own
(RssAnon) and all that is resident (VmRSS), read when nothing is left to count. Figures are printed;
memory that grows with the history is a fault.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

# Of the goal: 50 MiB, whatever is past.
RESIDENT_MIB_MAX = 50


def start(launchway, data):
    began = time.monotonic()
    server = subprocess.Popen(
        [launchway, "serve", "--data", data, "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    url = server.stdout.readline().split()[1]
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url + "/healthz").read()
    return server, url, time.monotonic() - began


def memory(pid):
    status = open(f"/proc/{pid}/status").read()
    return [int(re.search(name + r":\s+(\d+)", status).group(1)) / 1024 for name in ("RssAnon", "VmRSS")]


def behind(url, token):
    request = urllib.request.Request(
        url + "/api/v1/metrics?since=1h", headers={"Authorization": "Bearer " + token})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return json.load(opener.open(request))["behind_events"]


def main():
    launchway, fill, *counts = sys.argv[1:]
    worst = 0
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            data = os.path.join(folder, "data")
            subprocess.run([fill, data, count], check=True)
            size = os.path.getsize(os.path.join(data, "journal.db")) / (1 << 20)
            made = subprocess.run([launchway, "tokens", "create", "idle", "--data", data],
                                  capture_output=True, text=True, check=True)
            token = made.stdout.strip()
            server, url, first = start(launchway, data)
            began = time.monotonic()
            while behind(url, token) > 0:
                time.sleep(0.5)
            counted = time.monotonic() - began
            after = memory(server.pid)
            server.terminate()
            server.wait()
            server, url, second = start(launchway, data)
            behind(url, token)
            time.sleep(3)
            idle = memory(server.pid)
            server.terminate()
            server.wait()
            worst = max(worst, idle[1])
            print(f"{int(count):>9} events ({size:.0f} MiB): start {first * 1000:.0f} ms the first time, "
                  f"{second * 1000:.0f} ms later; counted in {counted:.1f} s, then {after[0]:.1f} MiB own, "
                  f"{after[1]:.1f} resident; idle {idle[0]:.1f} MiB own, {idle[1]:.1f} resident", flush=True)
    if worst > RESIDENT_MIB_MAX:
        sys.exit(f"{worst:.1f} MiB are resident, {RESIDENT_MIB_MAX} at most are meant to be")


main()
