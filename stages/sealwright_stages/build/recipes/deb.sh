# The recipe "deb": sh -c THIS recipe
# Unpacks the one verified .dsc where Debian's own rebuilders do, builds its binary packages, hands over the .deb.
set -eu
umask 022
set -- /sources/dsc/*.dsc
if [ "$#" -ne 1 ] || [ ! -f "$1" ]; then
    echo "there must be exactly one .dsc among the sources" >&2
    exit 64
fi
mkdir /build/reproducible-path
cd /build/reproducible-path
dpkg-source --extract "$1"
for tree in */; do
    cd "$tree"
    break
done
dpkg-buildpackage -us -uc -b
mv -- ../*.deb /out/
