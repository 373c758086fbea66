"""Measures scenarios into files of results, and makes tables of them."""

import json
import os
import platform
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import Callable

from .needs import ROOT

RESULTS = ROOT / "Benchmarks/results"
PAGE = ROOT / "docs/benchmarks.md"


@dataclass
class Scenario:
    """A table of measurements: every entry is one row, measured once in every round."""

    name: str
    about: str
    #: What is varied, as dictionaries.
    entries: list
    #: Measures one entry for about that many seconds and returns what was found, as JSON has it.
    run: Callable
    #: Lines for the page, made of the results.
    render: Callable
    #: When an append counts as stored.
    durability: str = "fsync on a quorum before the acknowledgement"
    #: The measurement is no better for being repeated.
    single: bool = False


def commit():
    """Of the code that is measured, with a plus if there is more than was committed."""
    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    changed = git("status", "--porcelain", "--", "Sources", "Package.swift", "Benchmarks/RaftLibrary",
                  "Benchmarks/NATS", "Benchmarks/NullBroker")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


def path(name):
    return RESULTS / f"{name}.json"


def load(name):
    return json.loads(path(name).read_text()) if path(name).exists() else None


def fresh(scenario, seconds):
    return {
        "scenario": scenario.name, "commit": commit(), "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "durability": scenario.durability, "seconds": seconds,
        "entries": [{"scenario": entry, "runs": []} for entry in scenario.entries],
    }


def is_same(known, wanted):
    """Whether both are measurements of the same thing: one table shows one commit."""
    def essence(results):
        return [results[key] for key in ("commit", "machine", "durability", "seconds")], [
            one["scenario"] for one in results["entries"]]
    return essence(known) == essence(wanted)


def measure(scenario, rounds, seconds, resume, until):
    """Every round runs all entries once, in turn. Saved after each, so that a run can be cut short and resumed.

    Returns whether all rounds are there."""
    results = json.loads(json.dumps(fresh(scenario, seconds)))
    known = load(scenario.name) if resume else None
    if known and is_same(known, results):
        results = known
    for number in range(1 if scenario.single else rounds):
        for entry in results["entries"]:
            if len(entry["runs"]) > number:
                continue
            if time.monotonic() > until:
                return False
            print(f"round {number + 1}: {scenario.name} {entry['scenario']}", flush=True)
            entry["runs"].append(scenario.run(entry["scenario"], results["seconds"]))
            RESULTS.mkdir(exist_ok=True)
            path(scenario.name).write_text(json.dumps(results, indent=1) + "\n")
    return True


# Tables


def pick(run, *keys):
    for key in keys:
        run = run[key]
    return run


def median(runs, *keys):
    return statistics.median(pick(run, *keys) for run in runs)


def spread(values, form="{:.0f}"):
    """The median, and in brackets the smallest and the largest."""
    values = list(values)
    middle = form.format(statistics.median(values))
    return f"{middle} ({form.format(min(values))}–{form.format(max(values))})" if len(values) > 1 else middle


def size(count):
    if count >= 1 << 20:
        return f"{count >> 20} MiB"
    return f"{count >> 10} KiB" if count >= 1 << 13 else f"{count} B"


def cpu_per_gigabyte(run, rate="payloadMegabytesPerSecond"):
    return sum(broker["cpuSeconds"] for broker in run["brokers"]) / (run[rate] * run["seconds"] / 1000)


def table(heads, rows):
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield "| " + " | ".join(map(str, row)) + " |"


def origin(results):
    """The line under which a table stands."""
    rounds = {len(entry["runs"]) for entry in results["entries"]}
    counted = f"{min(rounds)} to {max(rounds)}" if len(rounds) > 1 else f"{max(rounds)}"
    rounds = "one round" if counted == "1" else f"medians of {counted} rounds"
    return (f"Commit {results['commit']}, {results['machine']}, {rounds} of {results['seconds']:g} s each. "
            f"Durability: {results['durability']}.")


def render(scenario):
    """Puts the table between the scenario's markers in the page; without markers, prints it."""
    results = load(scenario.name)
    if not results:
        return
    measured = {**results, "entries": [entry for entry in results["entries"] if entry["runs"]]}
    write_between(scenario.name, origin(measured), scenario.render(measured))


def write_between(name, head, lines, program="Benchmarks/run.py"):
    """Puts the lines between the markers of that name in the page; without markers, prints them."""
    lines = [head, "", *lines]
    begin, end = f"<!-- {name}: made by {program} -->", f"<!-- end of {name} -->"
    text = PAGE.read_text()
    if begin not in text:
        print("\n".join(lines))
        return
    before, rest = text.split(begin)
    PAGE.write_text(before + "\n".join([begin, "", *lines, "", end]) + rest.split(end)[1])
