#!/usr/bin/env python3
"""Drives one and three brokers on this machine through the standard scenarios; needs Python 3 alone."""

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARY = os.environ.get("MARTLET_BIN", str(ROOT / ".build/release/martlet"))
# (record bytes, batch bytes, connections, requests in flight on each)
SCENARIOS = [(record, batch, 8, depth) for record in (100, 1024) for batch, depth in ((16384, 16), (65536, 5), (900000, 3))]


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Cluster:
    """Brokers as processes of their own, data in a directory that goes with them."""

    def __init__(self, size):
        self.directory = tempfile.mkdtemp(prefix="martlet-bench-", dir=os.getcwd())
        ports = free_ports(2 * size)
        members = ",".join(f"{n + 1}=127.0.0.1:{ports[size + n]}" for n in range(size))
        self.bootstrap = ",".join(f"127.0.0.1:{port}" for port in ports[:size])
        self.processes = [
            subprocess.Popen([
                BINARY, "serve", "--node-id", str(n + 1), "--data-dir", f"{self.directory}/{n + 1}",
                "--listen", f"127.0.0.1:{ports[n]}", "--peer-listen", f"127.0.0.1:{ports[size + n]}", "--cluster", members,
            ], stderr=subprocess.DEVNULL)
            for n in range(size)
        ]

    def bench(self, *arguments):
        command = [BINARY, "bench", *arguments, "--json", "--bootstrap", self.bootstrap]
        deadline = time.monotonic() + 20
        while True:
            # Until the brokers have found each other, the topic has no leader.
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            if done.returncode == 0:
                return json.loads(done.stdout)
            if time.monotonic() > deadline:
                raise SystemExit(done.stderr)
            time.sleep(0.2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()
        shutil.rmtree(self.directory)


def produce(size, scenario, options):
    record, batch, connections, depth = scenario
    runs = []
    for _ in range(options.rounds):
        with Cluster(size) as cluster:
            runs.append(cluster.bench(
                "produce", "-r", str(record), "--batch-bytes", str(batch), "-c", str(connections), "--in-flight", str(depth),
                "--payload", options.payload, "-d", str(options.seconds), "--warmup", "1", "--topic", "bench"))
    return runs


def median(runs, read):
    return statistics.median(read(run) for run in runs)


def row(size, scenario, runs):
    record, batch, connections, depth = scenario
    cpu = median(runs, lambda run: sum(broker["cpuSeconds"] for broker in run["brokers"]))
    megabytes = median(runs, lambda run: run["payloadMegabytesPerSecond"])
    seconds = median(runs, lambda run: run["seconds"])
    memory = median(runs, lambda run: max(broker["peakResidentBytes"] for broker in run["brokers"]) / 1e6)
    return (
        f"| {size} | {record} B | {batch // 1000 if batch >= 900000 else batch // 1024} {'kB' if batch >= 900000 else 'KiB'} "
        f"| {connections} × {depth} | {megabytes:.0f} | {median(runs, lambda run: run['recordsPerSecond']) / 1000:.0f} k "
        f"| {median(runs, lambda run: run['latency']['p50']):.1f} | {median(runs, lambda run: run['latency']['p99']):.1f} "
        f"| {cpu / (megabytes * seconds / 1000):.1f} | {memory:.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--payload", default="random", choices=["random", "json"])
    parser.add_argument("--brokers", type=int, nargs="*", default=[1, 3])
    options = parser.parse_args()
    limits = json.loads(subprocess.run(
        [BINARY, "bench", "limits", "--json", "--seconds", "1"], check=True, capture_output=True, text=True).stdout)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    results = {
        "commit": commit, "machine": f"{os.cpu_count()} cores, {platform.machine()}", "durability": "flushed on a quorum",
        "payload": options.payload, "rounds": options.rounds, "limits": limits, "produce": [],
    }
    print(f"Commit {commit}, {results['machine']}, payload {options.payload}, median of {options.rounds} rounds.\n")
    print("| brokers | record | batch | connections × depth | MB/s | records/s | p50 ms | p99 ms | CPU s/GB, all brokers | peak MB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for size in options.brokers:
        for scenario in SCENARIOS:
            runs = produce(size, scenario, options)
            results["produce"].append({"brokers": size, "scenario": scenario, "runs": runs})
            print(row(size, scenario, runs), flush=True)
    print("\nThe machine's limits in the same run:\n\n```\n" + json.dumps(limits, indent=1) + "\n```")
    (ROOT / "Benchmarks/results.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
