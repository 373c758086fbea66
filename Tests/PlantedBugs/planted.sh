#!/bin/bash
# Plants bugs in a copy of the sources, and asks whether the simulator finds them. Each patch here is one bug; all of
# them are compiled into one program, and the environment switches one on. The sources themselves know nothing of it.
#
#   Tests/PlantedBugs/planted.sh build               the copy, in .build/planted, and its martlet-sim
#   Tests/PlantedBugs/planted.sh find NAME SEEDS     worlds from seed 1 on until one fails, then crash states of logs
#   Tests/PlantedBugs/planted.sh all SEEDS           the same for every bug: a table
set -euo pipefail
cd "$(dirname "$0")/../.."
here=Tests/PlantedBugs
copy=.build/planted

copy_sources() {
    mkdir -p $copy
    rm -rf $copy/Sources
    cp -rp Sources Package.swift Package.resolved $copy/
    ln -sfn ../../Tests ../../Benchmarks $copy/
    cp $here/Planted.swift $copy/Sources/Basics/
    for bug in $here/*.patch; do patch -s -p1 -d $copy --no-backup-if-mismatch < "$bug"; done
    # The switch is in Basics, which not every patched file needs otherwise.
    grep -rl 'planted("' $copy/Sources | while read -r file; do
        grep -q '^import Basics' "$file" || sed -i '1i import Basics' "$file"
    done
}

# Prints the first seed of "worlds" or "logs" whose sweep fails with the bug, and how.
sweep() {
    local subject=$1 name=$2 output
    shift 2
    output=$(PLANTED_BUG=$name SWIFT_BACKTRACE=enable=no $copy/.build/release/martlet-sim \
        --until-failure --seeds "$@" 2> /dev/null || true)
    sed -n "s/^seed \([0-9]*\): \(.*\)/$subject \1  \2/p" <<< "$output" | head -1
}

find_bug() {
    local found
    found=$(sweep world "$1" 1.."$2")
    [ -n "$found" ] || found=$(sweep log "$1" 1..20 --crash-states)
    printf '%-26s %s\n' "$1" "${found:-not found}"
}

case "${1:-}" in
build)
    copy_sources
    swift build -c release --product martlet-sim --package-path $copy --scratch-path $copy/.build
    ;;
find) find_bug "$2" "$3" ;;
all)
    for bug in $here/*.patch; do
        name=$(basename "$bug" .patch)
        find_bug "${name#??-}" "$2"
    done
    ;;
*)
    sed -n '2,8p' "$0"
    exit 2
    ;;
esac
