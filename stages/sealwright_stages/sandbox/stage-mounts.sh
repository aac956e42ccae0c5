# Makes folders reachable for a uid that may not walk their real paths (they often lie below a 0700 home).
# Runs as root in a mount namespace of its own: sh stage-mounts.sh TABLE FILES PROGRAM ...
# TABLE, in the form of fstab(5), says what is mounted below /mnt; FILES are the names there that are files. Then
# PROGRAM takes this process's place. Nobody else sees these mounts.
# One call mounts them all: each start of `mount` would cost a sandbox one or two milliseconds.
set -eu
umask 022
mount -t tmpfs -o mode=0755,size=256k,nosuid,nodev sealwright /mnt
for name in $2; do
    : > "/mnt/$name"
done
umask 077
printf '%s' "$1" > /mnt/.table # no pipe: mount reads plain files only
umask 022
mount --all --fstab /mnt/.table
shift 2
cd /
exec "$@"
