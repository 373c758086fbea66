#!/usr/bin/env python3
"""Martlet beside the null broker: what durability on this machine costs at least, and Martlet's share of it.

Every round runs each scenario on both, one straight after the other. A ratio is the median of the rounds' ratios. Writes
the raw results as JSON, and the table made of them between the markers in docs/benchmarks.md."""

import os
import platform
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

from scenarios import ROOT, Cluster, bench, commit, free_ports, main, size, write_between

NULL_BROKER = os.environ.get("NULL_BROKER_BIN", str(ROOT / ".build/release/null-broker"))
RESULTS = ROOT / "Benchmarks/ceiling.json"
BEGIN, END = "<!-- ceiling: made by Benchmarks/ceiling.py -->", "<!-- end of ceiling -->"

# Record bytes, batch bytes, connections, requests in flight on each.
LOADS = [
    (100, 16_384, 8, 32), (100, 65_536, 8, 5), (100, 1_048_576, 8, 3),
    (16_000, 16_384, 1, 1), (1024, 1024, 64, 1),
]


class NullCluster:
    """One null broker and its followers."""

    def __init__(self, size):
        self.directory = tempfile.mkdtemp(prefix="null-bench-", dir=os.getcwd())
        self.ports = free_ports(size)
        self.processes = []

    def launch(self, port, *arguments):
        self.processes.append(subprocess.Popen(
            [NULL_BROKER, "--port", str(port), "--file", f"{self.directory}/{port}", *arguments]))

    def __enter__(self):
        leader, *followers = self.ports
        for port in followers:
            self.launch(port, "--follower")
        for port in followers:
            wait_for(port)
        self.launch(leader, *(word for port in followers for word in ("--forward", str(port))))
        return self

    def bench(self, *arguments):
        return bench(f"127.0.0.1:{self.ports[0]}", *arguments)

    def __exit__(self, *_):
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
        shutil.rmtree(self.directory)


def wait_for(port):
    """Until somebody listens; a connection would be taken for the leader's."""
    entry = f":{port:04X} 00000000:0000 0A"
    while entry not in open("/proc/net/tcp").read():
        time.sleep(0.02)


def produce(cluster, load, seconds):
    record, batch, connections, depth = load
    with cluster:
        return cluster.bench(
            "produce", "-r", record, "--batch-bytes", batch, "-c", connections, "--in-flight", depth, "--payload",
            "random", "-d", seconds, "--warmup", 1, "--topic", "bench")


def measure(options):
    entries = [{"brokers": n, "load": load, "rounds": []} for n in (1, 3) for load in LOADS]
    for number in range(options.rounds):
        for entry in entries:
            print(f"round {number + 1}: {entry['brokers']} brokers, {entry['load']}", flush=True)
            pair = {
                "martlet": produce(Cluster(entry["brokers"]), entry["load"], options.seconds),
                "null": produce(NullCluster(entry["brokers"]), entry["load"], options.seconds),
            }
            entry["rounds"].append(pair)
    return {
        "commit": commit(), "machine": f"{os.cpu_count()} cores, {platform.machine()}", "rounds": options.rounds,
        "seconds": options.seconds, "entries": entries,
    }


def row(entry):
    record, batch, connections, depth = entry["load"]
    rounds = entry["rounds"]

    def median(name, *keys):
        def value(run):
            for key in keys:
                run = run[key]
            return run
        return statistics.median(value(one[name]) for one in rounds)

    ratios = [one["martlet"]["requestsPerSecond"] / one["null"]["requestsPerSecond"] for one in rounds]
    cells = [
        entry["brokers"], f"{record} B", f"{batch} B" if batch < 10_000 else size(batch), f"{connections} × {depth}",
        f"{median('martlet', 'payloadMegabytesPerSecond'):.0f}", f"{median('null', 'payloadMegabytesPerSecond'):.0f}",
        f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f}–{max(ratios):.2f})",
        f"{median('martlet', 'requestsPerSecond'):.0f}",
        f"{median('martlet', 'latency', 'p50'):.2f} / {median('null', 'latency', 'p50'):.2f}",
        f"{median('martlet', 'latency', 'p99'):.2f} / {median('null', 'latency', 'p99'):.2f}",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def render(results):
    lines = [
        BEGIN, "",
        f"Commit {results['commit']}, {results['machine']}, medians of {results['rounds']} rounds of "
        f"{results['seconds']:g} s; in brackets the smallest and the largest.", "",
        "| brokers | record | batch | connections × depth | Martlet MB/s | null MB/s | Martlet / null | requests/s "
        "| p50 ms, Martlet / null | p99 ms, Martlet / null |", "|---|---|---|---|---|---|---|---|---|---|",
        *map(row, results["entries"]), "", END,
    ]
    write_between(BEGIN, END, lines)


if __name__ == "__main__":
    main(__doc__, RESULTS, measure, render)
