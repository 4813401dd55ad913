#!/usr/bin/env bash
# Hooks of the deploy scripts for instances xrpayd@NAME of systemd on one host, with nginx before them.
# A version is a folder of $XRPAYD_RELEASES with the binary in it; the instance runs what the link
# $XRPAYD_INSTANCES/NAME/current points at. For several hosts, a program that asks this one there by ssh.
#
# `systemd.sh units VERSION` sets a host up before that, and again after a change of deploy/: the units, and
# what the unit of the backups calls. It writes below $XRPAYD_ROOT where that is set; of what an operator fills
# in it writes only what is not there.
set -euo pipefail
releases=${XRPAYD_RELEASES:-/opt/xrpayd/releases}
instances=${XRPAYD_INSTANCES:-/opt/xrpayd/instances}
root=${XRPAYD_ROOT:-}
here=$(cd "$(dirname "$0")" && pwd)

case "${1:-}" in
version) basename "$(readlink "$instances/$2/current" || true)" ;;
install)
    "$releases/$3/xrpayd" config check --profile production --config /etc/xrpayd/xrpayd.toml
    # The link changes in one step.
    ln -sfn "$releases/$3" "$instances/$2/next"
    mv -T "$instances/$2/next" "$instances/$2/current"
    ;;
units)
    [ -x "$releases/$2/xrpayd" ] || {
        echo "systemd.sh: there is no $releases/$2/xrpayd" >&2
        exit 1
    }
    install -d "$root/etc/systemd/system" "$root/opt/xrpayd/deploy" "$root/opt/xrpayd/bin" "$root/etc/xrpayd"
    install -m 0755 -t "$root/opt/xrpayd/deploy" "$here/backup-postgres.sh" "$here/restore-postgres.sh"
    ln -sfn "$releases/$2/xrpayd" "$root/opt/xrpayd/bin/next"
    mv -T "$root/opt/xrpayd/bin/next" "$root/opt/xrpayd/bin/xrpayd"
    for file in pg_service.conf backup.toml; do
        [ -e "$root/etc/xrpayd/$file" ] || install -m 0644 "$here/systemd/$file" "$root/etc/xrpayd/$file"
    done
    install -m 0644 -t "$root/etc/systemd/system" "$here"/systemd/*.service "$here"/systemd/*.timer
    systemctl daemon-reload
    ;;
start) systemctl start "xrpayd@$2" ;;
stop) systemctl stop "xrpayd@$2" ;;
reload | follow) nginx -t -q && systemctl reload nginx ;;
preflight)
    instance=$2
    shift 2
    runuser --user xrpayd -- "$instances/$instance/current/xrpayd" preflight --profile production \
        --config /etc/xrpayd/xrpayd.toml --config "/etc/xrpayd/$instance.toml" "$@"
    ;;
*)
    echo "usage: systemd.sh units VERSION | version|install|start|stop|reload|follow|preflight [NAME [VERSION]]" >&2
    exit 2
    ;;
esac
