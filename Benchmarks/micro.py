#!/usr/bin/env python3
"""Micro benchmarks of what is done for every batch, held against the thresholds that are committed.

    python3 Benchmarks/micro.py                     # allocations, instructions, times; fails when one is exceeded
    python3 Benchmarks/micro.py allocations         # only that
    python3 Benchmarks/micro.py --update            # measure anew, and write the thresholds and docs/benchmarks.md

Allocations and instructions (counted by callgrind) are the same on every run of the same binary; times are measured by
the `benchmark` package, and what is committed of them is generous: it finds what got several times slower."""

import argparse
import json
import re
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from harness.needs import BUILD, ROOT, debian, product
from harness.results import commit, table, write_between

MICRO = ROOT / "Benchmarks/Micro"
THRESHOLDS = MICRO / "thresholds.json"
# Figures may grow by these before it is a failure: hash seeds and growing arrays move them a little.
TOLERANCE = {"allocations": 1.02, "instructions": 1.05, "nanoseconds": 3.0}
# Instructions are what the longer run has more.
CALLS = (10, 40)


def counts(*options):
    done = subprocess.run([product("micro-counts"), *options], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def allocations(names):
    return counts()


@cache
def stripped():
    """Valgrind gives up on the debug information that Swift writes."""
    path = BUILD / "bench/micro-counts"
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["strip", "--strip-debug", "-o", str(path), product("micro-counts")], check=True)
    return str(path)


def instructions_of(name, calls):
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/out", stripped(), "--case", name,
             "--warmup", "10", "--calls", str(calls)], check=True, capture_output=True, text=True)
    return int(re.search(r"Collected\s*:\s*(\d+)", done.stderr).group(1))


def instructions(names):
    debian("valgrind")
    return {name: (instructions_of(name, CALLS[1]) - instructions_of(name, CALLS[0])) / (CALLS[1] - CALLS[0])
            for name in names}


def nanoseconds(names):
    """The fastest sample by the `benchmark` package: what others did on the machine meanwhile is not in it."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(
            ["swift", "package", "--package-path", str(MICRO), "--scratch-path", str(BUILD / "micro"),
             "--allow-writing-to-directory", directory, "benchmark", "--format", "jmh", "--path", directory,
             "--no-progress"], check=True, capture_output=True, text=True)
        entries = [one for path in Path(directory).rglob("*.json") for one in json.loads(path.read_text())]
    return {name: fastest(entry) for name in names for entry in entries
            if entry["benchmark"].endswith("." + name.replace(" ", "_"))}


def fastest(entry):
    """One benchmark in JMH's form: microseconds of a thousand calls."""
    return min(sum(entry["secondaryMetrics"]["Time (wall clock)"]["rawData"], []))


KINDS = {"allocations": allocations, "instructions": instructions, "nanoseconds": nanoseconds}


def check(found, limits):
    """Complaints about all that is more than its threshold allows, or has none."""
    for kind, values in found.items():
        for name, value in values.items():
            limit = limits.get(name, {}).get(kind)
            if limit is None:
                yield f"{name}: no threshold of {kind}; --update writes one"
            elif value > limit * TOLERANCE[kind] + 0.5:
                yield f"{name}: {value:,.0f} {kind}, {limit:,.0f} allowed"


def render(thresholds):
    rows = [[name, *(f"{values[kind]:,.0f}" if kind in values else "" for kind in KINDS)]
            for name, values in thresholds["cases"].items()]
    write_between("micro", f"Commit {thresholds['commit']}. Each figure is for one call.",
                  table(["case", "allocations", "instructions", "ns"], rows), "Benchmarks/micro.py")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)} (default: all)")
    parser.add_argument("--update", action="store_true", help="make what is measured the thresholds")
    options = parser.parse_args()
    if set(options.kinds) - set(KINDS):
        parser.error(f"a kind is one of {', '.join(KINDS)}")
    names = list(counts("--calls", "1", "--warmup", "0"))
    found = {kind: KINDS[kind](names) for kind in options.kinds or KINDS}
    for kind, values in found.items():
        print(kind)
        for name, value in sorted(values.items()):
            print(f"  {value:14,.1f}  {name}")
    thresholds = json.loads(THRESHOLDS.read_text()) if THRESHOLDS.exists() else {"cases": {}}
    if options.update:
        for kind, values in found.items():
            for name, value in values.items():
                thresholds["cases"].setdefault(name, {})[kind] = round(value, 1)
        thresholds["commit"] = commit()
        THRESHOLDS.write_text(json.dumps(thresholds, indent=1) + "\n")
        render(thresholds)
        return
    complaints = list(check(found, thresholds["cases"]))
    if complaints:
        raise SystemExit("\n".join(complaints))


if __name__ == "__main__":
    main()
