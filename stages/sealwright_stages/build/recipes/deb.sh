# The recipe "deb": sh -c THIS recipe PLACE ORDER
# Unpacks the one verified .dsc, or else lays out the git tree that has debian/, where Debian's own rebuilders do; builds
# the binary packages, hands over the .deb. A file NAME_VERSION.orig.tar.* is what the tree's debian/ is laid over; without
# one the tree is all there is. No source package is made, so a tree of any source format needs no other archive.
set -eu
umask 022
refuse() {
    printf '%s\n' "$1" >&2
    exit 64
}

order=$2
mkdir -p -- "$1"
cd "$1"
set -- /sources/dsc/*.dsc
if [ "$#" -eq 1 ] && [ -f "$1" ]; then
    dpkg-source --extract "$1"
elif [ ! -e /sources/dsc ] && [ -f /sources/source/debian/changelog ]; then
    said() { dpkg-parsechangelog --file /sources/source/debian/changelog --show-field "$1"; }
    name=$(said Source) version=$(said Version) dated=$(said Timestamp)
    version=${version#*:}
    tree="$name-${version%-*}"
    mkdir "$tree"
    set -- "/sources/files/${name}_${version%-*}".orig.tar.*
    [ "$#" -eq 1 ] || refuse "there is more than one $name .orig.tar among the files"
    if [ -f "$1" ]; then
        tar --extract --file "$1" --directory "$tree" --strip-components=1 --no-same-owner --no-same-permissions
        rm -rf -- "$tree/debian"
        cp -RP -- /sources/source/debian "$tree/debian"
    else
        cp -RP -- /sources/source/. "$tree"
    fi
    find "$tree" -exec touch --no-dereference --date="@$dated" -- {} +
else
    refuse "there must be exactly one .dsc among the sources, or a git tree with debian/"
fi
arrange "$order" ./*/
for tree in */; do
    cd "$tree"
    break
done
dpkg-buildpackage -us -uc -b
mv -- ../*.deb /out/
