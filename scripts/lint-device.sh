#!/bin/sh
# lint-device.sh   type-check device/ with pyright against MicroPython's stubs; any error fails.
#
# The stubs stand for the standard library there, so they must not be on the path of anything else: they go to
# device/typings (ignored by git), at the versions and hashes of requirements-dev.lock. Without a network they are
# taken from what is there already.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}
TYPINGS=device/typings

pins=$(mktemp)
trap 'rm -f "$pins"' EXIT
awk '/^[^ #]/ { take = /^micropython-(esp32|stdlib)-stubs==/ } take' requirements-dev.lock > "$pins"
[ "$(grep -c '==' "$pins")" -eq 2 ] || { echo "lint-device: requirements-dev.lock lacks the stubs" >&2; exit 1; }

if ! cmp -s "$pins" "$TYPINGS/.pins"; then
    rm -rf "$TYPINGS"
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
        --target "$TYPINGS" -r "$pins"
    cp "$pins" "$TYPINGS/.pins"
fi
exec "$PYTHON" -m pyright --project device/pyrightconfig.json "$@"
