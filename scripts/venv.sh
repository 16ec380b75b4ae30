#!/bin/sh
# venv.sh PYTHON FOLDER   make the virtual environment FOLDER unless it is there; says what is missing if it cannot.
set -eu
python=$1 folder=$2
[ ! -x "$folder/bin/python" ] || exit 0

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    found=$("$python" --version 2>&1) || found='not there'
    echo "Minerva needs Python 3.11 or newer; $python is $found." >&2
    echo "Name another:  make demo PYTHON=python3.12" >&2
    exit 1
fi
if ! "$python" -m venv "$folder" >&2; then
    rm -rf "$folder"
    echo "The virtual environment could not be made; on Debian and Ubuntu: apt install python3-venv" >&2
    exit 1
fi
