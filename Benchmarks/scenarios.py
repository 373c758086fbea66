#!/usr/bin/env python3
"""Drives one and three brokers on this machine through the standard scenarios; needs Python 3 alone.

Every round runs all scenarios once, in turn, each on brokers started for it; a figure is the median of the rounds.
Writes the raw results as JSON, and the tables made of them between the markers in docs/benchmarks.md."""

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARY = os.environ.get("MARTLET_BIN", str(ROOT / ".build/release/martlet"))
RESULTS = ROOT / "Benchmarks/results.json"
PAGE = ROOT / "docs/benchmarks.md"
BEGIN, END = "<!-- tables: made by Benchmarks/scenarios.py -->", "<!-- end of tables -->"
CONNECTIONS = 8
# Batch bytes and requests in flight on each connection: about a mebibyte under way, and more for the largest batches.
BATCHES = [(16_384, 16), (65_536, 5), (1_048_576, 3)]


def produce_scenarios():
    for brokers in (1, 3):
        for record in (100, 1024):
            for batch, depth in BATCHES:
                yield {"brokers": brokers, "payload": "random", "record": record, "batch": batch, "depth": depth,
                       "compression": "1"}
        for compression in ("1", "off"):
            for batch, depth in BATCHES[1:]:
                yield {"brokers": brokers, "payload": "json", "record": 256, "batch": batch, "depth": depth,
                       "compression": compression}


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def bench(bootstrap, *arguments):
    """What `martlet bench` says, as soon as it can: until brokers have found each other, topics have no leader."""
    command = [BINARY, "bench", *map(str, arguments), "--json", "--bootstrap", bootstrap]
    deadline = time.monotonic() + 20
    while True:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode == 0:
            return json.loads(done.stdout)
        if time.monotonic() > deadline:
            raise SystemExit(done.stderr)
        time.sleep(0.2)


class Cluster:
    """Brokers as processes of their own, data in a directory that goes with them."""

    def __init__(self, size, compression="1"):
        self.directory = tempfile.mkdtemp(prefix="martlet-bench-", dir=os.getcwd())
        self.size, self.compression = size, compression
        self.ports = free_ports(2 * size)
        self.bootstrap = ",".join(f"127.0.0.1:{port}" for port in self.ports[:size])
        self.processes = []

    def start(self):
        members = ",".join(f"{n + 1}=127.0.0.1:{self.ports[self.size + n]}" for n in range(self.size))
        self.processes = [
            subprocess.Popen([
                BINARY, "serve", "--node-id", str(n + 1), "--data-dir", f"{self.directory}/{n + 1}",
                "--listen", f"127.0.0.1:{self.ports[n]}", "--peer-listen", f"127.0.0.1:{self.ports[self.size + n]}",
                "--cluster", members, "--compression", self.compression,
            ], stderr=subprocess.DEVNULL)
            for n in range(self.size)
        ]

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait()

    def bench(self, *arguments):
        return bench(self.bootstrap, *arguments)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory)


def produce(scenario, seconds):
    with Cluster(scenario["brokers"], scenario["compression"]) as cluster:
        return cluster.bench(
            "produce", "-r", scenario["record"], "--batch-bytes", scenario["batch"], "-c", CONNECTIONS, "--in-flight",
            scenario["depth"], "--payload", scenario["payload"], "-d", seconds, "--warmup", 1, "--topic", "bench")


def consume(brokers, payload, seconds):
    """The same data three times: the newest part from memory, all after a restart from disk, and end to end."""
    with Cluster(brokers) as cluster:
        cluster.bench("produce", "-r", 1024, "-c", CONNECTIONS, "--payload", payload, "-n", 1_000_000, "--topic", "bench")
        warm = cluster.bench("consume", "-c", CONNECTIONS, "-d", seconds, "--warmup", 1, "--topic", "bench")
        cluster.stop()
        cluster.start()
        cold = cluster.bench("consume", "-c", CONNECTIONS, "--topic", "bench")
    return {"running": warm, "restarted": cold}


def end_to_end(brokers, connections, seconds):
    with Cluster(brokers) as cluster:
        return cluster.bench("e2e", "-c", connections, "-r", 100, "-d", seconds, "--warmup", 1, "--topic", "bench")


def measure(options):
    limits = json.loads(subprocess.run(
        [BINARY, "bench", "limits", "--json", "--seconds", "1"], check=True, capture_output=True, text=True).stdout)
    produced = [{"scenario": scenario, "runs": []} for scenario in produce_scenarios()]
    consumed = [{"brokers": n, "payload": payload, "runs": []} for n in (1, 3) for payload in ("random", "json")]
    ended = [{"brokers": n, "connections": c, "runs": []} for n in (1, 3) for c in (1, 64)]
    for number in range(options.rounds):
        for entry in produced:
            print(f"round {number + 1}: produce {entry['scenario']}", flush=True)
            entry["runs"].append(produce(entry["scenario"], options.seconds))
        for entry in consumed:
            print(f"round {number + 1}: consume {entry['brokers']} {entry['payload']}", flush=True)
            entry["runs"].append(consume(entry["brokers"], entry["payload"], options.seconds))
        for entry in ended:
            print(f"round {number + 1}: end to end {entry['brokers']} × {entry['connections']}", flush=True)
            entry["runs"].append(end_to_end(entry["brokers"], entry["connections"], options.seconds))
    return {
        "commit": commit(), "machine": f"{os.cpu_count()} cores, {platform.machine()}", "rounds": options.rounds,
        "seconds": options.seconds, "limits": limits, "produce": produced, "consume": consumed, "endToEnd": ended,
    }


# Tables


def median(runs, read):
    return statistics.median(read(run) for run in runs)


def cpu_per_gigabyte(run, megabytes):
    return sum(broker["cpuSeconds"] for broker in run["brokers"]) / (megabytes(run) * run["seconds"] / 1000)


def size(count):
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"


def produce_row(entry):
    scenario, runs = entry["scenario"], entry["runs"]
    payload = lambda run: run["payloadMegabytesPerSecond"]
    rates = [payload(run) for run in runs]
    cells = [
        scenario["brokers"], f"{scenario['record']} B {scenario['payload']}", size(scenario["batch"]),
        f"{CONNECTIONS} × {scenario['depth']}", "zstd" if scenario["compression"] != "off" else "off",
        f"{statistics.median(rates):.0f} ({min(rates):.0f}–{max(rates):.0f})",
        f"{median(runs, lambda run: run['recordsPerSecond']) / 1000:.0f} k",
        f"{median(runs, lambda run: run['latency']['p50']):.1f}", f"{median(runs, lambda run: run['latency']['p99']):.1f}",
        f"{median(runs, lambda run: cpu_per_gigabyte(run, payload)):.1f}",
        f"{median(runs, lambda run: max(broker['peakResidentBytes'] for broker in run['brokers']) / 1e6):.0f}",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def consume_row(entry, state):
    runs = [run[state] for run in entry["runs"]]
    wire = lambda run: run["megabytesPerSecond"]
    cells = [
        entry["brokers"], f"1 KiB {entry['payload']}", "the running brokers" if state == "running" else "just restarted",
        f"{median(runs, wire):.0f}", f"{median(runs, lambda run: run['recordsPerSecond']) / 1000:.0f} k",
        f"{median(runs, lambda run: cpu_per_gigabyte(run, wire)):.1f}",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def end_to_end_row(entry):
    runs = entry["runs"]
    cells = [entry["brokers"], entry["connections"], f"{median(runs, lambda run: run['recordsPerSecond']):.0f}"]
    cells += [f"{median(runs, lambda run: run['latency'][key]):.2f}" for key in ("p50", "p99", "p999")]
    return "| " + " | ".join(map(str, cells)) + " |"


def limit_rows(limits):
    yield f"| CRC-32C, one core | {limits['crc32cMegabytesPerSecond'] / 1000:.0f} GB/s |"
    yield f"| loopback TCP, one connection | {limits['loopbackMegabytesPerSecond'] / 1000:.1f} GB/s |"
    zstd = limits["zstd"]
    yield (f"| zstd level 1 on the JSON, one core | {zstd['compressMegabytesPerSecond']:.0f} MB/s in, "
           f"{zstd['decompressMegabytesPerSecond']:.0f} MB/s out, ratio {zstd['ratio']:.1f} |")
    for disk in limits["disk"]:
        yield (f"| write and flush {disk['writeBytes'] >> 10} KiB, {'direct' if disk['isDirect'] else 'buffered'} "
               f"| {disk['megabytesPerSecond']:.0f} MB/s, p50 {disk['p50']:.2f} ms, p99 {disk['p99']:.2f} ms |")


def render(results):
    lines = [
        BEGIN, "",
        f"Commit {results['commit']}, {results['machine']}, medians of {results['rounds']} rounds of "
        f"{results['seconds']:g} s; in brackets the smallest and the largest.", "",
        "### Producing", "",
        "| brokers | record | batch | connections × depth | log | MB/s | records/s | p50 ms | p99 ms | CPU s/GB, all brokers "
        "| peak MB |", "|---|---|---|---|---|---|---|---|---|---|---|",
        *map(produce_row, results["produce"]), "",
        "### Consuming", "",
        f"A million records, read by {CONNECTIONS} connections from the beginning. MB/s are bytes on the wire.", "",
        "| brokers | record | from | MB/s | records/s | CPU s/GB, all brokers |", "|---|---|---|---|---|---|",
        *(consume_row(entry, state) for entry in results["consume"] for state in ("running", "restarted")), "",
        "### End to end", "",
        "From sending a record of 100 B to receiving it, one under way on each connection. Milliseconds.", "",
        "| brokers | connections | records/s | p50 | p99 | p99.9 |", "|---|---|---|---|---|---|",
        *map(end_to_end_row, results["endToEnd"]), "",
        "### The machine in the same run", "", "| | |", "|---|---|", *limit_rows(results["limits"]), "", END,
    ]
    write_between(BEGIN, END, lines)


def write_between(begin, end, lines):
    """Replaces what stands in the page from one marker to the other."""
    head, rest = PAGE.read_text().split(begin)
    PAGE.write_text(head + "\n".join(lines) + rest.split(end)[1])


def commit():
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()


def main(description, results, measure, render):
    """Measures into the file of results, and makes the tables of them."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--render", action="store_true", help="only make the tables anew from the results")
    options = parser.parse_args()
    if not options.render:
        results.write_text(json.dumps(measure(options), indent=1) + "\n")
    render(json.loads(results.read_text()))


if __name__ == "__main__":
    main(__doc__, RESULTS, measure, render)
