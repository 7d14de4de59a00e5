#!/usr/bin/env bash
# Installs what the tests need, and runs every check: format, vet, the tests of all modules. The last line counts tests.
#
# NEAP_TEST_POSTGRES=postgres://… uses a PostgreSQL that is there already; else one is started and stopped again. So does NEAP_TEST_MOTO=http://… with
# the stand-in for AWS, and NEAP_TEST_DOCKER=/…/docker.sock with Docker. Where no Docker can run, its one test is left out, and that is said.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
unset NEAP_URL NEAP_TOKEN NEAP_ACCOUNT NEAP_DATA # tests ask the servers that they start themselves

say() { echo "test: $*" >&2; }

fail() {
    say "$*"
    exit 1
}

has_postgres() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v pg_ctl >/dev/null; }

# Debian starts what it installs; the tests start their own, so its servers are held back meanwhile.
install_held() {
    local policy=/usr/sbin/policy-rc.d held=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        held=yes
    fi
    say "installing $*"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } </dev/null >&2 || true
    if [ -n "$held" ]; then rm -f "$policy"; fi
}

install_postgres() {
    install_held postgresql
    has_postgres || fail "PostgreSQL could not be installed; install Debian's package postgresql by hand."
}

has_docker() { command -v dockerd >/dev/null && command -v docker-init >/dev/null && command -v busybox >/dev/null; }

has_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }

install_venv() {
    say "installing python3-venv"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv; } </dev/null >&2 || true
    has_venv || fail "Python's module venv could not be installed; install Debian's package python3-venv by hand."
}

# Stops what was started here, and nothing else.
stop_servers() {
    if [ -n "${starting_moto:-}" ]; then kill "$starting_moto" 2>/dev/null || true; fi
    if [ -n "${started_moto:-}" ]; then test/moto.sh stop; fi
    if [ -n "${started_postgres:-}" ]; then test/postgres.sh stop; fi
    if [ -n "${started_docker:-}" ]; then test/docker.sh stop; fi
}
trap stop_servers EXIT

command -v go >/dev/null || fail "Go is missing; install the version that go.mod names."

# moto comes up while the rest is prepared and built: in a second, the first time on a machine in half a minute.
if [ -z "${NEAP_TEST_MOTO:-}" ]; then
    if ! has_venv; then
        if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
            fail "Python's module venv is missing: apt-get install python3-venv, or set NEAP_TEST_MOTO to what test/moto.sh start prints elsewhere."
        fi
        install_venv
    fi
    NEAP_TEST_MOTO_HOME="$(mktemp -u)-neap-moto"
    export NEAP_TEST_MOTO_HOME
    test/moto.sh start >/dev/null &
    starting_moto=$!
    started_moto=yes
fi

if [ -z "${NEAP_TEST_POSTGRES:-}" ]; then
    if ! has_postgres; then
        if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
            fail "PostgreSQL is missing: apt-get install postgresql, or set NEAP_TEST_POSTGRES to the URL of one that may be written to."
        fi
        install_postgres
    fi
    # A home of its own, so that two runs on one machine don't stop each other's server.
    NEAP_TEST_POSTGRES_HOME="$(mktemp -u)-neap-postgres"
    export NEAP_TEST_POSTGRES_HOME
    started_postgres=yes
    NEAP_TEST_POSTGRES="$(test/postgres.sh start)"
    export NEAP_TEST_POSTGRES
fi

if [ -z "${NEAP_TEST_DOCKER:-}" ]; then
    if ! has_docker && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then install_held docker.io busybox-static; fi
    NEAP_TEST_DOCKER_HOME="$(mktemp -u)-neap-docker"
    export NEAP_TEST_DOCKER_HOME
    started_docker=yes
    if NEAP_TEST_DOCKER="$(test/docker.sh start)"; then
        export NEAP_TEST_DOCKER
    else
        say "no Docker can run here, so its two tests are left out"
        unset NEAP_TEST_DOCKER
        left_out=2
    fi
fi

say "format"
unformatted="$(gofmt -l cmd internal test)"
[ -z "$unformatted" ] || fail "gofmt -w would change:"$'\n'"$unformatted"

# Clients of the outside world are modules of their own, so that the product does not depend on them.
modules() {
    echo .
    find test -name go.mod -printf '%h\n' | sort
}

in_modules() {
    local code=0 module
    while read -r module; do
        (cd "$module" && "$@") || code=1
    done < <(modules)
    return "$code"
}

say "vet"
in_modules go vet ./...
go vet -tags crash ./cmd/...

say "build"
go build -buildvcs=false -trimpath -ldflags "-s -w" -o bin/neap ./cmd/neap
size="$(wc -c <bin/neap)"
[ "$size" -le 60000000 ] || fail "bin/neap has $size bytes, more than 60,000,000: see internal/cloud/aws/calls for what keeps a whole SDK in it."
go build -buildvcs=false -o bin/report ./test/report
NEAP_BIN="$PWD/bin/neap"
export NEAP_BIN

if [ -n "${starting_moto:-}" ]; then
    wait "$starting_moto" || fail "The stand-in for AWS does not start; see above."
    starting_moto=
    NEAP_TEST_MOTO="$(test/moto.sh start)"
    export NEAP_TEST_MOTO
fi

say "tests"
in_modules go test -json -count=1 -parallel 4 -timeout 12m ./... </dev/null | bin/report -skips test/skips-allowed.txt -more "${left_out:-0}"
