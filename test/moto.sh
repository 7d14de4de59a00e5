#!/bin/bash
# Runs moto, a stand-in for AWS, for the tests: a Python environment of its own, which is kept; a free port, loopback only.
#
#   export NEAP_TEST_MOTO="$(test/moto.sh start)"    starts it, unless it runs already, and prints its URL with an administrator's key
#   test/moto.sh stop                                stops it
#   test/moto.sh run go test ./...                   starts it, runs a command with the variable set, stops it
set -eu
shopt -s inherit_errexit

version=5.2.4
home="${NEAP_TEST_MOTO_HOME:-$(dirname "$(mktemp -u)")/neap-test-moto-$(id -u)}"
environment="${XDG_CACHE_HOME:-$HOME/.cache}/neap-test/moto-$version"

say() { echo "moto.sh: $*" >&2; }

install() {
    if [ -e "$environment/complete" ]; then return; fi
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        say "Python's module venv is missing; install it with: apt-get install python3-venv"
        exit 1
    fi
    mkdir -p "$(dirname "$environment")"
    (
        flock 9 # two runs at once install it once
        if [ -e "$environment/complete" ]; then exit; fi
        say "installing moto $version into $environment"
        rm -rf "$environment"
        python3 -m venv "$environment" &&
            "$environment/bin/pip" install --quiet --disable-pip-version-check "moto[server]==$version" >&2 &&
            touch "$environment/complete"
    ) 9>"$environment.lock"
}

# A number that another process has got since is not ours.
running() { [ -f "$home/pid" ] && grep -qzxF "$home/url" "/proc/$(cat "$home/pid")/cmdline" 2>/dev/null; }

start() {
    if ! running; then
        install
        rm -rf "$home"
        mkdir -m 700 "$home"
        "$environment/bin/python" "$(dirname "$0")/motoserver.py" "$home/url" >"$home/log" 2>&1 </dev/null &
        echo $! >"$home/pid"
    fi
    tries=600
    until [ -f "$home/url" ]; do
        tries=$((tries - 1))
        if [ "$tries" = 0 ] || ! kill -0 "$(cat "$home/pid")" 2>/dev/null; then
            say "moto does not start: $(tail -n 3 "$home/log")"
            exit 1
        fi
        sleep 0.1
    done
    cat "$home/url"
}

stop() {
    if running; then
        kill "$(cat "$home/pid")"
        while running; do sleep 0.1; done
    fi
    rm -rf "$home"
}

case "${1:-}" in
start) start ;;
stop) stop ;;
run)
    shift
    home="$home-$$" # of its own, so that ending it disturbs nobody
    trap stop EXIT
    NEAP_TEST_MOTO="$(start)"
    export NEAP_TEST_MOTO
    "$@"
    ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
