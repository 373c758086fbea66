#!/bin/bash
# Feeds the decoders with bytes made by libFuzzer.
#
#   Tests/Fuzz/fuzz.sh build                  the fuzzers, instrumented, in .build/fuzz
#   Tests/Fuzz/fuzz.sh run TARGET SECONDS     goes on from the corpus that is kept, and from what earlier runs found
#   Tests/Fuzz/fuzz.sh keep TARGET            replaces the corpus that is kept by the smallest one that covers as much
#   Tests/Fuzz/fuzz.sh replay                 every input that is kept, once, for all targets
#   Tests/Fuzz/fuzz.sh replay TARGET FILE     one input, such as one that crashed
set -euo pipefail
cd "$(dirname "$0")/../.."
fuzzer=.build/fuzz/release/martlet-fuzz
kept=Tests/Fuzz/Corpus
work=.build/fuzz-corpus

# The corpus of a target is one file: a line for each input, in hexadecimal.
unpack() {
    mkdir -p "$work/$1"
    [ -f "$kept/$1" ] || return 0
    local number=0
    while read -r line; do
        number=$((number + 1))
        printf '%b' "$(sed 's/../\\x&/g' <<< "$line")" > "$work/$1/kept-$number"
    done < "$kept/$1"
}

case "${1:-}" in
build)
    MARTLET_FUZZ=1 swift build -c release --product martlet-fuzz --scratch-path .build/fuzz \
        -Xswiftc -sanitize=fuzzer -Xswiftc -enable-testing
    ;;
run)
    unpack "$2"
    FUZZ_TARGET=$2 FUZZ_SEEDS=$work/$2 "$fuzzer"
    mkdir -p .build/fuzz-crashes
    FUZZ_TARGET=$2 "$fuzzer" "$work/$2" -max_total_time="$3" -timeout=10 -rss_limit_mb=1024 -max_len=4096 \
        -artifact_prefix=".build/fuzz-crashes/$2-" -print_final_stats=1
    ;;
keep)
    rm -rf "$work/$2.smallest"
    mkdir -p "$work/$2.smallest" "$kept"
    FUZZ_TARGET=$2 "$fuzzer" -merge=1 -max_len=1024 "$work/$2.smallest" "$work/$2"
    for file in "$work/$2.smallest"/*; do
        od -An -v -tx1 "$file" | tr -d ' \n'
        echo
    done | grep . > "$kept/$2"
    ;;
replay)
    if [ $# = 3 ]; then
        FUZZ_TARGET=$2 exec "$fuzzer" "$3"
    fi
    for file in "$kept"/*; do
        target=$(basename "$file")
        unpack "$target"
        FUZZ_TARGET=$target "$fuzzer" -runs=0 "$work/$target" 2>&1 | tail -1
    done
    ;;
*)
    sed -n '2,9p' "$0"
    exit 2
    ;;
esac
