# mmdebstrap's customize hook: installs what is asked for, and copies out the index that apt went by.
# $1 is the new root; $SEALWRIGHT_BOOTSTRAP a folder with the file `depends`, one relation field a line.
# What names the place of this archive goes: it is no part of what was asked for.
set -eu
while IFS= read -r line; do
    APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get satisfy --yes --no-install-recommends \
        -o DPkg::Chroot-Directory="$1" -- "$line"
done < "$SEALWRIGHT_BOOTSTRAP/depends"
for index in "$1"/var/lib/apt/lists/*_InRelease; do
    cp -- "$index" "$SEALWRIGHT_BOOTSTRAP/InRelease.apt"
done
: > "$1/etc/apt/sources.list"
