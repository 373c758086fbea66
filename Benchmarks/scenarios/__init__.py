"""The scenarios, in the order of the page."""

from . import ceiling, external, nats, partitions, raft, reading, start, throughput

SCENARIOS = [
    throughput.PRODUCE, throughput.CONSUME, throughput.END_TO_END, throughput.LIMITS, ceiling.CEILING,
    throughput.LATENCY, reading.READING, reading.LAGGING, partitions.PARTITIONS, partitions.SHARDS, start.START, raft.RAFT, nats.NATS,
]
