#!/bin/bash
# Runs Debian's Docker for the tests: a daemon of its own with its own socket, data, containerd and images, without any network. It needs root.
#
#   export NEAP_TEST_DOCKER="$(test/docker.sh start)"    starts it, unless it runs already, and prints the path of its socket
#   test/docker.sh stop                                   stops it and removes its data
#   test/docker.sh run go test ./...                      starts it, runs a command with the variable set, stops it
set -eu

# Docker's own sockets lie below it, whose paths may have 108 bytes.
home="${NEAP_TEST_DOCKER_HOME:-$(dirname "$(mktemp -u)")/neap-test-docker-$(id -u)}"

say() { echo "docker.sh: $*" >&2; }

# Why no daemon can run here; nothing when one can, as far as can be told without starting it.
missing() {
    if [ "$(id -u)" != 0 ]; then echo "Docker's daemon needs root"; return; fi
    local program
    for program in dockerd containerd runc docker-init docker busybox; do
        if ! command -v "$program" >/dev/null; then echo "$program is missing; install it with: apt-get install docker.io busybox-static"; return; fi
    done
    if [ ! -e /sys/fs/cgroup/cgroup.controllers ] && [ ! -d /sys/fs/cgroup/memory ]; then echo "no cgroups are mounted below /sys/fs/cgroup"; fi
}

# A number that another process has got since is not ours.
running() { [ -f "$home/pid" ] && grep -qzxF -- "--pidfile=$home/pid" "/proc/$(cat "$home/pid")/cmdline" 2>/dev/null; }

answers() { [ -S "$home/docker.sock" ] && grep -qF "API listen on $home/docker.sock" "$home/log"; }

# Starts the daemon with one storage driver, and says whether it came up.
launch() {
    rm -rf "$home"
    mkdir -m 700 "$home"
    echo '{}' >"$home/daemon.json" # not the machine's
    setsid dockerd --config-file="$home/daemon.json" --host="unix://$home/docker.sock" --group=root --pidfile="$home/pid" \
        --data-root="$home/data" --exec-root="$home/run" --storage-driver="$1" \
        --bridge=none --iptables=false --ip-forward=false --ip-masq=false >"$home/log" 2>&1 </dev/null &
    local started=$! tries=300
    until answers; do
        tries=$((tries - 1))
        if [ "$tries" = 0 ] || ! kill -0 "$started" 2>/dev/null; then
            kill "$started" 2>/dev/null || true
            return 1
        fi
        sleep 0.1
    done
}

# A daemon may well come up where no container does.
works() {
    local docker=(env DOCKER_CONFIG="$home" DOCKER_HOST="unix://$home/docker.sock" docker)
    {
        tar -cC / "$(realpath --relative-to=/ "$(command -v busybox)")" --transform='s,.*,busybox,' | "${docker[@]}" import - neap-test/probe:1 &&
            "${docker[@]}" run --rm --init --network=none --memory=32m --cpus=0.5 --log-driver=local neap-test/probe:1 /busybox true
    } >>"$home/log" 2>&1
}

start() {
    if running && answers; then echo "$home/docker.sock"; return; fi
    local why
    why="$(missing)"
    if [ -n "$why" ]; then say "$why"; exit 1; fi
    local driver
    for driver in overlay2 vfs; do
        if launch "$driver" && works; then
            echo "$home/docker.sock"
            return
        fi
        say "Docker does not work on $driver: $(tail -n 1 "$home/log" 2>/dev/null)"
        end
    done
    exit 1
}

# Ends the daemon, which ends its containerd and every container, and lets go of what is mounted.
end() {
    if running; then
        local pid
        pid="$(cat "$home/pid")"
        kill "$pid" 2>/dev/null || true
        while running; do sleep 0.1; done
    fi
    if [ -d "$home" ]; then
        local mounted
        while read -r mounted; do umount -l "$mounted" 2>/dev/null || true; done < <(awk -v home="$home/" 'index($2, home) == 1 { print $2 }' /proc/mounts | sort -r)
        rm -rf "$home"
    fi
}

case "${1:-}" in
start) start ;;
stop) end ;;
run)
    shift
    home="$home-$$" # of its own, so that ending it disturbs nobody
    trap end EXIT
    NEAP_TEST_DOCKER="$(start)"
    export NEAP_TEST_DOCKER
    "$@"
    ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
