#!/bin/sh
# python, python3, pip and the like inside a job of Launchway: the same interpreter as outside, in
# an environment of the job's own, so that nothing is installed into the machine's Python.
own_folder=@OWN@
name=${0##*/}
set -f

# The first program $1 on PATH that is not of the job's own. (A shell that remembers where it found
# this one comes here again when the environment is there.)
find_program() {
    IFS=:
    for folder in $PATH; do
        case $folder in "$own_folder/shims" | "$own_folder/python/bin") continue ;; esac
        case $LAUNCHWAY_BEHIND in *":$folder/$1:"*) continue ;; esac
        if [ -f "$folder/$1" ] && [ -x "$folder/$1" ]; then
            unset IFS
            found=$folder/$1
            return 0
        fi
    done
    unset IFS
    return 1
}

if ! find_program "$name"; then
    echo "$name: command not found" >&2
    exit 127
fi
program=$found
# A version manager that was asked which interpreter it means looks on PATH itself, and comes here:
# it means one behind its own.
if [ -n "$LAUNCHWAY_BEHIND" ]; then
    export LAUNCHWAY_BEHIND="$LAUNCHWAY_BEHIND$program:"
    exec "$program" "$@"
fi
case $name in
pip*)
    # The interpreter that this pip belongs to: its first line says so, or it lies beside it.
    beside=${program%/*}/python${name#pip}
    IFS= read -r line 2>/dev/null <"$program"
    case $line in
    '#!'*/python*) interpreter=${line#'#!'} interpreter=${interpreter%% *} ;;
    *) interpreter=$beside ;;
    esac
    if [ ! -x "$interpreter" ]; then
        find_program python3 || find_program python || exec "$program" "$@"
        interpreter=$found
    fi
    ;;
*) interpreter=$program ;;
esac

own=$(LAUNCHWAY_BEHIND=":$interpreter:" "$interpreter" -I "$own_folder/environment.py" "$own_folder" "$name")
code=$?
case $code in
0) ;;
# An interpreter from before 3.4 does not know the option, and is left alone.
2) LAUNCHWAY_BEHIND=":$program:" exec "$program" "$@" ;;
*) exit $code ;;
esac
case $name in
pip*) set -- -m pip "$@" ;;
esac
case $own in
"$own_folder"/python/*) exec "$own" "$@" ;;
esac

# A second interpreter: what it brings is found beside what the first one brought.
"$own" "$@"
code=$?
set +f
mkdir -p "$own_folder/python/bin"
for program in "${own%/*}"/*; do
    case ${program##*/} in
    python* | activate* | Activate*) ;;
    *) [ -e "$own_folder/python/bin/${program##*/}" ] || ln -s "$program" "$own_folder/python/bin/" ;;
    esac
done
exit $code
