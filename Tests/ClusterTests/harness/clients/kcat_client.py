"""kcat, which is librdkafka as Debian ships it: an old one, with the quirks that old ones have."""

import json
import re
import subprocess

from harness.clients.base import TIMEOUT_SECONDS
from harness.records import Record


class KcatClient:
    name = "kcat"
    has_admin = False
    sets_timestamps = False
    sends_null_headers = True
    sends_empty_values = False

    @property
    def version(self):
        text = subprocess.run(["kcat", "-V"], capture_output=True, text=True).stdout
        kcat, librdkafka = re.search(r"Version (\S+)", text), re.search(r"librdkafka ([0-9.]+)", text)
        return f"{kcat.group(1)} (librdkafka {librdkafka.group(1)})"

    def run(self, bootstrap, *arguments, stdin=b"", check=True):
        run = subprocess.run(
            ["kcat", "-b", bootstrap, *arguments], input=stdin, capture_output=True, timeout=TIMEOUT_SECONDS)
        assert not check or run.returncode == 0, f"kcat failed: {run.stderr.decode()}"
        return run

    def produce(self, bootstrap, topic, records, partition=0, codec="none", acks="all", idempotent=False):
        settings = ["-X", f"acks={acks}", "-z", codec]
        if idempotent:
            settings += ["-X", "enable.idempotence=true"]
        plain = all(record.value is not None and not record.headers for record in records)
        # One kcat can send many records, but not with different headers: then it is one process for each.
        for group in [records] if plain else [[record] for record in records]:
            lines = [b"" if r.key is None else r.key + b"\t" for r in group]
            stdin = b"".join(start + (r.value or b"") + b"\n" for start, r in zip(lines, group))
            shape = ["-Z"] if group[0].value is None else []
            for header, value in group[0].headers:
                shape += ["-H", header if value is None else f"{header}={value.decode()}"]
            self.run(bootstrap, "-P", "-t", topic, "-p", str(partition), "-K", "\t", *settings, *shape, stdin=stdin)
        return None

    def consume(self, bootstrap, topic, offset, count, partition=0):
        run = self.run(
            bootstrap, "-C", "-t", topic, "-p", str(partition), "-o", str(offset), "-c", str(count), "-J", "-q", "-u")
        return [self._record(json.loads(line)) for line in run.stdout.splitlines()]

    @staticmethod
    def _record(message):
        def data(text):
            return None if text is None else text.encode()

        headers = message.get("headers", [])
        return Record(
            data(message["payload"]), data(message["key"]),
            tuple((name, data(value)) for name, value in zip(headers[::2], headers[1::2])),
            message["ts"], message["offset"])

    def watermarks(self, bootstrap, topic, partition=0):
        return self._offset(bootstrap, topic, partition, -2), self._offset(bootstrap, topic, partition, -1)

    def offset_for_time(self, bootstrap, topic, timestamp, partition=0):
        offset = self._offset(bootstrap, topic, partition, timestamp)
        return None if offset == -1 else offset

    def _offset(self, bootstrap, topic, partition, timestamp):
        run = self.run(bootstrap, "-Q", "-t", f"{topic}:{partition}:{timestamp}")
        return int(re.search(rb"offset (-?\d+)", run.stdout).group(1))
