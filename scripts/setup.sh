#!/bin/sh
# Set up all that the project needs: missing Debian packages (named at once, through sudo where not root) and .venv
# from the hashed lock. Does nothing where all is there.
set -eu
cd "$(dirname "$0")/.."
missing=""
for pair in "$@"; do
    program=${pair%%=*}
    package=${pair#*=}
    case "$program" in
        /*) [ -e "$program" ] || missing="$missing $package" ;;
        *) command -v "$program" >/dev/null 2>&1 || missing="$missing $package" ;;
    esac
done
/usr/bin/python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
# Not by ldconfig: an ordinary user's PATH does not have it.
/usr/bin/python3 -c 'import ctypes; ctypes.CDLL("libseccomp.so.2")' 2>/dev/null || missing="$missing libseccomp2"
# An ordinary user's build roots are made with a range of subordinate uids; root needs none.
[ "$(id -u)" -eq 0 ] || command -v newuidmap >/dev/null 2>&1 || missing="$missing uidmap"
if [ -n "$missing" ]; then
    echo "installing Debian packages:$missing" >&2
    as_root=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "error: packages are missing:$missing
because: you are not root, and sudo is not there
next: have them installed, then run this again" >&2; exit 3; }
        as_root=sudo
    fi
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2
    # shellcheck disable=SC2086 # a list of package names
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
fi
stamp=.venv/.lock.sha256
if [ ! -e "$stamp" ] || ! sha256sum --check --status "$stamp"; then
    rm -rf .venv
    /usr/bin/python3 -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
    .venv/bin/python -m compileall -q console stages keyring
    sha256sum requirements.lock pyproject.toml > "$stamp"
fi
