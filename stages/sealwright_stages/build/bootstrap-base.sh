# mmdebstrap's setup hook for a component's root: unpacks the suite's base root into it.
# $1 is the new root; $SEALWRIGHT_BASE the base root's tar. The base names no archive, so mmdebstrap's own list stays;
# devices are not unpacked, since mmdebstrap makes its own, and an ordinary user could not.
set -eu
mv -- "$1/etc/apt/sources.list" "$SEALWRIGHT_BOOTSTRAP/sources.list"
tar --extract --file "$SEALWRIGHT_BASE" --directory "$1" --numeric-owner --anchored --exclude='./dev/*'
mv -- "$SEALWRIGHT_BOOTSTRAP/sources.list" "$1/etc/apt/sources.list"
