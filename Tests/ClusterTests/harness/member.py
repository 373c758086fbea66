"""One member of a consumer group in a process of its own, so that it can be killed: `python member.py '{...}'`.

What happens to it is written to stdout, a JSON object a line: `assigned` and `revoked` with partitions, `record` with
partition, offset and value, `committed`. Offsets are committed after their records were written here, and by nothing
else. SIGTERM closes the consumer as it should be closed.
"""

import asyncio
import json
import os
import signal
import sys

_ended = False


def say(event, **fields):
    # Whole lines in one write: the process may be killed at any time.
    os.write(1, (json.dumps({"event": event, **fields}) + "\n").encode())


def end(*_):
    global _ended
    _ended = True


def run_confluent(options):
    import confluent_kafka

    settings = {
        "bootstrap.servers": options["bootstrap"], "group.id": options["group"], "auto.offset.reset": options["reset"],
        "enable.auto.commit": False, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
        "partition.assignment.strategy": options["strategy"] or "range", "topic.metadata.refresh.interval.ms": 1000,
        "max.poll.interval.ms": 10_000,
    }
    if options["instance"]:
        settings["group.instance.id"] = options["instance"]
    consumer = confluent_kafka.Consumer(settings)
    consumer.subscribe(
        [options["topic"]],
        on_assign=lambda _, partitions: say("assigned", partitions=[one.partition for one in partitions]),
        on_revoke=lambda _, partitions: say("revoked", partitions=[one.partition for one in partitions]),
        on_lost=lambda _, partitions: say("revoked", partitions=[one.partition for one in partitions]))
    while not _ended:
        messages = consumer.consume(50, timeout=0.1)
        for message in messages:
            if message.error():
                say("error", text=str(message.error()))
            else:
                say("record", partition=message.partition(), offset=message.offset(), value=message.value().decode())
        if messages:
            try:
                consumer.commit(asynchronous=False)
                say("committed")
            except confluent_kafka.KafkaException as error:
                say("error", text=str(error))
    consumer.close()


def run_kafka_python(options):
    import kafka
    from kafka.coordinator.assignors.range import RangePartitionAssignor
    from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
    from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

    class Listener(kafka.ConsumerRebalanceListener):
        def on_partitions_revoked(self, revoked):
            say("revoked", partitions=[one.partition for one in revoked])

        def on_partitions_assigned(self, assigned):
            say("assigned", partitions=[one.partition for one in assigned])

    strategies = {
        None: RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor, "sticky": StickyPartitionAssignor}
    extra = {"group_instance_id": options["instance"]} if options["instance"] else {}
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=options["bootstrap"].split(","), group_id=options["group"],
        auto_offset_reset=options["reset"], enable_auto_commit=False, session_timeout_ms=6000,
        heartbeat_interval_ms=500, max_poll_interval_ms=10_000, metadata_max_age_ms=1000, retry_backoff_ms=100,
        partition_assignment_strategy=[strategies[options["strategy"]]], **extra)
    consumer.subscribe([options["topic"]], listener=Listener())
    while not _ended:
        found = consumer.poll(100, max_records=50)
        for partition, records in found.items():
            for record in records:
                say("record", partition=partition.partition, offset=record.offset, value=record.value.decode())
        if found:
            try:
                consumer.commit()
                say("committed")
            except kafka.errors.KafkaError as error:
                say("error", text=repr(error))
    consumer.close(autocommit=False)


async def run_aiokafka(options):
    import aiokafka
    from aiokafka.coordinator.assignors.range import RangePartitionAssignor
    from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

    class Listener(aiokafka.ConsumerRebalanceListener):
        def on_partitions_revoked(self, revoked):
            say("revoked", partitions=[one.partition for one in revoked])

        def on_partitions_assigned(self, assigned):
            say("assigned", partitions=[one.partition for one in assigned])

    strategies = {None: RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor}
    extra = {"group_instance_id": options["instance"]} if options["instance"] else {}
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=options["bootstrap"], group_id=options["group"], auto_offset_reset=options["reset"],
        enable_auto_commit=False, session_timeout_ms=6000, heartbeat_interval_ms=500, max_poll_interval_ms=10_000,
        rebalance_timeout_ms=10_000, metadata_max_age_ms=1000,
        partition_assignment_strategy=[strategies[options["strategy"]]], **extra)
    consumer.subscribe([options["topic"]], listener=Listener())
    await consumer.start()
    while not _ended:
        found = await consumer.getmany(timeout_ms=100, max_records=50)
        for partition, records in found.items():
            for record in records:
                say("record", partition=partition.partition, offset=record.offset, value=record.value.decode())
        if found:
            try:
                await consumer.commit()
                say("committed")
            except aiokafka.errors.KafkaError as error:
                say("error", text=repr(error))
    await consumer.stop()


def main():
    options = json.loads(sys.argv[1])
    signal.signal(signal.SIGTERM, end)
    if options["client"] == "confluent-kafka":
        run_confluent(options)
    elif options["client"] == "kafka-python":
        run_kafka_python(options)
    else:
        asyncio.run(run_aiokafka(options))
    say("closed")


main()
