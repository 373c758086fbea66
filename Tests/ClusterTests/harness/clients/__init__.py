"""The Kafka clients under test, behind one small interface.

Every client here can:

    produce(bootstrap, topic, records, partition=0, codec="none", acks="all", idempotent=False) -> offsets or None
    consume(bootstrap, topic, offset, count, partition=0) -> records with their offsets

    watermarks(bootstrap, topic, partition=0) -> the offsets of the first record and behind the last
    offset_for_time(bootstrap, topic, timestamp, partition=0) -> offset, or None

and those with `has_admin` also: create_topic, delete_topic, add_partitions, topics, topic_configs, delete_records, and
replace_configs and change_configs unless they are None. What a client cannot do, whatever the broker, its other
properties say. A refusal by the broker is raised as `Refused` with Kafka's
error code.
"""

from harness.clients.aiokafka_client import AIOKafkaClient
from harness.clients.base import Refused
from harness.clients.confluent_client import ConfluentClient
from harness.clients.kafka_python_client import KafkaPythonClient
from harness.clients.kcat_client import KcatClient

ALL = [KcatClient(), ConfluentClient(), KafkaPythonClient(), AIOKafkaClient()]
WITH_ADMIN = [client for client in ALL if client.has_admin]

__all__ = ["ALL", "WITH_ADMIN", "AIOKafkaClient", "ConfluentClient", "KafkaPythonClient", "KcatClient", "Refused"]
