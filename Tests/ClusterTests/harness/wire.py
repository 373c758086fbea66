"""A raw Kafka connection: it sends whatever bytes a test wants, in whatever order, and reads the answers."""

import io
import itertools
import socket
import struct


class Writer:
    """Builds a request body."""

    def __init__(self, flexible=False):
        self.flexible = flexible
        self.parts = []

    def raw(self, data):
        self.parts.append(data)
        return self

    def number(self, form, value):
        return self.raw(struct.pack(">" + form, value))

    def int8(self, value):
        return self.number("b", value)

    def int16(self, value):
        return self.number("h", value)

    def int32(self, value):
        return self.number("i", value)

    def int64(self, value):
        return self.number("q", value)

    def uvarint(self, value):
        while value >= 0x80:
            self.raw(bytes([value & 0x7F | 0x80]))
            value >>= 7
        return self.raw(bytes([value]))

    def string(self, value):
        data = None if value is None else value.encode()
        if self.flexible:
            return self.uvarint(0) if data is None else self.uvarint(len(data) + 1).raw(data)
        return self.int16(-1) if data is None else self.int16(len(data)).raw(data)

    def bytes(self, data):
        if self.flexible:
            return self.uvarint(0) if data is None else self.uvarint(len(data) + 1).raw(data)
        return self.int32(-1) if data is None else self.int32(len(data)).raw(data)

    def array(self, items, write):
        """`write(item)` adds one item; None is the null array."""
        if items is None:
            return self.uvarint(0) if self.flexible else self.int32(-1)
        if self.flexible:
            self.uvarint(len(items) + 1)
        else:
            self.int32(len(items))
        for item in items:
            write(item)
        return self

    def tags(self):
        """The end of a structure: no tagged fields."""
        return self.uvarint(0) if self.flexible else self

    def data(self):
        return b"".join(self.parts)


class Reader:
    """Takes a response apart."""

    def __init__(self, data, flexible=False):
        self.stream = io.BytesIO(data)
        self.size = len(data)
        self.flexible = flexible

    def raw(self, count):
        data = self.stream.read(count)
        assert len(data) == count, "the response is shorter than its fields"
        return data

    @property
    def remaining(self):
        return self.size - self.stream.tell()

    def number(self, form):
        return struct.unpack(">" + form, self.raw(struct.calcsize(form)))[0]

    def int8(self):
        return self.number("b")

    def int16(self):
        return self.number("h")

    def int32(self):
        return self.number("i")

    def int64(self):
        return self.number("q")

    def uvarint(self):
        value = shift = 0
        while True:
            byte = self.raw(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def string(self):
        length = self.uvarint() - 1 if self.flexible else self.int16()
        return None if length < 0 else self.raw(length).decode()

    def bytes(self):
        length = self.uvarint() - 1 if self.flexible else self.int32()
        return None if length < 0 else self.raw(length)

    def array(self, read):
        count = self.uvarint() - 1 if self.flexible else self.int32()
        return None if count < 0 else [read() for _ in range(count)]

    def tags(self):
        """The tagged fields at the end of a structure, as readers by tag."""
        if not self.flexible:
            return {}
        found = {}
        for _ in range(self.uvarint()):
            tag = self.uvarint()
            found[tag] = Reader(self.raw(self.uvarint()), flexible=True)
        return found


class ConnectionClosed(OSError):
    """The broker closed the connection: its answer to what is no request."""


class Connection:
    def __init__(self, address, timeout=20.0, receive_buffer=None):
        host, port = address.rsplit(":", 1)
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ids = itertools.count(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def close(self):
        self.socket.close()

    def send_raw(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ConnectionClosed(str(error)) from error

    def send_frame(self, data):
        self.send_raw(struct.pack(">i", len(data)) + data)

    def send(self, key, version, body, flexible=False):
        """Sends a request and returns the correlation id that its answer will carry."""
        correlation = next(self._ids)
        header = Writer().int16(key).int16(version).int32(correlation).string("martlet-tests")
        if flexible:
            header.uvarint(0)
        self.send_frame(header.data() + body)
        return correlation

    def _read(self, count):
        parts = []
        while count:
            try:
                part = self.socket.recv(min(count, 1 << 20))
            except ConnectionResetError as error:
                raise ConnectionClosed(str(error)) from error
            if not part:
                raise ConnectionClosed("the broker closed the connection")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def receive_frame(self):
        return self._read(struct.unpack(">i", self._read(4))[0])

    def receive(self, correlation, flexible=False, header_flexible=None):
        """The next answer, which must be the one to the request `correlation`."""
        reader = Reader(self.receive_frame(), flexible)
        assert reader.int32() == correlation, "answers must come in the order of the requests"
        if flexible if header_flexible is None else header_flexible:
            reader.tags()
        return reader

    def request(self, key, version, body, flexible=False):
        return self.receive(self.send(key, version, body, flexible), flexible)

    def is_closed_by_broker(self):
        """Waits until the broker closes the connection or sends something; true if it was the end."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
