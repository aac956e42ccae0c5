# The recipe "deb": sh -c THIS recipe PLACE ORDER
# Unpacks the one verified .dsc, or else lays out the git tree that has debian/, where Debian's own rebuilders do; builds
# the binary packages, hands over what dpkg made: which of it is a product, the manifest says. A file
# NAME_VERSION.orig.tar* is what the tree's debian/ is laid over, and one with .orig-PART.tar* is its folder PART, as
# dpkg-source does it; without the first the tree is all there is. No source package is made, so a tree of any source
# format needs no other archive.
set -eu
umask 022
refuse() {
    printf '%s\n' "$1" >&2
    exit 64
}

# lay_out TARBALL FOLDER: what is in the one folder at its top; or, where there is more at its top, all of it.
lay_out() {
    rm -rf -- "$2"
    mkdir unpacking
    tar --extract --file "$1" --directory unpacking --no-same-owner --no-same-permissions
    top=$(find unpacking -mindepth 1 -maxdepth 1)
    if [ -d "$top" ] && [ ! -L "$top" ]; then
        mv -T -- "$top" "$2"
        rmdir unpacking
    else
        mv -T -- unpacking "$2"
    fi
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
    tree="$name-${version%-*}" orig="/sources/files/${name}_${version%-*}.orig"
    set -- "$orig".tar*
    [ "$#" -eq 1 ] || refuse "there is more than one $name .orig.tar among the files"
    if [ -f "$1" ]; then
        lay_out "$1" "$tree"
        for part in "$orig"-*.tar*; do
            [ -f "$part" ] || continue
            folder=${part#"$orig-"}
            lay_out "$part" "$tree/${folder%.tar*}"
        done
        rm -rf -- "$tree/debian"
        cp -RP -- /sources/source/debian "$tree/debian"
    else
        mkdir "$tree"
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
# What a package's rules do as root (owners other than root:root, say), they do in fakeroot as on Debian's builders: the
# one uid that is mapped here can't give a file away. It is not to try for real, since that fails here with EINVAL.
if command -v fakeroot > /dev/null; then
    export FAKEROOTDONTTRYCHOWN=1
    set -- -rfakeroot
else
    set --
fi
dpkg-buildpackage -us -uc -b "$@"
cd ..
find . -maxdepth 1 -type f '(' -name '*.deb' -o -name '*.udeb' -o -name '*.buildinfo' -o -name '*.changes' ')' \
    -exec mv -t /out -- {} +
