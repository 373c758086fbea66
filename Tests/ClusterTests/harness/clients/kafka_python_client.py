"""kafka-python, a client of its own in pure Python."""

import re

import kafka
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
from kafka.errors import KafkaError

from harness.clients.base import TIMEOUT_SECONDS, Refused
from harness.records import Record

MILLISECONDS = TIMEOUT_SECONDS * 1000


class KafkaPythonClient:
    name = "kafka-python"
    has_admin = True
    sets_timestamps = True
    sends_null_headers = False
    sends_empty_values = True

    @property
    def version(self):
        return kafka.__version__

    def produce(self, bootstrap, topic, records, partition=0, codec="none", acks="all", idempotent=False):
        producer = kafka.KafkaProducer(
            bootstrap_servers=bootstrap, acks=acks if acks == "all" else int(acks), linger_ms=5,
            compression_type=None if codec == "none" else codec, enable_idempotence=idempotent,
            request_timeout_ms=MILLISECONDS, max_block_ms=MILLISECONDS)
        try:
            futures = [
                producer.send(
                    topic, record.value, record.key, list(record.headers), partition, record.timestamp)
                for record in records
            ]
            return [future.get(TIMEOUT_SECONDS).offset for future in futures]
        except KafkaError as error:
            raise Refused(getattr(error, "errno", -1), str(error)) from error
        finally:
            producer.close(timeout=5)

    def consumer(self, bootstrap, **settings):
        return kafka.KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, **settings)

    def consume(self, bootstrap, topic, offset, count, partition=0):
        consumer = self.consumer(bootstrap, consumer_timeout_ms=MILLISECONDS)
        try:
            consumer.assign([kafka.TopicPartition(topic, partition)])
            consumer.seek(kafka.TopicPartition(topic, partition), offset)
            found = []
            for message in consumer:
                found.append(
                    Record(message.value, message.key, tuple(message.headers), message.timestamp, message.offset))
                if len(found) == count:
                    return found
            raise AssertionError(f"only {len(found)} of {count} records came")
        finally:
            consumer.close()

    def watermarks(self, bootstrap, topic, partition=0):
        place = kafka.TopicPartition(topic, partition)
        consumer = self.consumer(bootstrap)
        try:
            return consumer.beginning_offsets([place])[place], consumer.end_offsets([place])[place]
        finally:
            consumer.close()

    def offset_for_time(self, bootstrap, topic, timestamp, partition=0):
        place = kafka.TopicPartition(topic, partition)
        consumer = self.consumer(bootstrap)
        try:
            found = consumer.offsets_for_times({place: timestamp})[place]
            return None if found is None else found.offset
        finally:
            consumer.close()

    # Administration

    def _with_admin(self, bootstrap, body):
        admin = KafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=MILLISECONDS)
        try:
            return body(admin)
        except KafkaError as error:
            raise Refused(getattr(error, "errno", -1), str(error)) from error
        finally:
            admin.close()

    def create_topic(self, bootstrap, topic, partitions=1, configs=None):
        new = NewTopic(topic, partitions, -1, topic_configs=configs or {})
        self._with_admin(bootstrap, lambda admin: admin.create_topics([new]))

    def delete_topic(self, bootstrap, topic):
        self._with_admin(bootstrap, lambda admin: admin.delete_topics([topic]))

    def add_partitions(self, bootstrap, topic, total):
        self._with_admin(bootstrap, lambda admin: admin.create_partitions({topic: NewPartitions(total)}))

    def topics(self, bootstrap):
        described = self._with_admin(bootstrap, lambda admin: admin.describe_topics())
        return {topic["name"]: len(topic["partitions"]) for topic in described}

    def topic_configs(self, bootstrap, topic):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        described = self._with_admin(
            bootstrap, lambda admin: admin.describe_configs([resource], config_filter="all"))
        return {name: entry["value"] for name, entry in described["topic"][topic].items()}

    # It sends what was set before along with what is to be set.
    replace_configs = None

    def change_configs(self, bootstrap, topic, configs, validate_only=False):
        """Sets the keys that have a value and deletes the others."""
        changes = {name: ("DELETE" if value is None else "SET", value) for name, value in configs.items()}
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, changes)
        results = self._with_admin(
            bootstrap, lambda admin: admin.alter_configs(
                [resource], incremental=True, raise_on_unknown=False, validate_only=validate_only))
        # Errors come as text: "[Error 40] InvalidConfigurationError: ...".
        refused = re.match(r"\[Error (\d+)\]", results["topic"][topic])
        if refused:
            raise Refused(int(refused[1]), results["topic"][topic])

    def delete_records(self, bootstrap, topic, offset, partition=0):
        """Deletes what lies before `offset`, everything for -1, and returns where the partition begins then."""
        place = kafka.TopicPartition(topic, partition)
        found = self._with_admin(bootstrap, lambda admin: admin.delete_records({place: offset}))
        return found[place]["low_watermark"]
