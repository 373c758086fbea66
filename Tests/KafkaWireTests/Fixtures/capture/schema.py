"""Reads and writes Kafka messages by their JSON definitions: a second implementation, slow and independent."""

import json
import pathlib
import struct


def span(text):
    """The versions of "3+", "0-12", "4" or "none" as a pair."""
    if not text or text == "none":
        return (1, 0)
    if text.endswith("+"):
        return (int(text[:-1]), 32767)
    first, _, last = text.partition("-")
    return (int(first), int(last or first))


def within(text, version):
    first, last = span(text)
    return first <= version <= last


class Schemas:
    def __init__(self, folder):
        self.messages = {}
        for path in pathlib.Path(folder).glob("*.json"):
            message = json.loads(path.read_text())
            self.messages[message["name"]] = message

    def ranges(self):
        return {
            m["apiKey"]: span(m["validVersions"])
            for m in self.messages.values()
            if m["type"] == "request"
        }

    def name(self, key):
        for m in self.messages.values():
            if m["type"] == "request" and m["apiKey"] == key:
                return m["name"].removesuffix("Request")
        return f"Api{key}"

    def flexible(self, name, version):
        return within(self.messages[name]["flexibleVersions"], version)

    def encode(self, name, version, value):
        return Writer(self.flexible(name, version), version).struct(self.messages[name]["fields"], value)

    def decode(self, name, version, data):
        return Reader(data, self.flexible(name, version), version).struct(self.messages[name]["fields"])


FORMATS = {"int8": ">b", "int16": ">h", "uint16": ">H", "int32": ">i", "int64": ">q", "float64": ">d"}


def default(field):
    kind, stated = field["type"], field.get("default")
    if stated == "null":
        return None
    if kind in FORMATS:
        return int(str(stated or 0), 0)
    if kind == "bool":
        return str(stated).lower() == "true"
    if kind == "uuid":
        return bytes(16)
    if kind == "string":
        return stated or ""
    if kind in ("bytes", "records"):
        return b""
    return [] if kind.startswith("[]") else {}


def is_optional_struct(field, version):
    """Whether a byte says if there is a structure."""
    named = field["type"] in FORMATS or field["type"] in ("bool", "uuid", "string", "bytes", "records")
    return not named and not field["type"].startswith("[]") and within(field.get("nullableVersions"), version)


def uvarint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


class Writer:
    def __init__(self, flexible, version):
        self.flexible, self.version = flexible, version

    def length(self, number, form):
        return uvarint(number + 1) if self.flexible else struct.pack(form, number)

    def value(self, kind, fields, value):
        if kind in FORMATS:
            return struct.pack(FORMATS[kind], value)
        if kind == "bool":
            return bytes([1 if value else 0])
        if kind == "uuid":
            return value
        if kind == "string":
            if value is None:
                return self.length(-1, ">h")
            data = value.encode()
            return self.length(len(data), ">h") + data
        if kind in ("bytes", "records"):
            return self.length(-1, ">i") if value is None else self.length(len(value), ">i") + value
        if kind.startswith("[]"):
            if value is None:
                return self.length(-1, ">i")
            return self.length(len(value), ">i") + b"".join(self.value(kind[2:], fields, v) for v in value)
        return self.struct(fields, value)

    def struct(self, fields, value):
        out, tagged = b"", []
        for field in fields:
            if not within(field["versions"], self.version):
                continue
            current = value.get(field["name"], default(field))
            if within(field.get("taggedVersions"), self.version):
                if current != default(field):
                    data = self.value(field["type"], field.get("fields"), current)
                    tagged.append((field["tag"], data))
            elif is_optional_struct(field, self.version):
                out += b"\xff" if current is None else b"\1" + self.struct(field["fields"], current)
            else:
                out += self.value(field["type"], field.get("fields"), current)
        if self.flexible:
            out += uvarint(len(tagged))
            for tag, data in sorted(tagged):
                out += uvarint(tag) + uvarint(len(data)) + data
        return out


class Reader:
    def __init__(self, data, flexible, version):
        self.data, self.at, self.flexible, self.version = data, 0, flexible, version

    def take(self, count):
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def uvarint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def length(self, form):
        return self.uvarint() - 1 if self.flexible else self.number(form)

    def value(self, kind, fields):
        if kind in FORMATS:
            return self.number(FORMATS[kind])
        if kind == "bool":
            return self.take(1) != b"\0"
        if kind == "uuid":
            return self.take(16)
        if kind == "string":
            count = self.length(">h")
            return None if count < 0 else self.take(count).decode()
        if kind in ("bytes", "records"):
            count = self.length(">i")
            return None if count < 0 else self.take(count)
        if kind.startswith("[]"):
            count = self.length(">i")
            return None if count < 0 else [self.value(kind[2:], fields) for _ in range(count)]
        return self.struct(fields)

    def struct(self, fields):
        value = {}
        for field in fields:
            value[field["name"]] = default(field)
            untagged = not within(field.get("taggedVersions"), self.version)
            if within(field["versions"], self.version) and untagged:
                if is_optional_struct(field, self.version) and self.number(">b") < 0:
                    value[field["name"]] = None
                    continue
                value[field["name"]] = self.value(field["type"], field.get("fields"))
        if self.flexible:
            for _ in range(self.uvarint()):
                tag, size = self.uvarint(), self.uvarint()
                end = self.at + size
                for field in fields:
                    if field.get("tag") == tag and within(field.get("taggedVersions"), self.version):
                        value[field["name"]] = self.value(field["type"], field.get("fields"))
                self.at = end
        return value
