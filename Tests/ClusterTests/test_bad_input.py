"""Bytes that are no Kafka, clients that stop half-way, clients that never read: each is answered with a clear error or
a closed connection, nobody else is disturbed, and memory stays within its bounds."""

import contextlib
import fcntl
import random
import socket
import struct
import termios

import pytest

from harness import requests
from harness.records import Record, batch, batch_headers
from harness.waiting import wait_until
from harness.wire import Connection, ConnectionClosed, Writer

MEBIBYTE = 1 << 20


@pytest.fixture
def broker(single):
    """The broker under attack; after each test it must still run and serve."""
    broker = single.brokers[0]
    yield broker
    assert broker.is_running
    with Connection(broker.address) as connection:
        assert requests.metadata(connection).controller == 1


@pytest.fixture
def own_topic(single, name):
    return single.create_topic(name)


@pytest.fixture
def bystander(single, broker, name):
    """A client that was there before and only wants to go on: calls of the result produce a record and check it."""
    own_topic = single.create_topic(f"{name}-bystander")
    with Connection(broker.address) as connection:
        offsets = iter(range(1_000_000))

        def works():
            answered = requests.produce(connection, own_topic, batch([b"steady"]))
            assert (answered.error, answered.base_offset) == (0, next(offsets))

        works()
        yield works
        works()


def header(key=requests.METADATA, version=7, correlation=1, client=b"\x00\x01x"):
    return struct.pack(">hhi", key, version, correlation) + client


# Frames


NO_REQUESTS = {
    "an empty frame": struct.pack(">i", 0),
    "half a header": struct.pack(">ihh", 4, 3, 7),
    "a length of 2 GiB": struct.pack(">i", 2**31 - 1) + b"x" * 100,
    "a length above the limit": struct.pack(">i", 104_857_601) + b"x" * 100,
    "a negative length": struct.pack(">i", -1) + b"x" * 100,
    "the smallest length": struct.pack(">i", -(2**31)) + b"x" * 100,
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a TLS greeting": bytes.fromhex("16030100a5010000a10303") + bytes(160),
}


@pytest.mark.parametrize("data", NO_REQUESTS.values(), ids=NO_REQUESTS.keys())
def test_what_is_no_frame_closes_the_connection(broker, bystander, data):
    with Connection(broker.address) as connection:
        connection.send_raw(data)
        bystander()
        assert connection.is_closed_by_broker()


BAD_REQUESTS = {
    "an unknown API": header(key=999),
    "a negative API": header(key=-1),
    "an API of brokers among themselves": header(key=4, version=0),
    "an unknown version": header(version=99) + bytes(20),
    "a negative version": header(version=-1) + bytes(20),
    "no body": header(),
    "a body that ends in its middle": header() + struct.pack(">ih", 1, 10) + b"abc",
    "an array of two billion": header() + struct.pack(">i", 2**31 - 1),
    "an array of minus two": header() + struct.pack(">i", -2),
    "a client id beyond the frame": struct.pack(">hhih", 3, 7, 1, 30_000) + b"abc",
    "a compact array of four billion": header(version=9) + b"\x00" + b"\xff\xff\xff\xff\x0f",
    "an endless varint": header(version=9) + b"\xff" * 30,
    "a tagged field beyond the frame": header(version=9) + b"\x01\x00\xff\xff\x03",
}


@pytest.mark.parametrize("frame", BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_a_frame_that_is_no_request_closes_the_connection(broker, bystander, frame):
    with Connection(broker.address) as connection:
        connection.send_frame(frame)
        bystander()
        assert connection.is_closed_by_broker()


def test_a_topic_name_that_is_no_utf_8_is_no_topic(broker):
    body = struct.pack(">ih", 1, 4) + b"\xff\xfe\xfd\xfc" + b"\x01"
    with Connection(broker.address) as connection:
        reader = connection.request(requests.METADATA, 7, body)
        assert struct.pack(">h", 17) + b"\x00" in reader.raw(reader.remaining), "INVALID_TOPIC_EXCEPTION"
        assert requests.metadata(connection).controller == 1


def test_random_bytes_of_every_kind_are_survived(broker, bystander):
    draw = random.Random(20_261_122)
    for attempt in range(300):
        with Connection(broker.address) as connection, contextlib.suppress(ConnectionClosed):
            junk = draw.randbytes(draw.choice([1, 3, 8, 50, 2_000]))
            if attempt % 3 == 0:
                connection.send_raw(junk)
            elif attempt % 3 == 1:
                connection.send_frame(junk)
            else:
                key = draw.choice([0, 1, 2, 3, 18, 19, 20, 22, 23, 32, 37, 60])
                connection.send_frame(header(key, draw.randrange(0, 14)) + junk)
        if attempt % 30 == 0:
            bystander()


def test_requests_with_flipped_bits_are_survived(broker, own_topic, bystander):
    draw = random.Random(7)
    bodies = [
        (requests.PRODUCE, 8, requests.produce_body(own_topic, batch([b"a", b"b"]), 5, timeout=10)),
        (requests.METADATA, 7, Writer().int32(1).string(own_topic).int8(0).data()),
        (requests.CREATE_TOPICS, 4, Writer().int32(1).string("no such name").int32(1).int16(-1).data() + bytes(13)),
    ]
    for attempt in range(300):
        key, version, body = draw.choice(bodies)
        frame = bytearray(header(key, version) + body)
        for _ in range(draw.randrange(1, 4)):
            # The topic's name stays: a changed one could create topics.
            position = draw.randrange(0, len(frame))
            frame[position] ^= 1 << draw.randrange(8)
        with Connection(broker.address) as connection, contextlib.suppress(ConnectionClosed):
            connection.send_frame(bytes(frame))
        if attempt % 30 == 0:
            bystander()


def test_a_request_cut_off_at_every_byte_is_survived(broker, own_topic, bystander):
    body = header(requests.PRODUCE, 8) + requests.produce_body(own_topic, batch([b"cut"]))
    frame = struct.pack(">i", len(body)) + body
    for length in range(1, len(frame)):
        with Connection(broker.address) as connection:
            connection.send_raw(frame[:length])
    bystander()


def test_a_fetch_may_name_topics_without_partitions(broker, own_topic):
    with Connection(broker.address) as connection:
        requests.produce(connection, own_topic, batch([b"x"]))
        body = Writer().int32(-1).int32(0).int32(1).int32(1000).int8(0).int32(0).int32(-1)
        body.int32(3)
        body.string("first").int32(0)
        body.string(own_topic).int32(1).int32(0).int32(-1).int64(0).int64(-1).int32(1000)
        body.string("last").int32(0)
        sent = connection.send(requests.FETCH, 11, body.int32(0).string("").data())
        ((topic, partition, fetched),) = requests.receive_fetch_many(connection, sent)
    assert (topic, partition, len(batch_headers(fetched.records))) == (own_topic, 0, 1)


# Batches


def broken(data, position):
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1:]


good = batch([b"one", b"two"])
BAD_BATCHES = {
    "a flipped bit in a record": (broken(good, len(good) - 3), requests.CORRUPT_MESSAGE),
    "a flipped bit in the header": (broken(good, 30), requests.CORRUPT_MESSAGE),
    "a wrong checksum": (batch([b"x"], crc=1), requests.CORRUPT_MESSAGE),
    "a length that is too small": (batch([b"x"], length=20), requests.CORRUPT_MESSAGE),
    "a length that is too large": (batch([b"x"], length=100_000), requests.CORRUPT_MESSAGE),
    "a negative length": (batch([b"x"], length=-5), requests.CORRUPT_MESSAGE),
    "half a header": (good[:30], requests.CORRUPT_MESSAGE),
    "bytes behind the batch": (good + b"xyz", None),
    "two batches": (good + good, requests.INVALID_RECORD),
    "magic 0": (batch([b"x"], magic=0), requests.INVALID_RECORD),
    "magic 1": (batch([b"x"], magic=1), requests.INVALID_RECORD),
    "magic 3": (batch([b"x"], magic=3), requests.INVALID_RECORD),
    "more records promised than the offsets say": (batch([b"x"], count=5), requests.INVALID_RECORD),
    "no records": (batch([b"x"], count=0, last_delta=-1), requests.INVALID_RECORD),
    "a negative count": (batch([b"x"], count=-3, last_delta=-4), requests.INVALID_RECORD),
    "an unknown codec": (batch([b"x"], attributes=6), None),
    "a control batch": (batch([b"x"], attributes=0x20), requests.INVALID_RECORD),
    "a transactional batch": (batch([b"x"], attributes=0x10, producer_id=1, epoch=0, sequence=0), None),
    "a producer without a sequence": (batch([b"x"], producer_id=5, epoch=0, sequence=-1), None),
    "nothing": (b"", requests.INVALID_RECORD),
    "null": (None, requests.INVALID_RECORD),
    "a time far ahead": (batch([b"x"], timestamp=4_000_000_000_000), 32),
}


@pytest.mark.parametrize("data, error", BAD_BATCHES.values(), ids=BAD_BATCHES.keys())
def test_a_bad_batch_is_refused_and_the_connection_goes_on(broker, own_topic, data, error):
    with Connection(broker.address) as connection:
        answered = requests.produce(connection, own_topic, data)
        if error is None:
            assert answered.error != 0
        else:
            assert answered.error == error, answered.message
        assert requests.list_offset(connection, own_topic, requests.LATEST)[1] == 0, "nothing may have been written"
        assert requests.produce(connection, own_topic, good).base_offset == 0


@pytest.mark.parametrize("codec", [0, 4])
@pytest.mark.parametrize("base_offset", [-1, 2**63 - 1, -(2**63)])
def test_the_base_offset_of_a_producer_means_nothing(broker, own_topic, base_offset, codec):
    with Connection(broker.address) as connection:
        later = 1_700_000_000_001
        sent = batch([Record(b"x"), Record(b"y", timestamp=later)], base_offset=base_offset, codec=codec)
        assert requests.produce(connection, own_topic, sent).base_offset == 0
        assert requests.list_offset(connection, own_topic, later) == (0, 1, later)
        assert [header.base_offset for header in batch_headers(requests.fetch(connection, own_topic, 0).records)] == [0]


@pytest.mark.parametrize("time", [-1, 0, 2**62, 2**63 - 1, -(2**63)])
def test_records_with_extreme_times_harm_nobody(broker, own_topic, time):
    strange = [Record(b"x"), Record(b"y", timestamp=time)]
    with Connection(broker.address) as connection:
        sent = batch(strange, timestamp=0, max_timestamp=1_700_000_000_000)
        requests.produce(connection, own_topic, sent)
        sent = batch([b"x"], timestamp=time, max_timestamp=1_700_000_000_000)
        requests.produce(connection, own_topic, sent)
        for asked in (0, 1, 1_699_999_999_999, 1_700_000_000_001, 2**63 - 1, -3):
            requests.list_offset(connection, own_topic, asked)


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
def test_a_compressed_batch_that_cannot_be_read_harms_nobody(broker, own_topic, codec):
    rubbish = batch([b"x"], attributes=codec)
    with Connection(broker.address) as connection:
        requests.produce(connection, own_topic, rubbish)
        requests.list_offset(connection, own_topic, 0)
        good_one = requests.produce(connection, own_topic, batch([Record(b"y")], codec=codec))
        assert good_one.error == 0
        fetched = requests.fetch(connection, own_topic, good_one.base_offset)
        assert batch_headers(fetched.records)[-1].base_offset == good_one.base_offset


# Clients that stop half-way


def grown(broker, before):
    return (broker.rss_bytes() - before) / MEBIBYTE


@contextlib.contextmanager
def many_connections(broker, count):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Connection(broker.address)) for _ in range(count)]


def test_connections_that_only_announce_large_requests_cost_no_memory(broker, bystander):
    before = broker.rss_bytes()
    with many_connections(broker, 300) as connections:
        for number, connection in enumerate(connections):
            connection.send_raw(struct.pack(">i", 99_000_000) + b"x" * (number % 2) * 1_000)
        bystander()
        assert grown(broker, before) < 100, "300 announcements of 99 MB must not be believed"


def test_connections_that_stop_within_large_requests_stay_within_the_bound(broker, bystander):
    before = broker.rss_bytes()
    with many_connections(broker, 200) as connections:
        for connection in connections:
            with contextlib.suppress(ConnectionClosed):
                connection.send_raw(struct.pack(">i", 99_000_000) + bytes(4 * MEBIBYTE))
        bystander()
        assert grown(broker, before) < 700, "incomplete requests may hold 512 MiB"
    wait_until(lambda: broker.open_files() < 100, "the connections are closed")


def test_large_requests_are_taken_while_others_hold_all_memory_for_theirs(broker, own_topic):
    large = batch([bytes(900_000)], codec=0)
    with many_connections(broker, 130) as connections:
        # 520 MiB in all: from there on whoever asks for more memory meets the bound.
        for connection in connections:
            with contextlib.suppress(ConnectionClosed):
                connection.send_raw(struct.pack(">i", 99_000_000) + bytes(4 * MEBIBYTE - 4))
        for number in range(10):
            body = requests.produce_body(own_topic, large)
            frame = struct.pack(">i", len(body) + 14) + header(requests.PRODUCE, 8, number, b"\x00\x04slow") + body
            with Connection(broker.address) as honest:
                # In pieces, each of which arrives before the next is sent, as over a slow line.
                for start in range(0, len(frame), 100_000):
                    honest.send_raw(frame[start:start + 100_000])
                    wait_until(lambda: unsent_bytes(honest) == 0, "the broker's side has the piece")
                assert requests.receive_produce(honest, number).base_offset == number


def unsent_bytes(connection):
    """Bytes of the connection that the other side has not acknowledged yet."""
    return struct.unpack("i", fcntl.ioctl(connection.socket, termios.TIOCOUTQ, bytes(4)))[0]


# Clients that never read


def fill(broker, topic, count):
    """Writes records of 900 KB that no codec makes smaller."""
    with Connection(broker.address) as connection:
        sent = [
            requests.send_produce(connection, topic, batch([random.randbytes(900_000)])) for _ in range(count)
        ]
        for correlation in sent:
            assert requests.receive_produce(connection, correlation).error == 0


def send_until_blocked(connection, data):
    """Sends the data again and again until the other side takes no more; the rest of the last piece is lost."""
    connection.socket.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            connection.socket.send(data)
            if unsent_bytes(connection) > MEBIBYTE:
                return


@pytest.mark.parametrize("temperature", ["newest data", "data on disk"])
def test_clients_that_never_read_their_answers_cost_bounded_memory(start_cluster, name, temperature):
    alone = start_cluster(size=1)
    broker = alone.brokers[0]
    topic = alone.create_topic(name)
    fill(broker, topic, 24)
    if temperature == "data on disk":
        broker.stop()
        alone.start()
    before = broker.rss_bytes()
    readers = 12
    with contextlib.ExitStack() as stack:
        for number in range(readers):
            reader = stack.enter_context(Connection(broker.address, receive_buffer=4_096))
            for correlation in range(500):
                with contextlib.suppress(socket.timeout):
                    requests.send_fetch(reader, topic, (number + correlation) % 20)
        # What is sent after all that is answered when the broker has dealt with what it took before.
        with Connection(broker.address) as connection:
            for offset in range(24):
                assert requests.fetch(connection, topic, offset).error == 0
            assert requests.produce(connection, topic, batch([b"steady"])).base_offset == 24
        assert grown(broker, before) < readers * 30, "16 MiB of answers wait in each connection, and one is under way"
    wait_until(lambda: broker.open_files() < 40, "the connections are closed")
