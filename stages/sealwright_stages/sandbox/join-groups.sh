# Joins control groups, then lets a program take this process's place: sh join-groups.sh FILE ... -- PROGRAM ...
# Each FILE is a group's cgroup.procs; 0 stands for who writes it. What can't be joined ends it.
set -eu
while [ "$1" != "--" ]; do
    echo 0 > "$1"
    shift
done
shift
exec "$@"
