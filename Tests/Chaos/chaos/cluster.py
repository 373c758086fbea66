"""The brokers of a run, each with a link and a disk of its own, and the service manager that keeps them running."""

import threading
import time

from harness.broker import SEGMENT_MIB, Broker
from harness.cluster import Cluster
from harness.waiting import wait_until

KAFKA_PORT, PEER_PORT = 9092, 9192
_RESTART_SECONDS = 0.5


class ChaosCluster(Cluster):
    """Owned by the thread that runs the scenario; the service manager's thread only starts brokers that are wanted."""

    def __init__(self, directory, network, disks, options=()):
        self.options = list(options)
        self.network = network
        self.disks = disks
        members = ",".join(f"{number}={link.address}:{PEER_PORT}" for number, link in network.links.items())
        self.brokers = []
        for number, link in network.links.items():
            broker = Broker(
                number, disks[number].path / "data", members, KAFKA_PORT, PEER_PORT,
                options=[*options, "--segment-mib", str(SEGMENT_MIB)], host=link.address, launcher=link.launcher)
            broker.log_path = directory / f"broker-{number}.log"
            self.brokers.append(broker)
        # What ended without having been told to: (broker, exit status, seconds of the monotonic clock).
        self.ended = []
        self._wanted = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._manager = threading.Thread(target=self._manage, daemon=True)
        self._manager.start()

    def _manage(self):
        """Starts what has ended by itself again, as the service manager of a machine does."""
        while not self._closing.wait(0.05):
            with self._lock:
                for broker in list(self._wanted):
                    if broker.is_running:
                        continue
                    if broker.ended_at is None:
                        broker.ended_at = time.monotonic()
                        self.ended.append((broker, broker.process.returncode, broker.ended_at))
                    elif time.monotonic() - broker.ended_at > _RESTART_SECONDS:
                        self._launch(broker)

    def _launch(self, broker):
        broker.ended_at = None
        broker.launch()

    def launch(self, brokers):
        """Starts brokers; from now on they are started again whenever they end."""
        with self._lock:
            for broker in brokers:
                if not broker.is_running:
                    self._launch(broker)
                self._wanted.add(broker)

    def release(self, brokers):
        """The service manager leaves these brokers alone."""
        with self._lock:
            self._wanted -= set(brokers)

    def kill(self, brokers):
        self.release(brokers)
        for broker in brokers:
            if broker.is_running:
                broker.process.kill()
        for broker in brokers:
            broker.process.wait(timeout=30)

    def stop(self, broker):
        self.release([broker])
        broker.stop()

    def start(self):
        self.launch(self.brokers)
        self.wait_until_serving()

    def stop_all(self):
        """All at one moment: those that end a little later would elect another leader, and its first entry would be
        missing in the logs of those that ended before."""
        self.release(self.brokers)
        for broker in self.brokers:
            broker.pause()
        self.kill(self.brokers)

    def has_ended_since(self, broker, moment):
        """Whether a broker ended by itself after that time of the monotonic clock."""
        return any(ended is broker and at >= moment for ended, _, at in self.ended)

    def wait_until_serving(self):
        wait_until(lambda: len(self.running) == len(self.brokers), "all brokers run")
        super().wait_until_serving()

    def leaders(self, topic, partitions):
        """The leader of each partition. Only while nothing is broken."""
        return [self.leader(topic, partition) for partition in range(partitions)]

    def discard(self):
        self._closing.set()
        self._manager.join()
        self._wanted.clear()
        for broker in self.brokers:
            if broker.is_running:
                broker.resume()
        super().discard()
