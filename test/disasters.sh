#!/usr/bin/env bash
# Rehearses every named bad day, also those whose promise is known not to hold yet, and then random disasters.
#
#   test/disasters.sh 1000 1      a thousand of them, beginning with seed 1
#
# NEAP_TEST_POSTGRES=postgres://… uses a PostgreSQL that is there already; else one is started and stopped again.
set -euo pipefail
cd "$(dirname "$0")/.."
many="${1:-1000}" first="${2:-1}"
if [ -z "${NEAP_TEST_POSTGRES:-}" ]; then exec test/postgres.sh run "$0" "$many" "$first"; fi
code=0
go test ./test/disasters -count=1 -parallel 4 -timeout 30m -run Named -all || code=1
# In portions, so that one that hangs does not hide the others.
while [ "$many" -gt 0 ]; do
    portion=$((many < 100 ? many : 100))
    go test ./test/disasters -count=1 -parallel 6 -timeout 30m -run Seeded -many "$portion" -first "$first" || code=1
    many=$((many - portion)) first=$((first + portion))
done
exit "$code"
