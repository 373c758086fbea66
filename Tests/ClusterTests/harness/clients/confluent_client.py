"""confluent-kafka, which is a recent librdkafka."""

import confluent_kafka
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, ResourceType)

from harness.clients.base import TIMEOUT_SECONDS, Refused
from harness.records import Record


class ConfluentClient:
    name = "confluent-kafka"
    has_admin = True
    sets_timestamps = True
    sends_null_headers = True
    sends_empty_values = True

    @property
    def version(self):
        return f"{confluent_kafka.version()} (librdkafka {confluent_kafka.libversion()[0]})"

    def producer(self, bootstrap, **settings):
        return confluent_kafka.Producer(
            {"bootstrap.servers": bootstrap, "linger.ms": 5, "message.timeout.ms": TIMEOUT_SECONDS * 1000,
             **{key.replace("_", "."): value for key, value in settings.items()}})

    def consumer(self, bootstrap, **settings):
        return confluent_kafka.Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False,
             **{key.replace("_", "."): value for key, value in settings.items()}})

    def produce(self, bootstrap, topic, records, partition=0, codec="none", acks="all", idempotent=False):
        producer = self.producer(bootstrap, acks=acks, compression_type=codec, enable_idempotence=idempotent)
        offsets, errors = [], []

        def delivered(error, message):
            if error:
                errors.append(error)
            else:
                offsets.append(message.offset())

        for record in records:
            extra = {} if record.timestamp is None else {"timestamp": record.timestamp}
            try:
                producer.produce(
                    topic, record.value, record.key, partition, on_delivery=delivered, headers=list(record.headers),
                    **extra)
            except confluent_kafka.KafkaException as error:
                raise Refused(error.args[0].code(), str(error)) from error
        left = producer.flush(TIMEOUT_SECONDS)
        assert left == 0, f"{left} records were not answered"
        if errors:
            raise Refused(errors[0].code(), errors[0].str())
        return offsets

    def consume(self, bootstrap, topic, offset, count, partition=0):
        consumer = self.consumer(bootstrap)
        try:
            consumer.assign([confluent_kafka.TopicPartition(topic, partition, offset)])
            found = []
            while len(found) < count:
                messages = consumer.consume(count - len(found), timeout=TIMEOUT_SECONDS)
                assert messages, f"only {len(found)} of {count} records came"
                for message in messages:
                    if message.error():
                        raise Refused(message.error().code(), message.error().str())
                    found.append(self.record(message))
            return found
        finally:
            consumer.close()

    @staticmethod
    def record(message):
        return Record(
            message.value(), message.key(), tuple(message.headers() or ()), message.timestamp()[1], message.offset())

    def watermarks(self, bootstrap, topic, partition=0):
        consumer = self.consumer(bootstrap)
        try:
            return consumer.get_watermark_offsets(
                confluent_kafka.TopicPartition(topic, partition), timeout=TIMEOUT_SECONDS, cached=False)
        finally:
            consumer.close()

    def offset_for_time(self, bootstrap, topic, timestamp, partition=0):
        consumer = self.consumer(bootstrap)
        try:
            (found,) = consumer.offsets_for_times(
                [confluent_kafka.TopicPartition(topic, partition, timestamp)], timeout=TIMEOUT_SECONDS)
            return None if found.offset == confluent_kafka.OFFSET_END else found.offset
        finally:
            consumer.close()

    # Administration

    def _with_admin(self, bootstrap, body):
        # The futures fail when the client is collected: it must live until they are done.
        admin = AdminClient({"bootstrap.servers": bootstrap})
        (future,) = body(admin).values()
        try:
            return future.result(TIMEOUT_SECONDS)
        except confluent_kafka.KafkaException as error:
            raise Refused(error.args[0].code(), error.args[0].str()) from error

    def create_topic(self, bootstrap, topic, partitions=1, configs=None):
        new = NewTopic(topic, num_partitions=partitions, config=configs or {})
        self._with_admin(bootstrap, lambda admin: admin.create_topics([new]))

    def delete_topic(self, bootstrap, topic):
        self._with_admin(bootstrap, lambda admin: admin.delete_topics([topic]))

    def add_partitions(self, bootstrap, topic, total):
        self._with_admin(bootstrap, lambda admin: admin.create_partitions([NewPartitions(topic, total)]))

    def topics(self, bootstrap):
        """The number of partitions of each topic."""
        listing = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=TIMEOUT_SECONDS)
        return {name: len(topic.partitions) for name, topic in listing.topics.items() if topic.error is None}

    def topic_configs(self, bootstrap, topic):
        resource = ConfigResource(ResourceType.TOPIC, topic)
        entries = self._with_admin(bootstrap, lambda admin: admin.describe_configs([resource]))
        return {name: entry.value for name, entry in entries.items()}

    def replace_configs(self, bootstrap, topic, configs):
        resource = ConfigResource(ResourceType.TOPIC, topic, set_config=configs)
        self._with_admin(bootstrap, lambda admin: admin.alter_configs([resource]))

    def change_configs(self, bootstrap, topic, configs, validate_only=False):
        """Sets the keys that have a value and deletes the others."""
        entries = [
            ConfigEntry(
                name, value, incremental_operation=AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET)
            for name, value in configs.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        self._with_admin(
            bootstrap, lambda admin: admin.incremental_alter_configs([resource], validate_only=validate_only))

    def delete_records(self, bootstrap, topic, offset, partition=0):
        """Deletes what lies before `offset`, everything for -1, and returns where the partition begins then."""
        place = confluent_kafka.TopicPartition(topic, partition, offset)
        return self._with_admin(bootstrap, lambda admin: admin.delete_records([place])).low_watermark
