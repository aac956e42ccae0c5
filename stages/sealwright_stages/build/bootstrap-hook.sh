# mmdebstrap's customize hook: installs build dependencies, and copies out the index that apt went by.
# $1 is the new root; $SEALWRIGHT_BOOTSTRAP a folder with the file `depends`, one relation field a line.
set -eu
while IFS= read -r line; do
    chroot "$1" apt-get satisfy --yes --no-install-recommends -- "$line"
done < "$SEALWRIGHT_BOOTSTRAP/depends"
for index in "$1"/var/lib/apt/lists/*_InRelease; do
    cp -- "$index" "$SEALWRIGHT_BOOTSTRAP/InRelease.apt"
done
