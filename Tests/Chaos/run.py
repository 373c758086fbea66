"""Real brokers and clients under faults: `make chaos`, or run.py --help."""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "ClusterTests")]
# What the harness of the cluster tests starts; read when it is imported, by client processes too.
os.environ.setdefault("MARTLET_BIN", str(REPOSITORY / ".build/release/martlet"))


def arguments():
    from chaos.scenarios import SCENARIOS
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(description="Runs brokers and clients under faults and checks what clients saw.")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"which (default: all): {', '.join(names)}")
    parser.add_argument("--seed", type=int, default=1, help="makes the plan of faults (default: 1)")
    parser.add_argument("--records", type=int, default=100_000, help="least acknowledged records (default: 100000)")
    parser.add_argument("--rate", type=int, default=3_000, help="records a second of all producers (default: 3000)")
    parser.add_argument("--output", type=pathlib.Path, default=REPOSITORY / ".build/chaos", help="where it writes")
    parser.add_argument("--keep", action="store_true", help="keep histories and data of what went well, too")
    parser.add_argument("--plan", action="store_true", help="print the plans of this seed and end")
    chosen = parser.parse_args()
    unknown = set(chosen.scenarios) - set(names)
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return chosen, [scenario for scenario in SCENARIOS if scenario.name in (chosen.scenarios or names)]


def revision():
    found = subprocess.run(["git", "-C", REPOSITORY, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


def main():
    chosen, wanted = arguments()
    if chosen.plan:
        for scenario in wanted:
            print(f"{scenario.name}, {scenario.size} brokers:", *scenario.plan(chosen.seed), sep="\n  ")
        return 0
    from chaos import isolation
    isolation.enter()
    from chaos import disks, report
    from chaos.scenario_run import ScenarioRun
    shutil.rmtree(chosen.output, ignore_errors=True)
    disks.check(chosen.output / "disk-check")
    facts = {
        "seed": chosen.seed, "commit": revision(), "arguments": sys.argv[1:],
        "started": time.strftime("%FT%TZ", time.gmtime())}
    print(f"chaos of {facts['commit']}, seed {chosen.seed}, {len(wanted)} scenarios", flush=True)
    results = []
    for scenario in wanted:
        directory = chosen.output / scenario.name
        run = ScenarioRun(
            scenario, chosen.seed, directory, chosen.records, chosen.rate, lambda text: print(text, flush=True))
        results.append(run.run())
        print(report.line(results[-1]), flush=True)
        for example in results[-1].examples:
            print(f"  {example}")
        report.write(chosen.output / "result.json", results, facts)
        if not results[-1].anomalies and not chosen.keep:
            shutil.rmtree(directory)
    print(report.table(results))
    wrong = report.verdicts(results, chosen.records)
    print("\n".join(wrong) or "nothing is wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
