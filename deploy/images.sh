#!/usr/bin/env bash
# Which images are run, by digest:
#   images.sh check        exit 1 where an image of images.env has no digest, naming all that have none
#   images.sh pin          asks the registries (docker buildx) for the digest of each tag and writes it down
#   images.sh build-args   the bases of the Dockerfile as arguments of `docker build`, one a line
# The file is deploy/images.env, or $XRPAYD_IMAGES.
set -euo pipefail
file=${XRPAYD_IMAGES:-$(dirname "$0")/images.env}

die() {
    echo "images.sh: $*" >&2
    exit 1
}
[ -f "$file" ] || die "$file is not a file"

# Every line that is no comment, as NAME and IMAGE.
images() {
    local line
    while IFS= read -r line; do
        case "$line" in '' | '#'*) continue ;; esac
        [[ $line =~ ^[A-Z_]+=[a-z0-9./_-]+:[A-Za-z0-9._-]+(@sha256:[0-9a-f]{64})?$ ]] ||
            die "$file: cannot be read: $line"
        echo "${line%%=*} ${line#*=}"
    done <"$file"
}

case "${1:-}" in
check)
    listed=$(images)
    [ -n "$listed" ] || die "$file names no image"
    unpinned=$(grep -v '@sha256:' <<<"$listed" || true)
    [ -z "$unpinned" ] || die "no digest: $(awk '{ printf "%s ", $1 }' <<<"$unpinned")(images.sh pin)"
    ;;
pin)
    listed=$(images)
    cp "$file" "$file.new"
    while read -r name image; do
        tag=${image%@*}
        digest=$(docker buildx imagetools inspect --format '{{ .Manifest.Digest }}' "$tag" </dev/null) ||
            die "$tag cannot be looked up"
        [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || die "$tag: $digest is no digest"
        sed -i "s|^$name=.*|$name=$tag@$digest|" "$file.new"
    done <<<"$listed"
    mv "$file.new" "$file"
    ;;
build-args)
    images | awk '/^(RUST|DEBIAN|POSTGRES)_IMAGE / { printf "--build-arg=%s=%s\n", $1, $2 }'
    ;;
*)
    echo "usage: images.sh check|pin|build-args" >&2
    exit 2
    ;;
esac
