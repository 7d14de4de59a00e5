#!/bin/sh
# Counts to 30 (or $1), one a second, and goes on where an attempt before this one was ended. Submit it with --checkpoint.
last=${1:-30}
cd "$NEAP_CHECKPOINT_DIR" || exit 1
n=$(cat counted 2>/dev/null || echo 0)
echo "I go on behind $n."
trap 'echo "I am asked to end; $n are done."; exit 1' TERM
while [ "$n" -lt "$last" ]; do
    sleep 1
    n=$((n + 1))
    echo "$n" >counted.new && mv counted.new counted # all of it or nothing, whenever it ends
done
echo "All $n are done."
