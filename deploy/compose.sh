#!/usr/bin/env bash
# Hooks of the deploy scripts for the replicas of docker-compose.production.yml: a version is an image by its
# digest, and an instance a service such as xrpayd-1. Which image a replica runs is kept in a file beside the
# host's own settings, so that compose, asked for anything else, leaves the replicas as they are. What starts
# the others is refused while an image of deploy/images.env has no digest. Besides the hooks:
#   compose.sh up          everything, and waits until it is healthy; refused while a receiver of alerts is
#                          still an example's host
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
settings=${XRPAYD_COMPOSE_ENV:-/etc/xrpayd/compose.env}
replicas=${XRPAYD_REPLICAS_ENV:-/etc/xrpayd/replicas.env}
images=${XRPAYD_IMAGES:-$root/deploy/images.env}
receivers=${XRPAYD_RECEIVERS:-$root/alerts/alertmanager.yml}
[ -f "$replicas" ] || : >"$replicas"

layers=(--profile=production --config=/etc/xrpayd/xrpayd.toml --config=/etc/xrpayd/compose.toml)
compose() {
    docker compose --env-file "$images" --env-file "$settings" --env-file "$replicas" \
        --file "$root/docker-compose.production.yml" "$@"
}
# The variable of a replica's image: XRPAYD_1_IMAGE for xrpayd-1.
variable() {
    [[ $1 =~ ^xrpayd-[0-9]+$ ]] || {
        echo "compose.sh: $1 is no replica" >&2
        exit 2
    }
    echo "XRPAYD_${1#xrpayd-}_IMAGE"
}

# A tag may be another image tomorrow.
pinned() { XRPAYD_IMAGES=$images "$root/deploy/images.sh" check; }

case "${1:-}" in
version)
    name=$(variable "$2")
    found=$(sed -n "s/^$name=//p" "$replicas")
    echo "${found:-$(sed -n 's/^XRPAYD_IMAGE=//p' "$settings")}"
    ;;
install)
    name=$(variable "$2")
    [[ $3 =~ ^[a-z0-9./:_-]+@sha256:[0-9a-f]{64}$ ]] || {
        echo "compose.sh: $3 is no image by digest" >&2
        exit 2
    }
    docker pull --quiet "$3"
    {
        sed "/^$name=/d" "$replicas"
        echo "$name=$3"
    } >"$replicas.new"
    mv "$replicas.new" "$replicas"
    compose run --rm --no-deps "$2" config check "${layers[@]}"
    ;;
start) compose up --detach --no-deps --wait "$2" ;;
up) pinned && "$root/deploy/receivers.sh" check "$receivers" && compose up --detach --wait ;;
preflight)
    name=$2
    variable "$name" >/dev/null
    shift 2
    compose exec -T "$name" xrpayd preflight "${layers[@]}" "$@"
    ;;
follow)
    pinned
    # Files that are mounted one by one are those of the time when the container was made.
    compose up --detach --no-deps --wait --force-recreate prometheus alertmanager grafana
    compose up --detach --no-deps --wait nginx
    compose exec -T nginx nginx -t -q && compose kill --signal HUP nginx
    ;;
stop) compose stop "$2" ;;
reload) compose exec -T nginx nginx -t -q && compose kill --signal HUP nginx ;;
*)
    echo "usage: compose.sh version|install|start|stop|reload|follow|preflight|up [NAME [IMAGE]]" >&2
    exit 2
    ;;
esac
