#!/bin/bash
# real-lava.sh FOLDER WEB-PORT EVENT-PORT SOCKET-PORT: a LAVA server of Debian's packages on loopback, with a database of its own, all of it in FOLDER;
# runs until it is killed. Called in namespaces of its own (real-lava.ts): what it mounts nobody else sees, and what it starts ends with it.
# A line on its input restarts all but the database: `again` as before; `packaged` as Debian's packages have it; `tuned` with its events on, which
# it begins with. `worker TOKEN` starts its own worker `bench`, in a folder in ours, too: it looks at its server every 20 s, or tuned every second.
# LAVA_FSYNC=on: a database as Debian sets it up. LAVA_WEB: processes that answer requests. LAVA_FILES: a port from which DUTs fetch.
set -eu
S=$1 WEB=$2 EVENTS=$3 SOCKET=$4
export LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
PG=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
exec 3>&1 >"$S/setup.log" 2>&1

chmod 755 "$S"
mkdir -p "$S/etc/settings.d" "$S/etc/dispatcher.d" "$S/etc/dispatcher-config/devices" "$S/etc/dispatcher-config/device-types" \
  "$S/etc/dispatcher-config/health-checks" "$S/var/default/media" "$S/var/default/archive" "$S/var/home" "$S/log" "$S/pg" "$S/run" \
  "$S/dispatcher/tmp"
[ ! -f /etc/lava-server/env.yaml ] || cp /etc/lava-server/env.yaml "$S/etc/"
KEY=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
settings() {
  cat >"$S/etc/settings.d/00-own.yaml" <<YAML
DATABASES:
  default:
    ENGINE: "django.db.backends.postgresql"
    NAME: "lavaserver"
    USER: "lavaserver"
    HOST: "$S/run"
SECRET_KEY: "$KEY"
ALLOWED_HOSTS: ["127.0.0.1"]
CSRF_COOKIE_SECURE: false
SESSION_COOKIE_SECURE: false
HTTPS_XML_RPC: false
EVENT_NOTIFICATION: $1
INTERNAL_EVENT_SOCKET: "ipc://$S/run/events"
EVENT_SOCKET: "tcp://127.0.0.1:$SOCKET"
YAML
}
settings true
chown -R lavaserver:lavaserver "$S/etc" "$S/var" "$S/log"
chown postgres:postgres "$S/pg"
chmod 1777 "$S/run"
# PostgreSQL is killed in the end, and would leave what its processes share.
mount -t tmpfs -o mode=1777 shared /dev/shm
mount --bind "$S/etc" /etc/lava-server
mount --bind "$S/var" /var/lib/lava-server
mount --bind "$S/log" /var/log/lava-server
[ ! -d /var/lib/lava/dispatcher ] || mount --bind "$S/dispatcher" /var/lib/lava/dispatcher

su postgres -s /bin/sh -c "$PG/initdb -D $S/pg -U postgres --auth=trust -E UTF8 --no-sync"
su postgres -s /bin/sh -c "$PG/postgres -D $S/pg -k $S/run -c listen_addresses= -c fsync=${LAVA_FSYNC:-off}" >"$S/log/postgres.log" 2>&1 &
until su postgres -s /bin/sh -c "$PG/pg_isready -q -h $S/run"; do sleep 0.1; done
su postgres -s /bin/sh -c "$PG/createuser -h $S/run lavaserver && $PG/createdb -h $S/run -O lavaserver lavaserver"

manage() { lava-server manage "$@" </dev/null; }
touch "$S/log/django.log"
chown lavaserver:lavaserver "$S/log/django.log"
manage migrate --noinput
manage users add admin --email admin@example.invalid --passwd "$LAVA_TOKEN" --staff --superuser
manage tokens add --user admin --secret "$LAVA_TOKEN" --description tests
manage device-types add qemu

HAS_EVENTS=yes WORKER=''
daemons() {
  D='' ON=''
  if [ "$HAS_EVENTS" = yes ]; then
    ON="--event-url tcp://127.0.0.1:$SOCKET"
    lava-server manage lava-publisher --log-file "$S/log/publisher.log" --host 127.0.0.1 --port "$EVENTS" </dev/null & D=$!
  fi
  # shellcheck disable=SC2086
  lava-server manage lava-scheduler --log-file "$S/log/scheduler.log" $ON </dev/null & D="$D $!"
  gunicorn3 lava_server.wsgi --log-file "$S/log/gunicorn.log" -u lavaserver -g lavaserver --worker-class eventlet --workers "${LAVA_WEB:-2}" \
    --bind "127.0.0.1:$WEB" </dev/null & D="$D $!"
  until curl -fsS -o /dev/null "http://127.0.0.1:$WEB/api/v0.2/system/version/"; do sleep 0.2; done
  [ -z "$WORKER" ] || worker
}
worker() {
  ON=''
  [ "$HAS_EVENTS" = no ] || ON="--ws-url http://127.0.0.1:$EVENTS/ws/ --ping-interval 1 --job-log-interval 1"
  # shellcheck disable=SC2086
  lava-worker --name bench --url "http://127.0.0.1:$WEB" --token "$WORKER" --worker-dir /var/lib/lava/dispatcher/worker \
    --log-file "$S/log/worker.log" $ON </dev/null & D="$D $!"
  # In Apache's place: what DUTs fetch from a worker.
  [ -z "${LAVA_FILES:-}" ] || { busybox httpd -f -p "127.0.0.1:$LAVA_FILES" -h "$S/dispatcher" </dev/null & D="$D $!"; }
}
daemons
echo READY >&3
while read -r MODE TOKEN; do
  if [ "$MODE" = worker ]; then
    WORKER=$TOKEN
    worker
  else
    # shellcheck disable=SC2086
    { kill $D || :; wait $D || :; }
    case "$MODE" in
      packaged) HAS_EVENTS=no; settings false ;;
      tuned) HAS_EVENTS=yes; settings true ;;
    esac
    daemons
  fi
  echo READY >&3
done
