#!/usr/bin/env python3
"""Measures scenarios on this machine, writes results/NAME.json and the tables of docs/benchmarks.md.

    python3 Benchmarks/run.py --list
    python3 Benchmarks/run.py produce raft --rounds 5 --seconds 3
    python3 Benchmarks/run.py --resume --rounds 5 --minutes 4    # go on where the last run stopped
    python3 Benchmarks/run.py --render                           # only make the tables anew
    python3 Benchmarks/run.py external --address HOST:PORT       # any broker that speaks Kafka's protocol
"""

import argparse
import time

from harness import results
from scenarios import SCENARIOS, external


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios (default: all but 'external')")
    parser.add_argument("--list", action="store_true", help="say which scenarios there are")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--resume", action="store_true", help="keep what was measured, and measure what is missing")
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no measurement after this time")
    parser.add_argument("--render", action="store_true", help="only make the tables anew from the results")
    parser.add_argument("--address", help="the broker of 'external'")
    options = parser.parse_args()
    known = {scenario.name: scenario for scenario in SCENARIOS}
    if options.list:
        for scenario in SCENARIOS:
            print(f"{scenario.name:12} {scenario.about}")
        return
    if options.address:
        known["external"] = external.scenario(options.address)
    unknown = set(options.names) - set(known)
    if unknown:
        parser.error(f"no scenario {', '.join(sorted(unknown))}; see --list (external needs --address)")
    until = time.monotonic() + options.minutes * 60
    isComplete = True
    for name in options.names or [scenario.name for scenario in SCENARIOS]:
        if not options.render:
            isComplete &= results.measure(known[name], options.rounds, options.seconds, options.resume, until)
        results.render(known[name])
    if not isComplete:
        print("time is up; go on with --resume")


if __name__ == "__main__":
    main()
