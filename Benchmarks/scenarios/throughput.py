"""Producing, consuming, end to end, at half the rate, and what the machine can do."""

import json
import os
import subprocess

from harness.brokers import Cluster
from harness.needs import product
from harness.results import Scenario, cpu_per_gigabyte, median, size, spread, table

CONNECTIONS = 8
# Batch bytes and requests in flight on each connection: about a mebibyte under way, and more for the largest batches.
BATCHES = [(16_384, 16), (65_536, 5), (1_048_576, 3)]


def load(record, batch, depth, payload="random", connections=CONNECTIONS, topic="bench", codec="none"):
    """Options of `martlet bench produce`."""
    return ["-r", record, "--batch-bytes", batch, "-c", connections, "--in-flight", depth, "--payload", payload,
            "--topic", topic, "--codec", codec]


def timed(seconds):
    return ["-d", seconds, "--warmup", 1]


def loads():
    """What is produced; `compression` is the log's, `codec` that of the producers, who have none mostly."""
    for record in (100, 1024):
        for batch, depth in BATCHES:
            yield {"payload": "random", "record": record, "batch": batch, "depth": depth, "compression": "1"}
    for compression in ("1", "off"):
        for batch, depth in BATCHES[1:]:
            yield {"payload": "json", "record": 256, "batch": batch, "depth": depth, "compression": compression}
    for batch, depth in BATCHES[1:]:
        yield {"payload": "json", "record": 256, "batch": batch, "depth": depth, "compression": "1", "codec": "zstd"}


def load_of(entry, topic="bench"):
    return load(
        entry["record"], entry["batch"], entry["depth"], entry["payload"], topic=topic,
        codec=entry.get("codec", "none"))


def produce(entry, seconds):
    with Cluster(entry["brokers"], entry["compression"]) as cluster:
        return cluster.bench("produce", *load_of(entry), *timed(seconds))


def who_compresses(scenario):
    if "codec" in scenario:
        return "the producers, before the measurement"
    return "the log" if scenario["compression"] != "off" else "nobody"


def produce_rows(results):
    for entry in results["entries"]:
        scenario, runs = entry["scenario"], entry["runs"]
        yield [
            scenario["brokers"], f"{scenario['record']} B {scenario['payload']}", size(scenario["batch"]),
            f"{CONNECTIONS} × {scenario['depth']}", who_compresses(scenario),
            spread(run["payloadMegabytesPerSecond"] for run in runs),
            f"{median(runs, 'recordsPerSecond') / 1000:.0f} k",
            f"{median(runs, 'latency', 'p50'):.1f}", f"{median(runs, 'latency', 'p99'):.1f}",
            spread(map(cpu_per_gigabyte, runs), "{:.1f}"),
            spread(max(broker["peakResidentBytes"] for broker in run["brokers"]) / 1e6 for run in runs),
        ]


PRODUCE = Scenario(
    "produce", "one and three brokers, as fast as they take it",
    [{"brokers": brokers, **one} for brokers in (1, 3) for one in loads()], produce,
    lambda results: table(
        ["brokers", "record", "batch", "connections × depth", "who compresses", "MB/s", "records/s", "p50 ms",
         "p99 ms", "CPU s/GB, all brokers", "peak MB"], produce_rows(results)))


def consume(entry, seconds):
    """The same data twice: the newest part from memory, and all after a restart from disk."""
    with Cluster(entry["brokers"]) as cluster:
        cluster.bench("produce", *load(1024, 65_536, 5, entry["payload"]), "-n", 1_000_000)
        warm = cluster.bench("consume", "-c", CONNECTIONS, *timed(seconds), "--topic", "bench")
        cluster.stop()
        cluster.start()
        cold = cluster.bench("consume", "-c", CONNECTIONS, "--topic", "bench")
    return {"running": warm, "restarted": cold}


def consume_rows(results):
    for entry in results["entries"]:
        for state, name in (("running", "the running brokers"), ("restarted", "just restarted")):
            runs = [run[state] for run in entry["runs"]]
            yield [
                entry["scenario"]["brokers"], f"1 KiB {entry['scenario']['payload']}", name,
                spread(run["megabytesPerSecond"] for run in runs), f"{median(runs, 'recordsPerSecond') / 1000:.0f} k",
                spread((cpu_per_gigabyte(run, "megabytesPerSecond") for run in runs), "{:.1f}"),
            ]


CONSUME = Scenario(
    "consume", "a million records from the beginning, from running and from restarted brokers",
    [{"brokers": brokers, "payload": payload} for brokers in (1, 3) for payload in ("random", "json")], consume,
    lambda results: table(
        ["brokers", "record", "from", "MB/s", "records/s", "CPU s/GB, all brokers"], consume_rows(results)))


def end_to_end(entry, seconds):
    with Cluster(entry["brokers"]) as cluster:
        return cluster.bench("e2e", "-c", entry["connections"], "-r", 100, *timed(seconds), "--topic", "bench")


def end_to_end_rows(results):
    for entry in results["entries"]:
        yield [
            entry["scenario"]["brokers"], entry["scenario"]["connections"],
            f"{median(entry['runs'], 'recordsPerSecond'):.0f}",
            *(f"{median(entry['runs'], 'latency', key):.2f}" for key in ("p50", "p99", "p999")),
        ]


END_TO_END = Scenario(
    "e2e", "from sending a record to receiving it",
    [{"brokers": brokers, "connections": connections} for brokers in (1, 3) for connections in (1, 64)], end_to_end,
    lambda results: table(["brokers", "connections", "records/s", "p50 ms", "p99 ms", "p99.9 ms"],
                          end_to_end_rows(results)))


def latency(entry, seconds):
    """The peak first, then half of it: requests are sent when they are due, and their time counts from then."""
    with Cluster(entry["brokers"]) as cluster:
        peak = cluster.bench("produce", *load(entry["record"], entry["batch"], entry["depth"]), *timed(seconds))
        half = cluster.bench(
            "produce", *load(entry["record"], entry["batch"], 1_000), *timed(seconds),
            "--rate", peak["recordsPerSecond"] / 2)
    return {"peak": peak, "half": half}


def latency_rows(results):
    for entry in results["entries"]:
        scenario, runs = entry["scenario"], entry["runs"]
        yield [
            scenario["brokers"], f"{scenario['record']} B random", size(scenario["batch"]),
            f"{median(runs, 'peak', 'payloadMegabytesPerSecond'):.0f}",
            f"{median(runs, 'half', 'payloadMegabytesPerSecond'):.0f}",
            *(spread((run["half"]["latency"][key] for run in runs), "{:.1f}") for key in ("p50", "p99", "p999")),
        ]


LATENCY = Scenario(
    "latency", "at half the peak rate, without coordinated omission",
    [{"brokers": brokers, "record": record, "batch": batch, "depth": depth}
     for brokers in (1, 3) for record, (batch, depth) in ((100, BATCHES[0]), (1024, BATCHES[1]))], latency,
    lambda results: table(
        ["brokers", "record", "batch", "peak MB/s", "at MB/s", "p50 ms", "p99 ms", "p99.9 ms"], latency_rows(results)))


def limits(_, seconds):
    done = subprocess.run(
        [product("martlet"), "bench", "limits", "--json", "--seconds", "1", "--dir", os.getcwd()], check=True,
        capture_output=True, text=True)
    return json.loads(done.stdout)


def limit_rows(results):
    found = results["entries"][0]["runs"][0]
    yield ["CRC-32C, one core", f"{found['crc32cMegabytesPerSecond'] / 1000:.0f} GB/s"]
    yield ["loopback TCP, one connection", f"{found['loopbackMegabytesPerSecond'] / 1000:.1f} GB/s"]
    zstd = found["zstd"]
    yield ["zstd level 1 on the JSON, one core",
           f"{zstd['compressMegabytesPerSecond']:.0f} MB/s in, {zstd['decompressMegabytesPerSecond']:.0f} MB/s out, "
           f"ratio {zstd['ratio']:.1f}"]
    for disk in found["disk"]:
        yield [f"write and flush {disk['writeBytes'] >> 10} KiB, {'direct' if disk['isDirect'] else 'buffered'}",
               f"{disk['megabytesPerSecond']:.0f} MB/s, p50 {disk['p50']:.2f} ms, p99 {disk['p99']:.2f} ms"]


LIMITS = Scenario(
    "limits", "what the machine can do: checksums, loopback, compression, flushes", [{}], limits,
    lambda results: table(["the machine", "alone"], limit_rows(results)), durability="fsync after each write",
    single=True)
