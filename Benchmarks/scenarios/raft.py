"""The Raft library beside hashicorp/raft."""

import json
import shutil
import subprocess

from harness.brokers import data_directory
from harness.needs import debian, go_program, product, version
from harness.results import Scenario, median, spread, table

PACKAGES = ("golang-go", "golang-github-hashicorp-raft-dev", "golang-github-hashicorp-raft-boltdb-dev")
COMMAND_BYTES = 100


def measure(program, seconds, outstanding, *options):
    directory = data_directory()
    try:
        done = subprocess.run(
            [program, *options, "--dir", directory, "--size", str(COMMAND_BYTES), "--seconds", str(seconds),
             "--outstanding", str(outstanding)], capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        return json.loads(done.stdout)
    finally:
        shutil.rmtree(directory)


def run(entry, seconds):
    debian(*PACKAGES)
    count = entry["outstanding"]
    return {
        "tasks": measure(product("raft-bench"), seconds, count, "--callers", "tasks"),
        "loop": measure(product("raft-bench"), seconds, count, "--callers", "loop"),
        "hashicorp": measure(go_program("Benchmarks/RaftLibrary/Hashicorp"), seconds, count),
        "version": version(PACKAGES[1]),
    }


NAMES = {
    "tasks": "Martlet's Raft, a task for each", "loop": "Martlet's Raft, callbacks on its loop",
    "hashicorp": "hashicorp/raft, a goroutine for each",
}


def rows(results):
    for entry in results["entries"]:
        runs = entry["runs"]
        for key, name in NAMES.items():
            ratios = (run[key]["commandsPerSecond"] / run["hashicorp"]["commandsPerSecond"] for run in runs)
            yield [
                entry["scenario"]["outstanding"], name, spread(run[key]["commandsPerSecond"] for run in runs),
                "" if key == "hashicorp" else spread(ratios, "{:.1f}"),
                f"{median(runs, key, 'p50'):.2f}", f"{median(runs, key, 'p99'):.2f}",
            ]


def render(results):
    yield f"hashicorp/raft {results['entries'][0]['runs'][0]['version']} of Debian, raft-boltdb with its flushes."
    yield ""
    yield from table(["under way", "library", "commands/s", "times hashicorp's", "p50 ms", "p99 ms"], rows(results))


RAFT = Scenario(
    "raft", "the Raft library beside hashicorp/raft: commands of 100 B on three nodes",
    [{"outstanding": count, "commandBytes": COMMAND_BYTES, "payload": "random"} for count in (1_024, 64, 1)], run,
    render,
    durability="fsync on a quorum before the answer, both")
