#!/bin/sh
# Every language has its own greeting, and the name is in it.
set -e
greeting=$(sh greet.sh "$1" Ada)
echo "$1: $greeting"
case "$1:$greeting" in
  en:Hello*Ada*|de:Guten*Ada*|fr:Bonjour*Ada*) ;;
  *) echo "::error file=greet.sh::no greeting in $1"; exit 1 ;;
esac
