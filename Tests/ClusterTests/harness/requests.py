"""The few requests that tests send by hand, and their answers."""

import dataclasses
import struct

from harness.wire import Reader, Writer

PRODUCE, FETCH, LIST_OFFSETS, METADATA, API_VERSIONS, CREATE_TOPICS, INIT_PRODUCER_ID = 0, 1, 2, 3, 18, 19, 22
DESCRIBE_GROUPS = 15

# The errors that tests expect, by Kafka's names.
NONE = 0
OFFSET_OUT_OF_RANGE = 1
CORRUPT_MESSAGE = 2
UNKNOWN_TOPIC_OR_PARTITION = 3
LEADER_NOT_AVAILABLE = 5
NOT_LEADER_OR_FOLLOWER = 6
MESSAGE_TOO_LARGE = 10
COORDINATOR_LOAD_IN_PROGRESS = 14
INVALID_REQUIRED_ACKS = 21
UNSUPPORTED_VERSION = 35
NOT_CONTROLLER = 41
OUT_OF_ORDER_SEQUENCE_NUMBER = 45
INVALID_PRODUCER_EPOCH = 47
KAFKA_STORAGE_ERROR = 56
INVALID_RECORD = 87

LATEST, EARLIEST = -1, -2


@dataclasses.dataclass
class PartitionMetadata:
    error: int
    leader: int
    leader_epoch: int


@dataclasses.dataclass
class TopicMetadata:
    error: int
    partitions: dict


@dataclasses.dataclass
class Metadata:
    brokers: dict
    controller: int
    topics: dict


def metadata(connection, topics=(), auto_create=False):
    """Metadata v7; `topics` None means all."""
    body = Writer()
    body.array(None if topics is None else list(topics), body.string).int8(auto_create)
    reader = connection.request(METADATA, 7, body.data())
    reader.int32()
    brokers = {}
    for _ in range(reader.int32()):
        node, host, port, _ = reader.int32(), reader.string(), reader.int32(), reader.string()
        brokers[node] = f"{host}:{port}"
    reader.string()
    controller = reader.int32()

    def partition():
        error, index, leader, epoch = reader.int16(), reader.int32(), reader.int32(), reader.int32()
        for _ in range(3):
            reader.array(reader.int32)
        return index, PartitionMetadata(error, leader, epoch)

    found = {}
    for _ in range(reader.int32()):
        error, name, _ = reader.int16(), reader.string(), reader.int8()
        found[name] = TopicMetadata(error, dict(reader.array(partition)))
    assert reader.remaining == 0
    return Metadata(brokers, controller, found)


def create_topic(connection, name, partitions=1, configs=None):
    """CreateTopics v4; returns the error."""
    body = Writer()

    def config(item):
        body.string(item[0]).string(item[1])

    body.int32(1).string(name).int32(partitions).int16(-1).array([], None)
    body.array(list((configs or {}).items()), config)
    reader = connection.request(CREATE_TOPICS, 4, body.int32(30_000).int8(False).data())
    reader.int32()
    (error,) = reader.array(lambda: (reader.string(), reader.int16(), reader.string())[1])
    return error


@dataclasses.dataclass
class Produced:
    error: int
    base_offset: int
    append_time: int
    message: str | None = None
    leader: int | None = None
    leader_address: str | None = None


def produce_body(topic, data, partition=0, acks=-1, version=8, timeout=30_000):
    body = Writer(flexible=version >= 9)
    if version >= 3:
        body.string(None)
    body.int16(acks).int32(timeout)

    def one_partition(index):
        body.int32(index).bytes(data).tags()

    def one_topic(name):
        body.string(name).array([partition], one_partition).tags()

    return body.array([topic], one_topic).tags().data()


def send_produce(connection, topic, data, partition=0, acks=-1, version=8, timeout=30_000):
    return connection.send(
        PRODUCE, version, produce_body(topic, data, partition, acks, version, timeout), flexible=version >= 9)


def receive_produce(connection, correlation, version=8):
    reader = connection.receive(correlation, flexible=version >= 9)

    def one_partition():
        reader.int32()
        produced = Produced(reader.int16(), reader.int64(), reader.int64())
        reader.int64()
        if version >= 8:
            reader.array(lambda: (reader.int32(), reader.string(), reader.tags()))
            produced.message = reader.string()
        hint = reader.tags().get(0)
        if hint:
            produced.leader = hint.int32()
        return produced

    def one_topic():
        reader.string()
        partitions = reader.array(one_partition)
        reader.tags()
        return partitions

    ((produced,),) = reader.array(one_topic)
    reader.int32()
    endpoints = reader.tags().get(0)
    if endpoints:
        _, _, host, port = endpoints.uvarint(), endpoints.int32(), endpoints.string(), endpoints.int32()
        produced.leader_address = f"{host}:{port}"
    return produced


def produce(connection, topic, data, partition=0, acks=-1, version=8):
    return receive_produce(connection, send_produce(connection, topic, data, partition, acks, version), version)


@dataclasses.dataclass
class Fetched:
    error: int
    high_watermark: int
    log_start: int
    records: bytes


def send_fetch_many(
    connection, places, max_wait=0, min_bytes=1, max_bytes=50 << 20, partition_max=50 << 20, leader_epoch=-1
):
    """Fetch v11; `places` are the topic, the partition and the offset of each partition wanted."""
    body = Writer().int32(-1).int32(max_wait).int32(min_bytes).int32(max_bytes).int8(0).int32(0).int32(-1)

    def one_topic(place):
        topic, partition, offset = place
        body.string(topic).int32(1).int32(partition).int32(leader_epoch).int64(offset).int64(-1).int32(partition_max)

    return connection.send(FETCH, 11, body.array(places, one_topic).int32(0).string("").data())


def receive_fetch_many(connection, correlation):
    """What was fetched, in the order of the answer: the topic, the partition, and its `Fetched`."""
    reader = connection.receive(correlation)
    reader.int32()
    assert reader.int16() == 0 and reader.int32() == 0, "no session is offered"

    def one_partition():
        index, error, high_watermark, _, log_start = (
            reader.int32(), reader.int16(), reader.int64(), reader.int64(), reader.int64())
        reader.array(lambda: (reader.int64(), reader.int64()))
        reader.int32()
        return index, Fetched(error, high_watermark, log_start, reader.bytes() or b"")

    topics = reader.array(lambda: (reader.string(), reader.array(one_partition)))
    assert reader.remaining == 0
    return [(topic, index, fetched) for topic, partitions in topics for index, fetched in partitions]


def send_fetch(connection, topic, offset, partition=0, **options):
    return send_fetch_many(connection, [(topic, partition, offset)], **options)


def receive_fetch(connection, correlation):
    ((_, _, fetched),) = receive_fetch_many(connection, correlation)
    return fetched


def fetch(connection, topic, offset, **options):
    """Fetch v11 of one partition."""
    return receive_fetch(connection, send_fetch(connection, topic, offset, **options))


def list_offset(connection, topic, timestamp, partition=0):
    """ListOffsets v5 of one partition: error, offset, timestamp."""
    body = Writer().int32(-1).int8(0).int32(1).string(topic).int32(1).int32(partition).int32(-1).int64(timestamp)
    reader = connection.request(LIST_OFFSETS, 5, body.data())
    reader.int32()

    def one_partition():
        _, error, time, offset, _ = reader.int32(), reader.int16(), reader.int64(), reader.int64(), reader.int32()
        return error, offset, time

    ((answer,),) = reader.array(lambda: (reader.string(), reader.array(one_partition))[1])
    return answer


def try_init_producer_id(connection):
    """InitProducerId v1: error, id and epoch."""
    reader = connection.request(INIT_PRODUCER_ID, 1, Writer().string(None).int32(60_000).data())
    reader.int32()
    return reader.int16(), reader.int64(), reader.int16()


def init_producer_id(connection):
    """A new producer's id and epoch."""
    error, producer_id, epoch = try_init_producer_id(connection)
    assert error == 0, f"no producer id: error {error}"
    return producer_id, epoch


def api_versions_v0(frame, correlation):
    """An ApiVersions answer in version 0: its error and the ranges by key."""
    reader = Reader(frame)
    assert reader.int32() == correlation
    error = reader.int16()
    ranges = {key: (low, high) for key, low, high in struct.iter_unpack(">hhh", reader.raw(6 * reader.int32()))}
    assert reader.remaining == 0
    return error, ranges


@dataclasses.dataclass
class Group:
    error: int
    state: str
    members: list


def describe_group(connection, group):
    """DescribeGroups v0, for one group."""
    body = Writer()
    reader = connection.request(DESCRIBE_GROUPS, 0, body.array([group], body.string).data())

    def member():
        member_id, _, _ = reader.string(), reader.string(), reader.string()
        reader.bytes()
        reader.bytes()
        return member_id

    def described():
        error, _, state, _, _ = reader.int16(), reader.string(), reader.string(), reader.string(), reader.string()
        return Group(error, state, reader.array(member))

    (found,) = reader.array(described)
    return found
