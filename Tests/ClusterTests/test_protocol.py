"""The protocol itself, over a raw connection: order of answers, versions, leaders, sizes and producer sequences."""

import struct

import pytest

from harness import requests
from harness.records import batch, batch_headers
from harness.requests import send_produce
from harness.wire import Connection, Writer


@pytest.fixture
def connection(cluster, topic):
    """A connection to the leader of the test's topic."""
    with Connection(cluster.leader(topic).address) as connection:
        yield connection


# Order


def test_answers_come_in_the_order_of_pipelined_requests(connection, topic):
    waiting = []
    for number in range(100):
        # The first fetches wait for the produce behind them; what is behind both is ready and must not overtake.
        fetch = requests.send_fetch(connection, topic, 0, max_wait=50_000)
        produce = send_produce(connection, topic, batch([b"%d" % number]))
        versions = connection.send(requests.API_VERSIONS, 0, b"")
        waiting.append((fetch, produce, versions))
    for number, (fetch, produce, versions) in enumerate(waiting):
        assert batch_headers(requests.receive_fetch(connection, fetch).records)[0].base_offset == 0
        assert requests.receive_produce(connection, produce).base_offset == number
        connection.receive(versions)


def test_ten_thousand_tiny_requests_are_all_answered_in_order(connection, topic):
    one = batch([b"x"])
    in_flight = []
    for number in range(10_000):
        in_flight.append(send_produce(connection, topic, one))
        if number >= 100:
            assert requests.receive_produce(connection, in_flight.pop(0)).base_offset == number - 100
    for number, correlation in enumerate(in_flight, start=9_900):
        assert requests.receive_produce(connection, correlation).base_offset == number
    assert requests.list_offset(connection, topic, requests.LATEST) == (0, 10_000, -1)


def test_a_request_that_comes_byte_by_byte_is_answered(connection, topic):
    body = requests.produce_body(topic, batch([b"slow"]))
    frame = Writer().int16(requests.PRODUCE).int16(8).int32(7).string("slow").data() + body
    for byte in struct.pack(">i", len(frame)) + frame:
        connection.send_raw(bytes([byte]))
    assert requests.receive_produce(connection, 7).base_offset == 0


# Versions


@pytest.mark.parametrize("version", [99, 5, -1, 32767])
def test_api_versions_of_an_unknown_version_is_answered_in_version_0_with_error_35(connection, version):
    correlation = connection.send(requests.API_VERSIONS, version, b"\xff" * 40)
    error, ranges = requests.api_versions_v0(connection.receive_frame(), correlation)
    assert error == requests.UNSUPPORTED_VERSION
    assert list(ranges) == [requests.API_VERSIONS] and ranges[requests.API_VERSIONS][0] == 0
    correlation = connection.send(requests.API_VERSIONS, 0, b"")
    assert requests.api_versions_v0(connection.receive_frame(), correlation)[0] == 0


def test_every_offered_version_of_api_versions_lists_the_same(connection):
    seen = []
    for version in range(5):
        flexible = version >= 3
        body = Writer(flexible).string("tests").string("1.0").tags().data() if flexible else b""
        correlation = connection.send(requests.API_VERSIONS, version, body, flexible)
        reader = connection.receive(correlation, flexible, header_flexible=False)
        assert reader.int16() == 0
        seen.append(reader.array(lambda: (reader.int16(), reader.int16(), reader.int16(), reader.tags())[:3]))
    assert all(ranges == seen[0] for ranges in seen)
    ranges = {key: (low, high) for key, low, high in seen[0]}
    assert ranges[requests.PRODUCE][0] == 0, "old librdkafka compresses only if Produce 0 is offered"
    assert ranges[requests.PRODUCE][1] >= 9 and ranges[requests.FETCH] >= (4, 12)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_produce_of_a_version_without_record_batches_closes_the_connection(connection, topic, version):
    send_produce(connection, topic, batch([b"x"]), version=version)
    assert connection.is_closed_by_broker()


# Leaders


def test_a_follower_refuses_and_names_the_leader(cluster, topic):
    leader = cluster.leader(topic)
    for follower in cluster.followers(topic):
        with Connection(follower.address) as connection:
            old = requests.produce(connection, topic, batch([b"x"]), version=8)
            assert old.error == requests.NOT_LEADER_OR_FOLLOWER
            hinted = requests.produce(connection, topic, batch([b"x"]), version=10)
            assert hinted.error == requests.NOT_LEADER_OR_FOLLOWER
            assert (hinted.leader, hinted.leader_address) == (leader.node_id, leader.address)
            assert requests.fetch(connection, topic, 0).error == requests.NOT_LEADER_OR_FOLLOWER
            assert requests.list_offset(connection, topic, requests.LATEST)[0] == requests.NOT_LEADER_OR_FOLLOWER
    with Connection(leader.address) as connection:
        assert requests.list_offset(connection, topic, requests.LATEST) == (0, 0, -1)


def test_a_fetch_with_an_old_or_a_future_leader_epoch_is_refused(cluster, connection, topic):
    epoch = cluster.metadata(cluster.leader(topic), [topic]).topics[topic].partitions[0].leader_epoch
    assert requests.fetch(connection, topic, 0, leader_epoch=epoch).error == 0
    assert requests.fetch(connection, topic, 0, leader_epoch=epoch - 1).error == 74
    assert requests.fetch(connection, topic, 0, leader_epoch=epoch + 1).error == 75


# Acknowledgements


def test_acks_0_is_not_answered_and_its_record_is_there(connection, topic):
    send_produce(connection, topic, batch([b"quiet"]), acks=0)
    assert requests.produce(connection, topic, batch([b"loud"])).base_offset == 1


def test_thousands_of_requests_without_answers_are_all_taken(connection, topic):
    # More than may be under way at once: the end of each must let the next one in although nothing is written.
    for _ in range(2_000):
        send_produce(connection, topic, batch([b"quiet"]), acks=0)
    assert requests.produce(connection, topic, batch([b"loud"])).base_offset == 2_000


def test_acks_0_with_an_error_closes_the_connection(connection, topic):
    send_produce(connection, topic, batch([b"x"]), partition=99, acks=0)
    assert connection.is_closed_by_broker()


@pytest.mark.parametrize("acks", [2, -2, 100])
def test_other_acks_are_refused(connection, topic, acks):
    assert requests.produce(connection, topic, batch([b"x"]), acks=acks).error == requests.INVALID_REQUIRED_ACKS


def test_a_missing_topic_or_partition_is_refused_and_the_connection_goes_on(connection, topic):
    for asked, partition in ((topic + "-missing", 0), (topic, 1), (topic, -1)):
        answered = requests.produce(connection, asked, batch([b"x"]), partition=partition)
        assert answered.error == requests.UNKNOWN_TOPIC_OR_PARTITION
    assert requests.produce(connection, topic, batch([b"x"])).base_offset == 0


# Sizes


def batch_of_size(size):
    """A batch of exactly this many bytes."""
    made = batch([b"x" * (size - 100)])
    made = batch([b"x" * (2 * size - 100 - len(made))])
    assert len(made) == size
    return made


def test_a_batch_of_the_default_limit_is_taken_and_one_byte_more_is_not(connection, topic):
    limit = 1_048_588
    refused = requests.produce(connection, topic, batch_of_size(limit + 1))
    assert refused.error == requests.MESSAGE_TOO_LARGE
    assert requests.produce(connection, topic, batch_of_size(limit)).base_offset == 0
    assert requests.list_offset(connection, topic, requests.LATEST)[1] == 1


def test_the_limit_of_a_topic_is_its_own(cluster, name):
    topic = cluster.create_topic(name, max_message_bytes=1000)
    with Connection(cluster.leader(topic).address) as connection:
        assert requests.produce(connection, topic, batch([b"x" * 1000])).error == requests.MESSAGE_TOO_LARGE
        assert requests.produce(connection, topic, batch([b"x" * 900])).error == 0


def test_a_topic_with_a_higher_limit_takes_larger_batches(cluster, name):
    topic = cluster.create_topic(name, max_message_bytes=3_000_000)
    with Connection(cluster.leader(topic).address) as connection:
        large = batch_of_size(2_500_000)
        assert requests.produce(connection, topic, large).base_offset == 0
        fetched = requests.fetch(connection, topic, 0)
    assert fetched.records[8:12] + fetched.records[16:] == large[8:12] + large[16:], (
        "all but the offset and the leader epoch come back as they were sent")


# Idempotent producers


def send(connection, topic, producer, sequence, count=1, epoch=None):
    producer_id, current = producer
    records = [b"%d" % (sequence + number) for number in range(count)]
    return requests.produce(
        connection, topic, batch(records, producer_id=producer_id, epoch=current if epoch is None else epoch,
                                 sequence=sequence))


def test_a_repeated_batch_gets_its_first_offset_and_is_not_written_again(connection, topic):
    producer = requests.init_producer_id(connection)
    for sequence in (0, 2, 4):
        send(connection, topic, producer, sequence, count=2)
    for sequence in (4, 0, 2, 0):
        again = send(connection, topic, producer, sequence, count=2)
        assert (again.error, again.base_offset) == (0, sequence)
    assert requests.list_offset(connection, topic, requests.LATEST)[1] == 6


def test_a_gap_in_the_sequence_is_refused(connection, topic):
    producer = requests.init_producer_id(connection)
    assert send(connection, topic, producer, 0, count=3).base_offset == 0
    # It may be filled yet: clients send again, in order.
    assert send(connection, topic, producer, 4).error == requests.NOT_LEADER_OR_FOLLOWER
    assert send(connection, topic, producer, 3).base_offset == 3
    # Part of a batch that was written, as no client would cut it.
    assert send(connection, topic, producer, 1, count=2).error == requests.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_an_older_epoch_is_refused_and_a_newer_one_begins_at_zero(connection, topic):
    producer = requests.init_producer_id(connection)
    assert send(connection, topic, producer, 0, epoch=3).error == 0
    assert send(connection, topic, producer, 1, epoch=2).error == requests.INVALID_PRODUCER_EPOCH
    assert send(connection, topic, producer, 1, epoch=4).error == requests.NOT_LEADER_OR_FOLLOWER
    assert send(connection, topic, producer, 0, epoch=4).error == 0
    assert send(connection, topic, producer, 1, epoch=3).error == requests.INVALID_PRODUCER_EPOCH


def test_a_producer_that_a_partition_does_not_know_begins_at_sequence_zero(connection, topic):
    producer = requests.init_producer_id(connection)
    assert send(connection, topic, producer, 7).error == requests.NOT_LEADER_OR_FOLLOWER
    assert send(connection, topic, producer, 0).error == 0
    assert send(connection, topic, producer, 1).base_offset == 1


def test_pipelined_batches_of_one_producer_keep_their_order(connection, topic):
    producer_id, epoch = requests.init_producer_id(connection)
    sent = [
        send_produce(connection, topic, batch([b"x"], producer_id=producer_id, epoch=epoch, sequence=number))
        for number in range(50)
    ]
    for number, correlation in enumerate(sent):
        assert requests.receive_produce(connection, correlation).base_offset == number


def test_every_producer_gets_an_id_of_its_own_from_any_broker(cluster):
    ids = []
    for broker in cluster.brokers * 3:
        with Connection(broker.address) as connection:
            producer_id, epoch = requests.init_producer_id(connection)
            assert producer_id >= 0 and epoch == 0
            ids.append(producer_id)
    assert len(set(ids)) == len(ids)


def test_clients_that_leave_before_their_answer_disturb_nobody(cluster, topic):
    leader = cluster.leader(topic)
    for _ in range(50):
        with Connection(leader.address) as hasty:
            send_produce(hasty, topic, batch([b"x"]))
    with Connection(leader.address) as connection:
        assert requests.produce(connection, topic, batch([b"y"])).error == 0
