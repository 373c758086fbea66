"""Record batches, version 2: built by hand, right or wrong, and taken apart."""

import dataclasses
import gzip
import struct

import cramjam
import lz4.frame
import zstandard

HEADER = struct.Struct(">qiibIhiqqqhii")
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
LOG_APPEND_TIME = 0x08


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def varint(value):
    value = value << 1 ^ value >> 63
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


@dataclasses.dataclass(frozen=True)
class Record:
    value: bytes | None
    key: bytes | None = None
    headers: tuple = ()
    timestamp: int | None = None
    offset: int | None = None


def _blob(data):
    return varint(-1) if data is None else varint(len(data)) + data


def encode_record(record, delta, base_timestamp):
    timestamp = base_timestamp if record.timestamp is None else record.timestamp
    body = b"\0" + varint(timestamp - base_timestamp) + varint(delta) + _blob(record.key) + _blob(record.value)
    body += varint(len(record.headers))
    for name, value in record.headers:
        body += _blob(name.encode()) + _blob(value)
    return varint(len(body)) + body


COMPRESS = {
    0: bytes,
    1: gzip.compress,
    2: lambda data: bytes(cramjam.snappy.compress_raw(data)),
    3: lz4.frame.compress,
    4: zstandard.compress,
}


def batch(records, producer_id=-1, epoch=-1, sequence=-1, timestamp=1_700_000_000_000, codec=0, **wrong):
    """A record batch. `wrong` replaces header fields after they were computed: magic, count, last_delta, crc, length,
    attributes, base_offset, max_timestamp."""
    records = [record if isinstance(record, Record) else Record(record) for record in records]
    payload = b"".join(encode_record(record, i, timestamp) for i, record in enumerate(records))
    largest = max([timestamp] + [record.timestamp for record in records if record.timestamp is not None])
    checked = struct.pack(
        ">hiqqqhii", wrong.get("attributes", codec), wrong.get("last_delta", len(records) - 1), timestamp,
        wrong.get("max_timestamp", largest),
        producer_id, epoch, sequence, wrong.get("count", len(records))) + COMPRESS[codec](payload)
    crc = wrong.get("crc", crc32c(checked))
    length = wrong.get("length", len(checked) + 9)
    return struct.pack(">qiibI", wrong.get("base_offset", 0), length, -1, wrong.get("magic", 2), crc) + checked


@dataclasses.dataclass(frozen=True)
class BatchHeader:
    base_offset: int
    epoch: int
    attributes: int
    last_delta: int
    max_timestamp: int
    producer_id: int
    sequence: int
    count: int

    @property
    def codec(self):
        return self.attributes & 7

    @property
    def end_offset(self):
        return self.base_offset + self.last_delta + 1


def batch_headers(blob):
    """The headers of the whole batches in what a fetch returned; each batch's checksum must be right."""
    found = []
    while len(blob) >= HEADER.size:
        (offset, length, epoch, magic, crc, attributes, last_delta, _, largest, producer, _, sequence,
         count) = HEADER.unpack_from(blob)
        assert magic == 2 and 12 + length <= len(blob), "a fetch returns whole batches of version 2"
        assert crc32c(blob[21:12 + length]) == crc, f"the batch at offset {offset} has a wrong checksum"
        found.append(BatchHeader(offset, epoch, attributes, last_delta, largest, producer, sequence, count))
        blob = blob[12 + length:]
    assert not blob, "bytes are left over behind the last batch"
    return found
