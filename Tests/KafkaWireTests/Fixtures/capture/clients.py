"""What each client does: one of everything it can do. Called as `clients.py <client> <port> <round>`."""

import asyncio
import subprocess
import sys


def attempt(action):
    """A client may lack or refuse an operation at the versions it is offered; the others still matter."""
    try:
        return action()
    except Exception as error:
        print(f"  {type(error).__name__}: {error}"[:160], file=sys.stderr)


CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def kcat(address, step):
    def run(*arguments, text=None):
        command = ["kcat", "-b", address, *arguments]
        attempt(lambda: subprocess.run(command, input=text, text=True, timeout=6, capture_output=True))
    run("-P", "-t", "orders", "-k", "key", "-H", "origin=capture", text="hello from kcat\n")
    run("-L")
    run("-C", "-t", "orders", "-p", "0", "-o", "beginning", "-c", "1")
    run("-Q", "-t", "orders:0:-1")
    run("-P", "-t", "orders", "-z", "gzip", "-X", "enable.idempotence=true", text="again " * 50 + "\n")
    run("-G", "group", "-X", "session.timeout.ms=6000", "orders")


def confluent(address, step):
    from confluent_kafka import Consumer, Producer, TopicPartition
    from confluent_kafka.admin import (AdminClient, ConfigResource, NewPartitions, NewTopic, OffsetSpec)
    common = {"bootstrap.servers": address}

    def produce():
        producer = Producer({**common, "enable.idempotence": True, "compression.type": CODECS[step % 5]})
        producer.produce("orders", b"hello", b"key", headers={"origin": b"capture", "none": None})
        producer.flush(5)

    def consume(position):
        consumer = Consumer({**common, "group.id": "readers", "enable.auto.commit": False})
        consumer.assign([position])
        consumer.poll(3)
        attempt(lambda: consumer.get_watermark_offsets(TopicPartition("orders", 0), timeout=3))
        attempt(lambda: consumer.offsets_for_times([TopicPartition("orders", 0, 1000)], timeout=3))
        attempt(lambda: consumer.committed([TopicPartition("orders", 0)], timeout=1))
        consumer.close()

    def wait(futures):
        for future in futures.values():
            attempt(lambda: future.result(4))

    attempt(produce)
    attempt(lambda: consume(TopicPartition("orders", 0, 0)))
    attempt(lambda: consume(TopicPartition("orders", 0, 0, leader_epoch=2)))
    admin = AdminClient(common)
    topics = [
        NewTopic("orders", 3, 1, config={"retention.ms": "1000"}),
        NewTopic("placed", 2, replica_assignment=[[1], [1]]),
    ]
    attempt(lambda: wait(admin.create_topics(topics, request_timeout=4)))
    attempt(lambda: wait(admin.create_partitions([NewPartitions("orders", 5)], request_timeout=4)))
    attempt(lambda: wait(admin.describe_configs([ConfigResource("topic", "orders")], request_timeout=4)))
    attempt(lambda: wait(admin.list_offsets({TopicPartition("orders", 0): OffsetSpec.max_timestamp()})))
    attempt(lambda: admin.describe_cluster(request_timeout=4).result(4))
    from confluent_kafka import ElectionType
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry
    change = ConfigEntry("retention.ms", "2000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource("topic", "orders", incremental_configs=[change])
    attempt(lambda: wait(admin.incremental_alter_configs([resource], request_timeout=4)))
    resource = ConfigResource("topic", "orders", set_config={"retention.ms": "2000"})
    attempt(lambda: wait(admin.alter_configs([resource], request_timeout=4)))
    attempt(lambda: wait(admin.delete_records([TopicPartition("orders", 0, 1)], request_timeout=4)))
    place = [TopicPartition("orders", 0)]
    attempt(lambda: admin.elect_leaders(ElectionType.PREFERRED, place).result(4))
    attempt(lambda: wait(admin.delete_topics(["orders"], request_timeout=4)))


def kafka_python(address, step):
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic

    def produce():
        producer = KafkaProducer(bootstrap_servers=address, max_block_ms=4000, compression_type="gzip")
        producer.send("orders", b"hello", key=b"key", headers=[("origin", b"capture")]).get(4)
        producer.close(2)

    def consume():
        consumer = KafkaConsumer(bootstrap_servers=address, request_timeout_ms=4000, consumer_timeout_ms=2000)
        partition = TopicPartition("orders", 0)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        attempt(lambda: consumer.poll(2000))
        attempt(lambda: consumer.offsets_for_times({partition: 1000}))
        attempt(lambda: consumer.end_offsets([partition]))
        consumer.close()

    def group():
        consumer = KafkaConsumer("orders", group_id="readers", bootstrap_servers=address, consumer_timeout_ms=1500)
        attempt(lambda: consumer.poll(1500))
        consumer.close()

    attempt(produce)
    attempt(consume)
    attempt(group)
    admin = attempt(lambda: KafkaAdminClient(bootstrap_servers=address, request_timeout_ms=4000))
    if admin is None:
        return
    attempt(lambda: admin.create_topics([NewTopic("orders", 3, 1, topic_configs={"retention.ms": "1000"})]))
    attempt(lambda: admin.create_topics([NewTopic("placed", -1, -1, replica_assignments={0: [1], 1: [1]})]))
    attempt(lambda: admin.create_partitions({"orders": NewPartitions(5)}))
    attempt(lambda: admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "orders")]))
    attempt(lambda: admin.describe_cluster())
    place = TopicPartition("orders", 0)
    for incremental in (False, True):
        resource = ConfigResource(ConfigResourceType.TOPIC, "orders", {"retention.ms": "2000"})
        attempt(lambda: admin.alter_configs([resource], incremental=incremental, raise_on_unknown=False))
    attempt(lambda: admin.delete_records({place: 1}))
    attempt(lambda: admin.describe_log_dirs({"orders": [0]}))
    attempt(lambda: admin.describe_log_dirs())
    attempt(lambda: admin.describe_metadata_quorum())
    attempt(lambda: admin.describe_topic_partitions(["orders"], cursor={"topic_name": "orders", "partition_index": 1}))
    attempt(lambda: admin.elect_leaders(0, {"orders": [0]}))
    attempt(lambda: admin.alter_partition_reassignments({place: [1], TopicPartition("orders", 1): None}))
    attempt(lambda: admin.list_partition_reassignments([place]))
    attempt(lambda: admin.delete_topics(["orders"]))


async def aiokafka_session(address):
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    async def attempt_async(action):
        try:
            return await asyncio.wait_for(action, 5)
        except Exception as error:
            print(f"  {type(error).__name__}: {error}"[:160], file=sys.stderr)

    async def produce(**options):
        producer = AIOKafkaProducer(bootstrap_servers=address, **options)
        await producer.start()
        await attempt_async(producer.send_and_wait("orders", b"hello", key=b"key", headers=[("origin", b"capture")]))
        await producer.stop()

    async def consume():
        consumer = AIOKafkaConsumer(bootstrap_servers=address)
        await consumer.start()
        partition = TopicPartition("orders", 0)
        consumer.assign([partition])
        await attempt_async(consumer.seek_to_beginning(partition))
        await attempt_async(consumer.getmany(timeout_ms=1500))
        await attempt_async(consumer.offsets_for_times({partition: 1000}))
        await consumer.stop()

    async def administer():
        admin = AIOKafkaAdminClient(bootstrap_servers=address)
        await admin.start()
        await attempt_async(admin.create_topics([NewTopic("orders", 3, 1, topic_configs={"retention.ms": "1000"})]))
        await attempt_async(admin.create_partitions({"orders": NewPartitions(5)}))
        await attempt_async(admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "orders")]))
        resource = ConfigResource(ConfigResourceType.TOPIC, "orders", configs={"retention.ms": "2000"})
        await attempt_async(admin.alter_configs([resource]))
        before = RecordsToDelete(before_offset=1)
        await attempt_async(admin.delete_records({TopicPartition("orders", 0): before}))
        await attempt_async(admin.delete_topics(["orders"]))
        await admin.close()

    await attempt_async(produce())
    await attempt_async(produce(enable_idempotence=True))
    await attempt_async(consume())
    await attempt_async(administer())


CLIENTS = {
    "kcat": kcat,
    "confluent": confluent,
    "kafkapython": kafka_python,
    "aiokafka": lambda address, step: asyncio.run(aiokafka_session(address)),
}

if __name__ == "__main__":
    CLIENTS[sys.argv[1]](f"127.0.0.1:{sys.argv[2]}", int(sys.argv[3]))
