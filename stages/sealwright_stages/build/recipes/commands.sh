# The recipe "commands": sh -c THIS recipe TREE ORDER COMMAND...
# A writable copy of the verified tree, dated by SOURCE_DATE_EPOCH, in which each command runs in turn; and one of
# the unpacked archives at $UNPACKED, which no component's name can be.
set -eu
umask 022
tree=$1 order=$2
shift 2
mkdir -p -- "$tree"
if [ -d /sources/source ]; then
    cp -RP -- /sources/source/. "$tree"
fi
if [ -d /sources/unpacked ]; then
    cp -RP -- /sources/unpacked "$UNPACKED"
fi
arrange "$order" "$tree" "$UNPACKED"
[ ! -d "$UNPACKED" ] || find "$UNPACKED" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" -- {} +
cd "$tree"
find . -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" -- {} +
for command in "$@"; do
    printf '+ %s\n' "$command" >&2
    sh -e -c "$command"
done
