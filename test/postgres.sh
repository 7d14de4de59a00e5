#!/bin/bash
# Runs Debian's PostgreSQL for the tests: a private data folder, a private port, loopback only.
#
#   export NEAP_TEST_POSTGRES="$(test/postgres.sh start)"    starts it, unless it runs already, and prints its URL
#   test/postgres.sh stop                                     stops it and removes its data
#   test/postgres.sh run go test ./...                        starts it, runs a command with the variable set, stops it
set -eu

home="${NEAP_TEST_POSTGRES_HOME:-$(dirname "$(mktemp -u)")/neap-test-postgres-$(id -u)}"

say() { echo "postgres.sh: $*" >&2; }

# PostgreSQL refuses to run as root; Debian's package brings a user for it.
as_owner() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

find_programs() {
    programs="$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)"
    if [ -z "$programs" ] && command -v pg_ctl >/dev/null; then programs="$(dirname "$(command -v pg_ctl)")"; fi
    if [ -z "$programs" ]; then
        say "PostgreSQL is missing; install it with: apt-get install postgresql"
        exit 1
    fi
}

running() { [ -f "$home/url" ] && as_owner "$programs/pg_ctl" -D "$home/data" status >/dev/null 2>&1; }

# A port nobody listens on, below the range from which the kernel takes its own.
free_port() {
    port=$((20000 + $$ % 10000))
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    echo "$port"
}

start() {
    if running; then cat "$home/url"; return; fi
    rm -rf "$home"
    mkdir -m 700 "$home"
    password="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
    echo "$password" >"$home/password"
    if [ "$(id -u)" = 0 ]; then chown -R postgres "$home"; fi
    as_owner "$programs/initdb" -D "$home/data" -U neap --pwfile="$home/password" --auth=scram-sha-256 \
        --encoding=UTF8 --locale=C --no-sync >"$home/initdb.log"
    attempt=1
    while :; do
        port="$(free_port)"
        # Test data need not survive a power cut.
        if as_owner "$programs/pg_ctl" -D "$home/data" -l "$home/data/server.log" -w -o "-p $port -c listen_addresses=127.0.0.1 \
            -c unix_socket_directories='$home' -c max_connections=200 -c fsync=off -c full_page_writes=off" start >&2; then break; fi
        attempt=$((attempt + 1))
        if [ "$attempt" -gt 3 ]; then say "PostgreSQL does not start; see $home/data/server.log"; exit 1; fi
    done
    (umask 077 && echo "postgres://neap:$password@127.0.0.1:$port/postgres?sslmode=disable" >"$home/url")
    cat "$home/url"
}

stop() {
    if running; then as_owner "$programs/pg_ctl" -D "$home/data" -m immediate stop >&2; fi
    rm -rf "$home"
}

find_programs
case "${1:-}" in
start) start ;;
stop) stop ;;
run)
    shift
    home="$home-$$" # of its own, so that ending it disturbs nobody
    NEAP_TEST_POSTGRES="$(start)"
    export NEAP_TEST_POSTGRES
    trap stop EXIT
    "$@"
    ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
