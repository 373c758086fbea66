"""What a client writes, every client reads back unchanged."""

import pytest

from harness import requests
from harness.clients import ALL
from harness.records import CODECS, Record, batch_headers
from harness.wire import Connection

by_name = {"ids": lambda client: client.name}
every_client = pytest.mark.parametrize("client", ALL, **by_name)


def shape(record):
    return record.key, record.value, record.headers


def assert_everyone_reads(cluster, topic, written):
    for reader in ALL:
        read = reader.consume(cluster.bootstrap, topic, 0, len(written))
        assert [shape(record) for record in read] == [shape(record) for record in written], f"as read by {reader.name}"
        assert [record.offset for record in read] == list(range(len(written))), f"as read by {reader.name}"


@pytest.mark.feature("keys, null keys, null values, headers")
@every_client
def test_records_of_every_shape_reach_every_client(cluster, topic, client):
    headers = (("first", b"1"), ("empty", b""), ("first", b"again"))
    if client.sends_null_headers:
        headers += (("null", None),)
    written = [
        Record(b"plain"),
        Record(b"with a key", b"key"),
        Record(None, b"tombstone"),
        Record(b"headers", b"key", headers),
        Record("Mauersegler – Apus apus – 雨燕".encode(), "ключ".encode()),
    ]
    if client.sends_empty_values:
        written.append(Record(b"", b"empty value"))
    client.produce(cluster.bootstrap, topic, written)
    assert_everyone_reads(cluster, topic, written)


@pytest.mark.feature("timestamps of the producer")
@pytest.mark.parametrize("client", [client for client in ALL if client.sets_timestamps], **by_name)
def test_timestamps_of_the_producer_are_kept(cluster, topic, client):
    times = [1_600_000_000_000, 1_600_000_000_001, 1_500_000_000_000]
    client.produce(cluster.bootstrap, topic, [Record(b"dated", timestamp=time) for time in times])
    for reader in ALL:
        read = reader.consume(cluster.bootstrap, topic, 0, len(times))
        assert [record.timestamp for record in read] == times, f"as read by {reader.name}"


@pytest.mark.feature("codec {codec}")
@every_client
@pytest.mark.parametrize("codec", CODECS)
def test_batches_are_kept_in_the_codec_of_their_producer(cluster, topic, client, codec):
    written = [Record(b"%03d " % number + b"swift " * 40, b"k%d" % number) for number in range(60)]
    client.produce(cluster.bootstrap, topic, written, codec=codec)
    assert_everyone_reads(cluster, topic, written)
    with Connection(cluster.leader(topic).address) as connection:
        stored = batch_headers(requests.fetch(connection, topic, 0).records)
    assert {header.codec for header in stored} == {CODECS[codec]}
    assert sum(header.count for header in stored) == len(written)


@pytest.mark.feature("acks={acks}")
@every_client
@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_records_arrive_with_every_kind_of_acknowledgement(cluster, topic, client, acks):
    written = [Record(b"%d" % number, b"key") for number in range(20)]
    client.produce(cluster.bootstrap, topic, written, acks=acks)
    assert_everyone_reads(cluster, topic, written)


@pytest.mark.feature("idempotent producer")
@every_client
def test_idempotent_producers_write_each_record_once_and_in_order(cluster, topic, client):
    written = [Record(b"%d" % number, b"key") for number in range(500)]
    offsets = client.produce(cluster.bootstrap, topic, written, idempotent=True)
    assert offsets is None or offsets == list(range(500))
    assert_everyone_reads(cluster, topic, written)
    with Connection(cluster.leader(topic).address) as connection:
        stored = batch_headers(requests.fetch(connection, topic, 0).records)
    assert all(header.producer_id >= 0 for header in stored), "the producer was not idempotent"
    assert len({header.producer_id for header in stored}) == 1


@pytest.mark.feature("records of 900 KB")
@every_client
def test_large_records_come_back_whole(cluster, topic, client):
    written = [Record(bytes([letter]) * 900_000, b"key") for letter in b"ab"]
    client.produce(cluster.bootstrap, topic, written)
    assert_everyone_reads(cluster, topic, written)
