"""Members of consumer groups in threads, and a ledger that notices whatever a group must not do."""

import collections
import threading

import confluent_kafka

from harness.waiting import wait_until


class Ledger:
    """What the members of one group do, as they do it: who has which partition, and what was read of it."""

    def __init__(self):
        self._lock = threading.Lock()
        self.owners = {}
        self.violations = []
        # For each partition the offset up to which everything was read by somebody.
        self.read_up_to = collections.defaultdict(int)
        self.repeated = 0

    def assigned(self, member, partitions):
        with self._lock:
            for partition in partitions:
                owner = self.owners.get(partition)
                if owner is not None:
                    self.violations.append(f"{partition} was given to {member.name} while {owner.name} had it")
                self.owners[partition] = member

    def revoked(self, member, partitions):
        with self._lock:
            for partition in partitions:
                if self.owners.get(partition) is member:
                    del self.owners[partition]

    def read(self, member, partition, offset):
        with self._lock:
            expected = self.read_up_to[partition]
            if offset > expected:
                self.violations.append(f"{member.name} read {partition} at {offset}: nobody read from {expected} on")
            self.repeated += offset < expected
            self.read_up_to[partition] = max(expected, offset + 1)

    def owned_by(self, member):
        with self._lock:
            return {partition for partition, owner in self.owners.items() if owner is member}

    def counts(self, members):
        return sorted(len(self.owned_by(member)) for member in members)


class Member:
    """A consumer that polls in a thread of its own, and commits what it has read when it loses a partition."""

    def __init__(self, client, bootstrap, group, topics, ledger, name="member", **settings):
        self.name = name
        self.ledger = ledger
        self.errors = []
        self.rebalances = 0
        self._stopping = threading.Event()
        # librdkafka up to 2.16 does not ask again for committed offsets when its request was lost with the coordinator,
        # and never acknowledges then what it was assigned. After this time the group expires it, and it begins anew.
        settings.setdefault("max_poll_interval_ms", 10_000)
        # When a commit was under way to a coordinator that died, librdkafka sends it again before it is connected to the
        # new one, fails it, takes the new one for dead, and so on: no heartbeat leaves until the session is over. A
        # commit that waits until the connection is there ends that.
        settings.setdefault("retry_backoff_ms", 1000)
        settings.setdefault("group_protocol", "consumer")
        self._consumer = client.consumer(
            bootstrap, group_id=group, client_id=name, auto_offset_reset="earliest",
            enable_auto_offset_store=False, enable_auto_commit=True, auto_commit_interval_ms=200,
            reconnect_backoff_ms=20, reconnect_backoff_max_ms=200, topic_metadata_refresh_interval_ms=1000, **settings)
        self._consumer.subscribe(
            topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def partitions(self):
        return self.ledger.owned_by(self)

    def _names(self, partitions):
        return [(partition.topic, partition.partition) for partition in partitions]

    def _assigned(self, _, partitions):
        self.rebalances += bool(partitions)
        self.ledger.assigned(self, self._names(partitions))

    def _revoked(self, consumer, partitions):
        self.rebalances += bool(partitions)
        try:
            consumer.commit(asynchronous=False)
        except confluent_kafka.KafkaException as error:
            if error.args[0].code() != confluent_kafka.KafkaError._NO_OFFSET:
                self.errors.append(error.args[0])
        self.ledger.revoked(self, self._names(partitions))

    def _lost(self, _, partitions):
        self.rebalances += bool(partitions)
        self.ledger.revoked(self, self._names(partitions))

    def _run(self):
        while not self._stopping.is_set():
            message = self._consumer.poll(0.05)
            if message is None:
                continue
            if message.error():
                self.errors.append(message.error())
                continue
            self.ledger.read(self, (message.topic(), message.partition()), message.offset())
            self._consumer.store_offsets(message)

    def close(self):
        """Leaves the group in good order."""
        self.stop_polling()
        self._consumer.close()
        self.ledger.revoked(self, self.partitions)

    def stop_polling(self):
        self._stopping.set()
        self._thread.join(timeout=30)


class Members:
    """The members that one test starts; closed at its end."""

    def __init__(self, client, bootstrap, group, topics):
        self.client, self.bootstrap, self.group, self.topics = client, bootstrap, group, topics
        self.ledger = Ledger()
        self.running = []

    def start(self, count=1, **settings):
        first = len(self.running)
        for number in range(first, first + count):
            self.running.append(
                Member(
                    self.client, self.bootstrap, self.group, self.topics, self.ledger, f"member-{number}", **settings))
        return self.running[-count:]

    def close(self, member):
        self.running.remove(member)
        member.close()

    def wait_until_shared(self, partitions, what="all partitions have an owner", timeout=60):
        """Waits until the members share these partitions evenly."""
        wanted = set(partitions)

        def is_shared():
            counts = self.ledger.counts(self.running)
            return set(self.ledger.owners) == wanted and counts[-1] - counts[0] <= 1
        try:
            wait_until(is_shared, what, timeout)
        except AssertionError as error:
            counts = {member.name: len(member.partitions) for member in self.running}
            errors = [error for member in self.running for error in member.errors]
            raise AssertionError(f"{error}; partitions of each: {counts}; errors: {errors}") from None

    def wait_until_read(self, ends, timeout=60):
        """Waits until everything up to these ends was read by somebody."""
        wait_until(
            lambda: all(self.ledger.read_up_to[partition] >= end for partition, end in ends.items()),
            f"everything up to {ends} was read", timeout)

    def check(self):
        violations = self.ledger.violations
        assert violations == [], "\n".join(violations)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for member in self.running:
            member.stop_polling()
        for member in self.running:
            member.close()
