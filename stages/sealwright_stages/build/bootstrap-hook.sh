# mmdebstrap's customize hook: installs what is asked for, and copies out the index that apt went by.
# $1 is the new root; $SEALWRIGHT_BOOTSTRAP a folder with the file `depends`, one relation field a line, and in `state`
# the apt that planned it, which installs just that.
# What names the place of this archive goes: it is no part of what was asked for. So does what mmdebstrap copies from
# this machine, its nameservers and its name: another machine's root would be another one. Tests look for localhost.
set -eu
state="$SEALWRIGHT_BOOTSTRAP/state"
while IFS= read -r line; do
    APT_CONFIG="$state/apt.conf" apt-get satisfy --yes --no-install-recommends \
        -o Dir::State::status="$1/var/lib/dpkg/status" \
        -o Dir::State::extended_states="$1/var/lib/apt/extended_states" \
        -o Dir::Cache::archives="$1/var/cache/apt/archives" \
        -o Dir::Log="$1/var/log/apt" \
        -o DPkg::Chroot-Directory="$1" -- "$line"
    rm -f -- "$1"/var/cache/apt/archives/*.deb
    set -- "$1" "$state"
done < "$SEALWRIGHT_BOOTSTRAP/depends"
for index in "${2:-$1}"/var/lib/apt/lists/*_InRelease; do
    cp -- "$index" "$SEALWRIGHT_BOOTSTRAP/InRelease.apt"
done
: > "$1/etc/apt/sources.list"
rm -f -- "$1/etc/resolv.conf" "$1/etc/hostname" "$1/etc/hosts"
echo build > "$1/etc/hostname"
printf '127.0.0.1 localhost\n::1 localhost\n' > "$1/etc/hosts"
chmod 644 "$1/etc/hostname" "$1/etc/hosts"
