"""Where a partition begins and ends, offsets by time, and fetches that wait."""

import threading
import time

import pytest

from harness import requests
from harness.clients import ALL, ConfluentClient
from harness.records import LOG_APPEND_TIME, Record, batch, batch_headers
from harness.wire import Connection

every_client = pytest.mark.parametrize("client", ALL, ids=lambda client: client.name)


@pytest.mark.feature("first and last offset")
@every_client
def test_a_partition_begins_at_zero_and_ends_behind_its_last_record(cluster, topic, client):
    assert client.watermarks(cluster.bootstrap, topic) == (0, 0)
    client.produce(cluster.bootstrap, topic, [Record(b"%d" % number) for number in range(7)])
    assert client.watermarks(cluster.bootstrap, topic) == (0, 7)


@pytest.mark.feature("consuming from any offset")
@every_client
def test_consuming_begins_at_any_offset_even_inside_a_batch(cluster, topic, client):
    with Connection(cluster.leader(topic).address) as connection:
        for start in (0, 10):
            requests.produce(connection, topic, batch([b"%d" % number for number in range(start, start + 10)]))
    for offset in (0, 9, 10, 13, 19):
        (first,) = client.consume(cluster.bootstrap, topic, offset, 1)
        assert (first.offset, first.value) == (offset, b"%d" % offset)


@pytest.mark.feature("offsets by time")
@every_client
def test_offsets_are_found_by_time(cluster, topic, client):
    base = 1_700_000_000_000
    with Connection(cluster.leader(topic).address) as connection:
        for start, codec in ((0, 0), (3, 1), (6, 4)):
            records = [Record(b"x", timestamp=base + 1000 * (start + number)) for number in range(3)]
            requests.produce(connection, topic, batch(records, timestamp=base + 1000 * start, codec=codec))
    expected = {base - 1: 0, base: 0, base + 1: 1, base + 4000: 4, base + 4001: 5, base + 8000: 8, base + 8001: None}
    found = {moment: client.offset_for_time(cluster.bootstrap, topic, moment) for moment in expected}
    assert found == expected


@pytest.mark.feature("topics dated by the broker")
@every_client
def test_a_log_append_time_topic_dates_records_by_the_brokers_clock(cluster, name, client):
    topic = cluster.create_topic(name, message_timestamp_type="LogAppendTime")
    before = int(time.time() * 1000)
    sent_at = 1_500_000_000_000 if client.sets_timestamps else None
    client.produce(cluster.bootstrap, topic, [Record(b"x", b"k", timestamp=sent_at)] * 3)
    after = int(time.time() * 1000)
    read = client.consume(cluster.bootstrap, topic, 0, 3)
    assert all(before <= record.timestamp <= after for record in read)


def test_a_log_append_time_batch_carries_its_time_and_a_right_checksum(cluster, name):
    topic = cluster.create_topic(name, message_timestamp_type="LogAppendTime")
    with Connection(cluster.leader(topic).address) as connection:
        answered = requests.produce(connection, topic, batch([b"a", b"b"], codec=4))
        (stored,) = batch_headers(requests.fetch(connection, topic, 0).records)
    assert stored.attributes & LOG_APPEND_TIME
    assert stored.max_timestamp == answered.append_time > 1_700_000_000_000


def test_fetching_outside_the_partition_is_refused_and_at_its_end_is_empty(cluster, topic):
    with Connection(cluster.leader(topic).address) as connection:
        requests.produce(connection, topic, batch([b"a", b"b"]))
        assert requests.fetch(connection, topic, 3).error == requests.OFFSET_OUT_OF_RANGE
        assert requests.fetch(connection, topic, -5).error == requests.OFFSET_OUT_OF_RANGE
        at_end = requests.fetch(connection, topic, 2)
        assert (at_end.error, at_end.records, at_end.high_watermark) == (0, b"", 2)


def test_a_fetch_waits_for_data_and_is_answered_by_the_append(cluster, topic):
    leader = cluster.leader(topic)
    with Connection(leader.address, timeout=60) as consumer, Connection(leader.address) as producer:
        waiting = requests.send_fetch(consumer, topic, 0, max_wait=50_000)
        # The answer of another connection shows that the broker has taken the fetch or is about to, and the fetch
        # would last almost a minute: only the append can end it within this test's timeout of its connection.
        requests.list_offset(producer, topic, requests.LATEST)
        started = time.monotonic()
        requests.produce(producer, topic, batch([b"now"]))
        answer = requests.receive_fetch(consumer, waiting)
    assert sum(header.count for header in batch_headers(answer.records)) == 1
    assert time.monotonic() - started < 20, "the fetch was not answered by the append"


def test_a_fetch_waits_until_min_bytes_are_there(cluster, topic):
    leader = cluster.leader(topic)
    small, large = batch([b"x" * 100]), batch([b"y" * 5_000])
    with Connection(leader.address, timeout=60) as consumer, Connection(leader.address) as producer:
        waiting = requests.send_fetch(consumer, topic, 0, max_wait=50_000, min_bytes=4_000)
        requests.produce(producer, topic, small)
        requests.produce(producer, topic, large)
        answer = requests.receive_fetch(consumer, waiting)
    assert len(batch_headers(answer.records)) == 2, "the answer must have waited for the second batch"


def test_a_fetch_without_data_ends_empty_when_its_time_is_up(cluster, topic):
    with Connection(cluster.leader(topic).address) as connection:
        started = time.monotonic()
        answer = requests.fetch(connection, topic, 0, max_wait=300)
        assert (answer.error, answer.records) == (0, b"")
        assert time.monotonic() - started >= 0.3


def test_a_batch_larger_than_the_fetch_limits_is_returned_whole(cluster, topic):
    with Connection(cluster.leader(topic).address) as connection:
        for letter in b"abc":
            requests.produce(connection, topic, batch([bytes([letter]) * 50_000]))
        answer = requests.fetch(connection, topic, 1, max_bytes=1, partition_max=1)
        assert [header.base_offset for header in batch_headers(answer.records)] == [1]
        answer = requests.fetch(connection, topic, 0, max_bytes=120_000, partition_max=120_000)
        assert [header.base_offset for header in batch_headers(answer.records)] == [0, 1]


def test_a_fetch_of_many_topics_from_disk_gives_each_its_own_records(start_cluster, name):
    alone = start_cluster(size=1)
    topics = [alone.create_topic(f"{name}-{number}") for number in range(5)]
    with Connection(alone.bootstrap) as connection:
        for topic in topics:
            requests.produce(connection, topic, batch([topic.encode() * 1_000]))
    # After the restart nothing is in memory: each topic's records come from disk, and the reading pauses for them.
    alone.brokers[0].stop()
    alone.start()
    with Connection(alone.bootstrap) as connection:
        wanted = [(topic, 0, 0) for topic in topics]
        fetched = requests.receive_fetch_many(connection, requests.send_fetch_many(connection, wanted))
    assert [topic for topic, _, _ in fetched] == topics
    for topic, _, answer in fetched:
        assert answer.error == 0 and topic.encode() in answer.records


@pytest.mark.feature("waiting for new records")
@pytest.mark.parametrize("client", [client for client in ALL if client.name != "kcat"], ids=lambda client: client.name)
def test_a_waiting_consumer_gets_records_as_they_are_written(cluster, topic, client):
    found = []
    reader = threading.Thread(target=lambda: found.extend(client.consume(cluster.bootstrap, topic, 0, 3)))
    reader.start()
    for number in range(3):
        ConfluentClient().produce(cluster.bootstrap, topic, [Record(b"%d" % number)])
    reader.join(timeout=40)
    assert [record.value for record in found] == [b"0", b"1", b"2"]
