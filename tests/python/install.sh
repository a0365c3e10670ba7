#!/bin/sh
# Installs what the tests need of Python into tests/python/.venv, unless it is there.
set -eu
cd "$(dirname "$0")"
if [ -n "$(find .venv/installed -newer requirements.txt 2>/dev/null)" ]; then
  echo "the packages of tests/python/ are those of its requirements.txt"
  exit
fi
python3 -m venv --clear .venv
.venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt
touch .venv/installed
