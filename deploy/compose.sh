#!/usr/bin/env bash
# Hooks of the deploy scripts for the replicas of docker-compose.production.yml: a version is an image by its
# digest, and an instance a service such as xrpayd-1. Which image a replica runs is kept in a file beside the
# host's own settings, so that compose, asked for anything else, leaves the replicas as they are.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
settings=${XRPAYD_COMPOSE_ENV:-/etc/xrpayd/compose.env}
replicas=${XRPAYD_REPLICAS_ENV:-/etc/xrpayd/replicas.env}
[ -f "$replicas" ] || : >"$replicas"

compose() {
    docker compose --env-file "$root/deploy/images.env" --env-file "$settings" --env-file "$replicas" \
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
    compose run --rm --no-deps "$2" config check --profile=production \
        --config=/etc/xrpayd/xrpayd.toml --config=/etc/xrpayd/compose.toml
    ;;
start) compose up --detach --no-deps --wait "$2" ;;
stop) compose stop "$2" ;;
reload) compose exec -T nginx nginx -t -q && compose kill --signal HUP nginx ;;
*)
    echo "usage: compose.sh version|install|start|stop|reload [NAME [IMAGE]]" >&2
    exit 2
    ;;
esac
