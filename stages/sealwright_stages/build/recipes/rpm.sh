# The recipe "rpm": sh -c THIS recipe TOP SPEC
# Builds binary and source packages from one spec file. What the spec names as source or patch is one of the component's
# verified files, or lies beside the spec in its verified tree; nothing is fetched. Its changelog dates the packages. What
# is in the source package is root's, whoever builds it.
set -eu
umask 022
refuse() {
    printf '%s\n' "$1" >&2
    exit 64
}

top=$1
wanted=$2
if [ -n "$wanted" ]; then
    set -- "/sources/source/$wanted" "/sources/files/$wanted" "/sources/unpacked/$wanted"
else
    set -- /sources/source/*.spec /sources/files/*.spec
fi
spec=
for found in "$@"; do
    if [ -f "$found" ]; then
        [ -z "$spec" ] || refuse "more than one spec file among the sources: name one with spec = \"...\""
        spec=$found
    fi
done
[ -n "$spec" ] || refuse "there is no spec file ${wanted:-*.spec} among the sources"

mkdir -p -- "$top"
mkdir "$top/BUILD" "$top/RPMS" "$top/SOURCES" "$top/SPECS" "$top/SRPMS" "$top/tmp" "$top/tmp/seen"
cp -- "$spec" "$top/SPECS/"
set -- \
    --define "_topdir $top" --define "_tmppath $top/tmp" --define "_dbpath $top/db" --define "_buildhost build" \
    --define "use_source_date_epoch_as_buildtime 1" --define "clamp_mtime_to_source_date_epoch 1" \
    --define "build_mtime_policy clamp_to_source_date_epoch" --define "source_date_epoch_from_changelog 0" \
    --define "_disable_source_fetch 1" --define "_srcdefattr (-,root,root)"

# A spec may read its sources, or its tree, while it is parsed: to learn their names they must be in sight already.
if [ -d /sources/source ]; then
    cd /sources/source
fi
for place in /sources/files "$(dirname -- "$spec")"; do
    [ ! -d "$place" ] || find "$place" -maxdepth 1 -type f -exec ln -sf -t "$top/tmp/seen" -- {} +
done
rpmspec "$@" --define "_sourcedir $top/tmp/seen" --query --srpm --queryformat '[%{SOURCE}\n][%{PATCH}\n]' \
    "$spec" > "$top/tmp/named"
missing=
while IFS= read -r name; do
    for place in /sources/files "$(dirname -- "$spec")"; do
        if [ ! -f "$place/$name" ]; then
            continue
        elif [ ! -e "$top/SOURCES/$name" ]; then
            cp -- "$place/$name" "$top/SOURCES/"
        elif ! cmp -s -- "$place/$name" "$top/SOURCES/$name"; then
            refuse "two different files among the sources are called $name"
        fi
    done
    [ -e "$top/SOURCES/$name" ] || missing="$missing $name"
done < "$top/tmp/named"
[ -z "$missing" ] || refuse "the spec names what is not among the verified sources:$missing"

dated=$(rpmspec "$@" --query --srpm --queryformat '[%{CHANGELOGTIME}\n]' "$spec" | head -n 1)
case $dated in
    '' | *[!0-9]*) ;;
    *)
        # A date alone means noon to rpm. Its midnight is meant here, as in rpm's own source_date_epoch_from_changelog:
        # who writes today's date in the morning has not dated anything in the future.
        [ "$((dated % 86400))" -ne 43200 ] || dated=$((dated - 43200))
        SOURCE_DATE_EPOCH=$dated
        ;;
esac
export SOURCE_DATE_EPOCH
[ "$SOURCE_DATE_EPOCH" -le "$(date +%s)" ] || refuse "the spec's changelog is dated in the future"
find "$top" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" -- {} +

rpmbuild "$@" -ba --nodeps "$top/SPECS/$(basename -- "$spec")"
find "$top/RPMS" "$top/SRPMS" -name '*.rpm' -exec mv -t /out -- {} +
