"""Producers while consumers that are far behind read from the beginning."""

import json
import subprocess

from harness.brokers import Cluster, bench_command
from harness.results import Scenario, median, spread, table

from .throughput import CONNECTIONS, load, timed

OLD_RECORDS = 1_000_000


def lagging(entry, seconds):
    with Cluster(entry["brokers"]) as cluster:
        cluster.bench("produce", *load(1024, 65_536, 5, topic="old"), "-n", OLD_RECORDS)
        produce = ["produce", *load(1024, 65_536, 5), *timed(seconds)]
        alone = cluster.bench(*produce)
        # They begin before the producers and end after them, starting over at the end of what is there.
        readers = subprocess.Popen(
            bench_command(cluster.bootstrap, "consume", "-c", CONNECTIONS, "-d", seconds + 1, "--warmup", 1,
                          "--topic", "old"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        beside = cluster.bench(*produce)
        output, errors = readers.communicate(timeout=120)
        if readers.returncode != 0:
            raise SystemExit(errors)
    return {"alone": alone, "beside": beside, "read": json.loads(output)}


def rows(results):
    for entry in results["entries"]:
        runs = entry["runs"]
        share = [run["beside"]["recordsPerSecond"] / run["alone"]["recordsPerSecond"] * 100 for run in runs]
        yield [
            entry["scenario"]["brokers"], f"{median(runs, 'alone', 'payloadMegabytesPerSecond'):.0f}",
            f"{median(runs, 'beside', 'payloadMegabytesPerSecond'):.0f}", spread(share, "{:.0f} %"),
            f"{median(runs, 'read', 'megabytesPerSecond'):.0f}",
            f"{median(runs, 'alone', 'latency', 'p99'):.1f}", f"{median(runs, 'beside', 'latency', 'p99'):.1f}",
        ]


LAGGING = Scenario(
    "lagging", "producers while eight consumers read a gigabyte of old records from the beginning",
    [{"brokers": brokers} for brokers in (1, 3)], lagging,
    lambda results: table(
        ["brokers", "produced alone MB/s", "beside readers MB/s", "share", "read MB/s", "p99 ms alone",
         "p99 ms beside"], rows(results)))
