# sh -c THIS decompress IN OUT TOOL...
# Runs a decompressor from one file to another; the limits are those of whoever starts this.
set -eu
in=$1
out=$2
shift 2
exec "$@" <"$in" >"$out"
