# arrange ORDER FOLDER...: makes the entries of each folder below anew, so that they are listed the other way round. ORDER
# is what the file system lists first, the `newest` or the `oldest` of them; without one all stays as it came. Entries are
# moved, never copied; a folder keeps its mode and date.
arrange() {
    [ -n "$1" ] || return 0
    backwards=cat
    [ "$1" = newest ] || backwards="tac --separator="
    shift
    for top in "$@"; do
        [ -d "$top" ] || continue
        top=${top%/}
        find "$top" -depth -type d -print0 > /tmp/folders
        xargs --null --arg-file=/tmp/folders --max-args=1 sh -eu -c '
            mkdir -- "$1.arranged"
            find "$2" -mindepth 1 -maxdepth 1 -print0 | $0 | xargs --null --no-run-if-empty mv -t "$1.arranged" --
            chmod --reference="$2" -- "$1.arranged"
            touch --reference="$2" -- "$1.arranged"
            rmdir -- "$2"
            mv -T -- "$1.arranged" "$2"' "$backwards" "$top"
        rm /tmp/folders
    done
}
