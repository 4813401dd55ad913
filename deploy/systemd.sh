#!/usr/bin/env bash
# Hooks of the deploy scripts for instances xrpayd@NAME of systemd on one host, with nginx before them.
# A version is a folder of $XRPAYD_RELEASES with the binary in it; the instance runs what the link
# $XRPAYD_INSTANCES/NAME/current points at. For several hosts, a program that asks this one there by ssh.
set -euo pipefail
releases=${XRPAYD_RELEASES:-/opt/xrpayd/releases}
instances=${XRPAYD_INSTANCES:-/opt/xrpayd/instances}

case "${1:-}" in
version) basename "$(readlink "$instances/$2/current" || true)" ;;
install)
    "$releases/$3/xrpayd" config check --profile production --config /etc/xrpayd/xrpayd.toml
    # The link changes in one step.
    ln -sfn "$releases/$3" "$instances/$2/next"
    mv -T "$instances/$2/next" "$instances/$2/current"
    ;;
start) systemctl start "xrpayd@$2" ;;
stop) systemctl stop "xrpayd@$2" ;;
reload) nginx -t -q && systemctl reload nginx ;;
*)
    echo "usage: systemd.sh version|install|start|stop|reload [NAME [VERSION]]" >&2
    exit 2
    ;;
esac
