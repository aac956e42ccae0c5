# The recipe "commands": sh -c THIS recipe COMPONENT COMMAND...
# A writable copy of the verified tree, dated by SOURCE_DATE_EPOCH, in which each command runs in turn; and one of
# the unpacked archives at $UNPACKED, which no component's name can be.
set -eu
umask 022
tree="/build/$1"
shift
mkdir "$tree"
if [ -d /sources/source ]; then
    cp -RP -- /sources/source/. "$tree"
fi
if [ -d /sources/unpacked ]; then
    cp -RP -- /sources/unpacked "$UNPACKED"
    find "$UNPACKED" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" -- {} +
fi
cd "$tree"
find . -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" -- {} +
for command in "$@"; do
    printf '+ %s\n' "$command" >&2
    sh -e -c "$command"
done
