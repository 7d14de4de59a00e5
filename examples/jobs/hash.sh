#!/bin/sh
# Hashes and compresses every file of a folder, each in a job of its own, and compares what the jobs found with this machine's own sha256sum.
#
#     examples/jobs/hash.sh [FOLDER]        (default: docs)
#
# It needs a running Neap (make run) whose jobs may run commands of this machine, and neap in the PATH. NEAP_URL and NEAP_DATA say which Neap.
set -eu

if ! command -v neap >/dev/null; then
    echo "There is no neap in the PATH; in the repository: make build, then export PATH=\$PWD/bin:\$PATH" >&2
    exit 2
fi
folder=$(cd "${1:-docs}" && pwd)
class=hash-$$
began=$(date -u +%Y-%m-%dT%H:%M:%SZ)

set --
for file in "$folder"/*; do
    if [ -f "$file" ]; then set -- "$@" "$file"; fi
done
if [ $# = 0 ]; then
    echo "There are no files in $folder." >&2
    exit 2
fi

# What a job runs; $1 is its file. Its own folder goes with it, so what is to be kept is written to its output.
# shellcheck disable=SC2016
command='
if ! [ -r "$1" ]; then
    echo "This job runs as user $(id -u), who cannot read $1." >&2
    exit 77
fi
sha256sum < "$1" | cut -d " " -f 1
gzip -9 < "$1" > packed
wc -c < packed'

echo "$# jobs, one for each file of $folder:" >&2
code=0
ids=$(neap job submit --image host --customer example --class "$class" --region us-east-1 --vcpus 0.5 --memory 128 --timeout 5m \
    --wait --each "$@" -- sh -c "$command" hash '{}') || code=$?
if [ "$code" != 0 ]; then
    for id in $ids; do
        why=$(neap job logs "$id" 2>&1 | grep 'cannot read') || continue
        cat >&2 <<END
$why
If Neap runs as root, each job runs as a user of its own who reads only what everybody may read: not what is below /root or a home of mode 0700.
Copy the files to where everybody may go, open them (chmod -R a+rX), or start Neap with --job-user and the user whose files they are.
END
        break
    done
    exit "$code"
fi

printf '%-40s %10s %10s  %s\n' FILE BYTES GZIP SHA256
wrong=0
for id in $ids; do # in the order of the files
    told=$(neap job logs "$id")
    sum=$(printf '%s\n' "$told" | sed -n 1p)
    here=$(sha256sum <"$1" | cut -d ' ' -f 1)
    mark=same
    if [ "$sum" != "$here" ]; then
        mark="DIFFERENT, here it is $here"
        wrong=1
    fi
    printf '%-40s %10s %10s  %.12s… %s\n' "$(basename "$1")" "$(wc -c <"$1")" "$(printf '%s\n' "$told" | sed -n 2p)" "$sum" "$mark"
    shift
done

echo
neap job list --class "$class"
echo
echo "What the machines have cost since $began, in dollars (jobs + idle = fleet):"
neap call neap.jobs.costs "from=$began" "until=$(date -u -d '1 second' +%Y-%m-%dT%H:%M:%SZ)"
exit "$wrong"
