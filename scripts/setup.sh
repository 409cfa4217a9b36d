#!/bin/sh
# Makes .venv with Python 3.10 and everything that requirements.txt pins; instant when it is up to date.
# Needs a POSIX shell, and either any Python 3.8+ with pip or venv, or uv. As root on Debian or Ubuntu it
# installs the missing part itself.
set -eu

cd "$(dirname "$0")/.."
ROOT=$(pwd)
VENV=$ROOT/.venv
TOOLS=$ROOT/.uv
STAMP=$VENV/.attune-stamp
LOCK=$ROOT/.setup-lock
PYTHON=$VENV/bin/python
unset PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH || true

say() { printf '%s\n' "setup: $*" >&2; }
die() { say "$*"; exit 1; }

wanted() { cat requirements.txt pyproject.toml scripts/setup.sh | cksum; }
is_python310() {
    "$1" -c 'import sys, ssl, sqlite3, ctypes; sys.exit(sys.version_info[:2] != (3, 10))' >/dev/null 2>&1
}
is_current() {
    [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$(wanted)" ] && [ -x "$PYTHON" ] && is_python310 "$PYTHON"
}

take_lock() {
    said=
    until mkdir "$LOCK" 2>/dev/null; do
        owner=$(cat "$LOCK/pid" 2>/dev/null || true)
        if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then
            say "clearing the lock of process $owner, which has ended"
            rm -rf "$LOCK"
            continue
        fi
        [ -n "$said" ] || say "waiting for process ${owner:-?}, which is setting up (or remove $LOCK)"
        said=yes
        sleep 1
    done
    echo $$ > "$LOCK/pid"
    trap 'rm -rf "$LOCK"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

can_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }
apt_install() {
    say "installing $* with apt-get"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } >&2
}

# Prints a Python that can run pip or venv, newest first; pyenv's shims may be there and still fail.
some_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 python3.8 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.[89].*/bin/python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[0-9].*/bin/python; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1; then
            echo "$name"
            return 0
        fi
    done
    return 1
}

uv_into_tools() {
    "$1" -m venv "$TOOLS" >/dev/null 2>&1 && "$TOOLS/bin/python" -m pip install -qq uv >&2 && return 0
    rm -rf "$TOOLS"
    "$1" -m pip install -qq --target "$TOOLS" uv >&2 2>/dev/null
}

find_uv() {
    for candidate in uv "$TOOLS/bin/uv"; do
        if "$candidate" --version >/dev/null 2>&1; then
            UV=$candidate
            return 0
        fi
    done
    return 1
}

get_uv() {
    find_uv && return 0
    say "fetching uv, which installs the packages, into .uv"
    base=$(some_python || true)
    if [ -z "$base" ] && can_apt; then
        apt_install python3 python3-venv
        base=$(some_python || true)
    fi
    [ -n "$base" ] || die "no Python 3 found; install one (Debian, Ubuntu: sudo apt-get install python3 python3-venv)"
    uv_into_tools "$base" || {
        can_apt && apt_install python3-venv && uv_into_tools "$base"
    } || return 1
    find_uv
}

# Prints a Python 3.10 that really runs.
find_python310() {
    for candidate in python3.10 python3 python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.10*/bin/python /opt/*/bin/python3.10 /usr/local/bin/python3.10; do
        if is_python310 "$candidate"; then
            command -v "$candidate"
            return 0
        fi
    done
    [ -z "${UV:-}" ] || "$UV" python find --no-project 3.10 2>/dev/null
}

make_venv() {
    if [ -x "$PYTHON" ] && is_python310 "$PYTHON"; then
        return 0
    fi
    base=$(find_python310 || true)
    if [ -z "$base" ] && [ -n "${UV:-}" ]; then
        say "no Python 3.10 here, fetching one with uv"
        "$UV" python install 3.10 >&2 && base=$("$UV" python find --no-project 3.10 || true)
    fi
    if [ -z "$base" ]; then
        die "no Python 3.10 that runs, and none could be fetched. Install it (pyenv install 3.10, or your" \
            "system's python3.10 and python3.10-venv packages) and run this again"
    fi
    say "making .venv with $base"
    rm -rf "$VENV"
    if [ -n "${UV:-}" ]; then
        "$UV" venv --quiet --python "$base" "$VENV" >&2
    else
        "$base" -m venv "$VENV" >&2
    fi
}

install_pins() {
    say "installing the packages of requirements.txt (several GB; an interrupted run goes on where it was)"
    if [ -n "${UV:-}" ]; then
        "$UV" pip install --python "$PYTHON" --require-hashes -r requirements.txt >&2
    else
        "$PYTHON" -m pip install --require-hashes --no-deps -r requirements.txt >&2
    fi
}

# Adds the `attune` command; setuptools is among the pins, so nothing is fetched.
install_project() {
    if [ -n "${UV:-}" ]; then
        "$UV" pip install --quiet --python "$PYTHON" --offline --no-deps --no-build-isolation \
            --config-setting editable_mode=compat --editable . >&2
    else
        "$PYTHON" -m pip install --quiet --no-index --no-deps --no-build-isolation \
            --config-settings editable_mode=compat --editable . >&2
    fi
}

# Compiled files for what a start imports; otherwise the first start takes 15 seconds longer.
compile_imports() {
    say "compiling what a start imports"
    TF_CPP_MIN_LOG_LEVEL=3 SQLALCHEMY_SILENCE_UBER_WARNING=1 "$PYTHON" -W ignore scripts/warm_imports.py >&2 || true
}

main() {
    is_current && exit 0
    take_lock
    is_current && exit 0
    rm -f "$STAMP"
    get_uv || say "uv could not be fetched, going on with pip, which takes longer"
    make_venv
    install_pins
    install_project
    compile_imports
    wanted > "$STAMP"
    say "ready: .venv/bin/attune"
}

main "$@"
