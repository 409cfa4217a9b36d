#!/bin/sh
# Renews requirements.txt from pyproject.toml: exact versions with hashes, and no index or host in it.
# UPGRADE=1 also moves pins to newer releases; otherwise only what pyproject.toml forces moves.
set -eu

cd "$(dirname "$0")/.."
UV=uv
"$UV" --version >/dev/null 2>&1 || UV=.uv/bin/uv
"$UV" --version >/dev/null 2>&1 || { echo "lock: uv is missing; run 'make setup' first" >&2; exit 1; }

NEW=$(mktemp)
trap 'rm -f "$NEW" "$NEW.plain"' EXIT
[ -n "${UPGRADE:-}" ] || cp requirements.txt "$NEW"
"$UV" pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header \
    --no-annotate --extra train --extra dev pyproject.toml -o "$NEW" >/dev/null

# The list of systems in [tool.uv] comes back as a marker on every line. Where it is all that a marker
# says, it says nothing.
EVERYWHERE=$(sed -n 's/^[^ ]*==[^ ]* ; \(.*\) \\$/\1/p' "$NEW" | sort | uniq -c | sort -rn | sed -n '1s/^ *[0-9]* //p')
awk -v everywhere=" ; $EVERYWHERE" '
    length(everywhere) > 3 && (at = index($0, everywhere " \\")) && at + length(everywhere) + 1 == length($0) {
        $0 = substr($0, 1, at - 1) " \\"
    }
    { print }
' "$NEW" > "$NEW.plain"

if grep -nE '^(--|-i|-f)|://' "$NEW.plain" >&2; then
    echo "lock: the lines above name an index or a host; requirements.txt is unchanged" >&2
    exit 1
fi
cat "$NEW.plain" > requirements.txt
echo "lock: requirements.txt has $(grep -c '==' requirements.txt) packages" >&2
