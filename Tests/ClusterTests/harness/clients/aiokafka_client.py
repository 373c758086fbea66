"""aiokafka, which speaks only the older, non-flexible versions of the protocol."""

import asyncio

import aiokafka
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from harness.clients.base import TIMEOUT_SECONDS, Refused
from harness.records import Record


class AIOKafkaClient:
    name = "aiokafka"
    has_admin = True
    sets_timestamps = True
    sends_null_headers = True
    sends_empty_values = True

    @property
    def version(self):
        return aiokafka.__version__

    def _run(self, coroutine):
        async def limited():
            return await asyncio.wait_for(coroutine, TIMEOUT_SECONDS)

        try:
            return asyncio.run(limited())
        except KafkaError as error:
            raise Refused(getattr(error, "errno", -1), str(error)) from error

    def produce(self, bootstrap, topic, records, partition=0, codec="none", acks="all", idempotent=False):
        async def send_all():
            producer = aiokafka.AIOKafkaProducer(
                bootstrap_servers=bootstrap, acks=acks if acks == "all" else int(acks), linger_ms=5,
                compression_type=None if codec == "none" else codec, enable_idempotence=idempotent)
            await producer.start()
            try:
                futures = [
                    await producer.send(
                        topic, record.value, record.key, partition, record.timestamp, list(record.headers))
                    for record in records
                ]
                return [getattr(await future, "offset", None) for future in futures]
            finally:
                await producer.stop()

        return self._run(send_all())

    def _with_consumer(self, bootstrap, body):
        async def run():
            consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
            await consumer.start()
            try:
                return await body(consumer)
            finally:
                await consumer.stop()

        return self._run(run())

    def consume(self, bootstrap, topic, offset, count, partition=0):
        async def read(consumer):
            place = aiokafka.TopicPartition(topic, partition)
            consumer.assign([place])
            consumer.seek(place, offset)
            messages = [await consumer.getone() for _ in range(count)]
            return [Record(m.value, m.key, tuple(m.headers), m.timestamp, m.offset) for m in messages]

        return self._with_consumer(bootstrap, read)

    def watermarks(self, bootstrap, topic, partition=0):
        place = aiokafka.TopicPartition(topic, partition)

        async def ask(consumer):
            return (await consumer.beginning_offsets([place]))[place], (await consumer.end_offsets([place]))[place]

        return self._with_consumer(bootstrap, ask)

    def offset_for_time(self, bootstrap, topic, timestamp, partition=0):
        place = aiokafka.TopicPartition(topic, partition)

        async def ask(consumer):
            found = (await consumer.offsets_for_times({place: timestamp}))[place]
            return None if found is None else found.offset

        return self._with_consumer(bootstrap, ask)

    # Administration. This client hands out the broker's responses as they are; their errors are raised here.

    def _with_admin(self, bootstrap, body):
        async def run():
            admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
            await admin.start()
            try:
                return await body(admin)
            finally:
                await admin.close()

        return self._run(run())

    @staticmethod
    def _check(errors):
        for code in errors:
            if code != 0:
                raise Refused(code, for_code(code).__name__)

    def create_topic(self, bootstrap, topic, partitions=1, configs=None):
        new = NewTopic(topic, partitions, 1, topic_configs=configs or {})
        response = self._with_admin(bootstrap, lambda admin: admin.create_topics([new]))
        self._check(error[1] for error in response.topic_errors)

    def delete_topic(self, bootstrap, topic):
        response = self._with_admin(bootstrap, lambda admin: admin.delete_topics([topic]))
        self._check(code for _, code in response.topic_error_codes)

    def add_partitions(self, bootstrap, topic, total):
        response = self._with_admin(
            bootstrap, lambda admin: admin.create_partitions({topic: NewPartitions(total)}))
        self._check(error[1] for error in response.topic_errors)

    def topics(self, bootstrap):
        async def ask(admin):
            # All of them, not by name: asking for a name that was just deleted would create it again.
            return await admin.describe_topics()

        described = self._with_admin(bootstrap, ask)
        return {topic["topic"]: len(topic["partitions"]) for topic in described}

    def topic_configs(self, bootstrap, topic):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        (response,) = self._with_admin(bootstrap, lambda admin: admin.describe_configs([resource]))
        (found,) = response.resources
        self._check([found[0]])
        return {entry[0]: entry[1] for entry in found[4]}

    def replace_configs(self, bootstrap, topic, configs):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs=configs)
        responses = self._with_admin(bootstrap, lambda admin: admin.alter_configs([resource]))
        self._check(found[0] for response in responses for found in response.resources)

    # It has no request for single keys.
    change_configs = None

    def delete_records(self, bootstrap, topic, offset, partition=0):
        """Deletes what lies before `offset`, everything for -1, and returns where the partition begins then."""
        place = aiokafka.TopicPartition(topic, partition)
        found = self._with_admin(
            bootstrap, lambda admin: admin.delete_records({place: RecordsToDelete(before_offset=offset)}))
        return found[place]
