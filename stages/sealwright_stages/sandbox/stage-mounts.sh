# Makes folders reachable for a uid that may not walk their real paths (they often lie below a 0700 home).
# Runs as root in a mount namespace of its own: sh stage-mounts.sh NAME PATH [NAME PATH ...] -- PROGRAM ...
# Each PATH appears as /mnt/NAME; then PROGRAM takes this process's place. Nobody else sees these mounts.
set -eu
umask 022
mount -t tmpfs -o mode=0755,size=256k,nosuid,nodev sealwright /mnt
while [ "$1" != "--" ]; do
    if [ -d "$2" ]; then
        mkdir "/mnt/$1"
    else
        : > "/mnt/$1"
    fi
    mount --bind -- "$2" "/mnt/$1"
    shift 2
done
shift
cd /
exec "$@"
