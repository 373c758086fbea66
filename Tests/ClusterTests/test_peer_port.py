"""Bytes on the port that brokers use among themselves: whoever connects there is not believed either."""

import contextlib
import random
import struct

import pytest

from harness import requests
from harness.cluster import Cluster
from harness.records import batch, crc32c
from harness.wire import Connection, ConnectionClosed

MEBIBYTE = 1 << 20
LARGEST = 2**64 - 1
HELLO, RAFT, FORWARD, FORWARDED = 1, 2, 3, 4
PRE_VOTE_REQUEST, PRE_VOTE_RESPONSE, VOTE_REQUEST, VOTE_RESPONSE, APPEND_REQUEST, APPEND_RESPONSE = range(1, 7)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("attacked"))
    cluster.start()
    yield cluster
    cluster.discard()


@pytest.fixture
def topic(attacked, name):
    """A topic that takes a record before and after; the brokers run on, and no leader had to be elected again."""
    topic = attacked.create_topic(name)
    leader = attacked.leader(topic)
    with Connection(leader.address) as connection:
        assert requests.produce(connection, topic, batch([b"before"])).base_offset == 0
        yield topic
        assert requests.produce(connection, topic, batch([b"after"])).base_offset == 1
    assert len(attacked.running) == 3


def peer_address(broker):
    return f"127.0.0.1:{broker.peer_port}"


def frame(kind, content):
    return struct.pack("<IB", len(content) + 1, kind) + content


def text(value):
    return struct.pack("<H", len(value)) + value


def hello(node_id, magic=b"MRTL", version=1, shards=1, host=b"127.0.0.1", port=1):
    register = struct.pack("<Bi", 6, node_id) + text(host) + struct.pack("<iB", port, 0)
    return frame(HELLO, magic + struct.pack("<HH", version, shards) + register)


def own_hello(broker):
    """What that broker itself says when it connects to another one."""
    return hello(broker.node_id, port=broker.kafka_port)


def raft(kind, words, shard=0, checksum=None):
    start = struct.pack("<BBH", kind, 0, shard)
    body = struct.pack(f"<{len(words)}Q", *words)
    return frame(RAFT, start + struct.pack("<I", crc32c(start + body) if checksum is None else checksum) + body)


NO_PEERS = {
    "nothing but a length": struct.pack("<I", 0),
    "a length of 4 GiB": struct.pack("<I", 2**32 - 1) + b"x" * 100,
    "a Kafka request": struct.pack(">ihhih", 10, 18, 0, 1, -1),
    "an unknown kind": frame(77, b"xyz"),
    "a Raft message before the greeting": raft(VOTE_REQUEST, [99, 99, 98]),
    "a request before the greeting": frame(FORWARD, struct.pack("<Q", 1) + b"xyz"),
    "another magic": hello(2, magic=b"XXXX"),
    "another version": hello(2, version=9),
    "a node that is not in the cluster": hello(9),
    "a negative node": hello(-1),
    "another number of shards": hello(2, shards=5),
    "half a greeting": frame(HELLO, b"MRTL" + struct.pack("<HH", 1, 1) + b"\x06\x02"),
    "a name beyond the frame": frame(HELLO, b"MRTL" + struct.pack("<HHBi", 1, 1, 6, 2) + b"\xff\xff"),
}


@pytest.mark.parametrize("data", NO_PEERS.values(), ids=NO_PEERS.keys())
def test_who_does_not_greet_as_a_broker_is_turned_away(attacked, topic, data):
    for broker in attacked.brokers:
        with Connection(peer_address(broker)) as connection:
            connection.send_raw(data)
            assert connection.is_closed_by_broker()


NO_MESSAGES = {
    "half a message": frame(RAFT, b"\x05\x00\x00\x00"),
    "an unknown message": raft(99, [1, 2, 3]),
    "a wrong checksum": raft(VOTE_REQUEST, [99, 99, 98], checksum=7),
    "more blocks than bytes": raft(APPEND_REQUEST, [1, 1, 0, 0, 0, 0, LARGEST]),
    "a block of the largest length": raft(APPEND_REQUEST, [1, 1, 0, 0, 0, 0, 1, LARGEST]),
    "a block that is none": frame(RAFT, raft(APPEND_REQUEST, [1, 1, 0, 0, 0, 0, 1, 100])[5:] + b"x" * 100),
    "bytes behind the message": frame(RAFT, raft(APPEND_REQUEST, [1, 1, 0, 0, 0, 0, 0])[5:] + b"x" * 10),
    "a second greeting": hello(2),
    "half a request": frame(FORWARD, b"xyz"),
    "an answer that was not asked for": frame(FORWARDED, struct.pack("<QB", 5, 1) + b"xyz"),
}


@pytest.mark.parametrize("data", NO_MESSAGES.values(), ids=NO_MESSAGES.keys())
def test_a_frame_that_is_no_message_ends_the_connection(attacked, topic, data):
    for broker, other in zip(attacked.brokers, attacked.brokers[1:] + attacked.brokers[:1]):
        with Connection(peer_address(broker)) as connection:
            connection.send_raw(own_hello(other) + data)
            assert connection.is_closed_by_broker()


IMPLAUSIBLE = {
    "a vote for the largest term": raft(VOTE_REQUEST, [LARGEST, LARGEST, LARGEST]),
    "a pre-vote for the largest term": raft(PRE_VOTE_REQUEST, [LARGEST, 1, 1]),
    "votes nobody asked for": raft(VOTE_RESPONSE, [1, 1]) + raft(PRE_VOTE_RESPONSE, [LARGEST, 1]),
    "a commit beyond every log": raft(APPEND_REQUEST, [0, 1, 0, 0, LARGEST, 1, 0]),
    "a previous entry beyond every log": raft(APPEND_REQUEST, [LARGEST, 1, LARGEST, LARGEST, 0, 1, 0]),
    "an answer to no request": raft(APPEND_RESPONSE, [1, LARGEST, LARGEST, 0, LARGEST, 0, 0]),
    "a conflict with no request": raft(APPEND_RESPONSE, [1, 0, 0, 1, LARGEST, LARGEST, LARGEST]),
    "a shard that is not there": raft(VOTE_REQUEST, [99, 99, 98], shard=65_535),
}


@pytest.mark.parametrize("data", IMPLAUSIBLE.values(), ids=IMPLAUSIBLE.keys())
def test_messages_with_impossible_numbers_change_nothing(attacked, topic, data):
    leader = attacked.leader(topic)
    for broker, other in zip(attacked.brokers, attacked.brokers[1:] + attacked.brokers[:1]):
        with Connection(peer_address(broker)) as connection, contextlib.suppress(ConnectionClosed):
            connection.send_raw(own_hello(other) + data)
            # Read in order on the same connection: what follows the message ends it, so the message was dealt with.
            connection.send_raw(frame(77, b""))
            assert connection.is_closed_by_broker()
    assert attacked.leader(topic) is leader


def test_requests_passed_on_that_are_none_are_answered_or_dropped(attacked, topic):
    draw = random.Random(3)
    bodies = [b"", b"\x00", draw.randbytes(40), struct.pack(">hhih", 18, 99, 1, -1), struct.pack(">hhih", 0, 8, 1, -1)]
    for broker, other in zip(attacked.brokers, attacked.brokers[1:] + attacked.brokers[:1]):
        with Connection(peer_address(broker)) as connection:
            connection.send_raw(own_hello(other))
            for number, body in enumerate(bodies):
                connection.send_raw(frame(FORWARD, struct.pack("<Q", number) + body))
            connection.send_raw(frame(77, b""))
            with contextlib.suppress(ConnectionClosed):
                while connection._read(1):
                    pass


def test_random_bytes_are_survived(attacked, topic):
    draw = random.Random(11)
    for attempt in range(150):
        broker = draw.choice(attacked.brokers)
        other = attacked.brokers[broker.node_id % 3]
        junk = draw.randbytes(draw.choice([1, 5, 60, 3_000]))
        start = [b"", own_hello(other), own_hello(other)][attempt % 3]
        with Connection(peer_address(broker)) as connection, contextlib.suppress(ConnectionClosed):
            connection.send_raw(start + (frame(RAFT, junk) if attempt % 3 == 2 else junk))


def test_strangers_that_stop_within_large_frames_cost_bounded_memory(attacked, topic):
    broker = attacked.followers(topic)[0]
    before = broker.rss_bytes()
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            connection = stack.enter_context(Connection(peer_address(broker)))
            with contextlib.suppress(ConnectionClosed):
                connection.send_raw(struct.pack("<I", 120 * MEBIBYTE) + bytes(8 * MEBIBYTE))
        assert (broker.rss_bytes() - before) / MEBIBYTE < 100, "who has not greeted may not fill the memory"
