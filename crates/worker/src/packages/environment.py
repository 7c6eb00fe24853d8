"""Makes the environment of a job for the interpreter that runs this, and says what to run instead.

Two arguments: the job's folder, and the name that was called. The first interpreter of a job gets
the folder `python`, others get one each. The environments are what `python -m venv` makes, with the
machine's packages in sight and without a pip of their own: made in a moment.
"""

import os
import shutil
import sys
import tempfile

KEY = "launchway-interpreter = "


def is_for(folder, place):
    try:
        with open(os.path.join(folder, "pyvenv.cfg")) as file:
            return any(line.rstrip("\n") == KEY + place for line in file)
    except OSError:
        return False


def packages(folder):
    version = "python%d.%d" % sys.version_info[:2]
    return os.path.join(folder, "lib", version, "site-packages")


def make(folder, base, place):
    os.makedirs(packages(folder))
    os.mkdir(os.path.join(folder, "bin"))
    with open(os.path.join(folder, "pyvenv.cfg"), "w") as file:
        file.write("home = %s\n" % os.path.dirname(base))
        file.write("include-system-site-packages = true\n")
        file.write("version = %d.%d.%d\n" % sys.version_info[:3])
        file.write(KEY + place + "\n")
    # An interpreter that lies in an environment itself: what that one has is in sight as well.
    if sys.prefix != sys.base_prefix:
        with open(os.path.join(packages(folder), "launchway.pth"), "w") as file:
            file.write(packages(sys.prefix) + "\n")


def link(target, name):
    try:
        os.symlink(target, name)
    except FileExistsError:
        pass


def main():
    job, name = sys.argv[1:]
    if os.path.dirname(sys.prefix) == job:
        # Called by the full name of what this made.
        print(sys.executable)
        return
    base = getattr(sys, "_base_executable", None) or os.path.realpath(sys.executable)
    # Not the program's name: python, python3 and python3.11 are one.
    place = "%d.%d %s %s" % (sys.version_info[0], sys.version_info[1], sys.prefix, sys.base_prefix)
    first = os.path.join(job, "python")
    folder = first
    if os.path.exists(first) and not is_for(first, place):
        folder = first + "%d.%d" % sys.version_info[:2] + sys.prefix.replace(os.sep, "-")
    if not is_for(folder, place):
        scratch = tempfile.mkdtemp(prefix=".python-", dir=job)
        os.chmod(scratch, 0o755)
        make(scratch, base, place)
        try:
            os.rename(scratch, folder)
        except OSError:
            # Another process of the job was quicker.
            shutil.rmtree(scratch)
            if not is_for(folder, place):
                raise
    programs = os.path.join(folder, "bin")
    own = os.path.join(programs, "python%d.%d" % sys.version_info[:2])
    link(base, own)
    if name.startswith("python"):
        link(base, os.path.join(programs, name))
    print(own)


main()
