# The recipe "commands": sh -c THIS recipe COMPONENT COMMAND...
# A writable copy of the verified tree, dated by SOURCE_DATE_EPOCH, in which each command runs in turn.
set -eu
umask 022
tree="/build/$1"
shift
mkdir "$tree"
if [ -d /sources/source ]; then
    cp -RP -- /sources/source/. "$tree"
fi
cd "$tree"
find . -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" -- {} +
for command in "$@"; do
    printf '+ %s\n' "$command" >&2
    sh -e -c "$command"
done
