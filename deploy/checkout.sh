#!/usr/bin/env bash
# Brings the host's checkout to a commit: what the host has changed in it (names, addresses, the balancer's
# shares) is kept. Where that does not go together with the commit, nothing is changed, and it says where.
#   checkout.sh --checkout FOLDER --commit COMMIT --from REPOSITORY
set -euo pipefail

die() {
    echo "checkout.sh: $*" >&2
    exit 1
}
checkout='' commit='' from=''
while [ "$#" -ge 2 ]; do
    case "$1" in
    --checkout) checkout=$2 ;;
    --commit) commit=$2 ;;
    --from) from=$2 ;;
    *) break ;;
    esac
    shift 2
done
if [ "$#" -gt 0 ] || [ -z "$checkout" ] || [ -z "$commit" ] || [ -z "$from" ]; then
    echo "usage: checkout.sh --checkout FOLDER --commit COMMIT --from REPOSITORY" >&2
    exit 2
fi

here() { git -C "$checkout" -c advice.detachedHead=false "$@"; }
[ -d "$checkout/.git" ] || die "$checkout is no checkout"
work=$(mktemp -d "${TMPDIR:-/tmp}/xrpayd-checkout.XXXXXX")
clean() {
    here worktree remove --force "$work/tried" 2>/dev/null || true
    rm -rf "$work"
}
trap clean EXIT

here cat-file -e "$commit^{commit}" 2>/dev/null || here fetch --quiet --no-tags "$from" "$commit"
[ -z "$(here ls-files --unmerged)" ] || die "$checkout has an unfinished merge"
if [ "$(here rev-parse HEAD)" = "$(here rev-parse "$commit^{commit}")" ]; then exit 0; fi

# The host's own changes are laid over the commit in a folder beside it, before the checkout is touched.
here diff --binary HEAD >"$work/own"
here worktree add --quiet --detach "$work/tried" "$commit"
if [ -s "$work/own" ]; then
    git -C "$work/tried" apply --3way --whitespace=nowarn "$work/own" 2>"$work/said" || {
        cat "$work/said" >&2
        die "what this host has changed does not go together with $commit: nothing was changed"
    }
    git -C "$work/tried" diff --binary HEAD >"$work/laid"
else
    : >"$work/laid"
fi
# A file of the host's own that the commit brings as well would be written over.
here ls-files --others | while read -r path; do
    [ ! -e "$work/tried/$path" ] || die "$path is not known to the checkout and comes with $commit: nothing was changed"
done
# Kept in the stash until it is laid over the commit: a power cut loses nothing.
if [ -s "$work/own" ]; then
    here -c user.name=checkout.sh -c user.email=checkout@localhost stash push --quiet -m "before $commit"
fi
here checkout --quiet --detach "$commit"
if [ -s "$work/laid" ]; then here apply --whitespace=nowarn "$work/laid"; fi
if [ -s "$work/own" ]; then here stash drop --quiet; fi
echo "checkout.sh: $checkout is at $(here rev-parse --short HEAD)"
