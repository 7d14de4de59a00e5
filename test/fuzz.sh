#!/usr/bin/env bash
# Fuzzes every fuzz test for FUZZTIME (10s) each.
set -euo pipefail
cd "$(dirname "$0")/.."
found=0
for package in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do
    for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
        echo "$package $target"
        go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-10s}" "$package"
        found=$((found + 1))
    done
done
[ "$found" -gt 0 ] || { echo "fuzz.sh: there is nothing to fuzz" >&2; exit 1; }
echo "$found fuzz tests found nothing"
