#!/bin/sh
# Greets in the language that is asked for.
case "$1" in
  de) echo "Guten Tag, $2!" ;;
  fr) echo "Bonjour, $2 !" ;;
  *)  echo "Hello, $2!" ;;
esac
