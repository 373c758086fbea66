"""Records what real clients send: one frame of each API and version as `../<client>-<api>-v<version>.hex`.

    python3 -m venv venv && venv/bin/pip install confluent-kafka kafka-python aiokafka    # and kcat from the system
    venv/bin/python capture.py <folder with Kafka's message definitions>

Clients take the highest version both sides have, so the rounds offer one more version of every API each time.
Existing files are kept; delete them to record them anew.
"""

import pathlib
import subprocess
import sys

from broker import Broker
from clients import CLIENTS
from schema import Schemas

HERE = pathlib.Path(__file__).resolve().parent

# What the tests can decode, by API key.
RANGES = {
    0: (3, 13), 1: (4, 18), 2: (1, 10), 3: (0, 13), 10: (0, 6), 18: (0, 4), 19: (2, 7), 20: (1, 6),
    21: (0, 2), 22: (0, 5), 23: (2, 4), 32: (1, 4), 33: (0, 2), 35: (1, 5), 37: (0, 3), 43: (0, 2), 44: (0, 1),
    45: (0, 1), 46: (0, 0), 55: (0, 2), 60: (0, 2), 75: (0, 0),
}


def main():
    broker = Broker(Schemas(sys.argv[1]), HERE.parent)
    for step in reversed(range(15)):
        broker.ranges = {key: (low, min(low + step, high)) for key, (low, high) in RANGES.items()}
        for client in CLIENTS:
            broker.client = client
            command = [sys.executable, str(HERE / "clients.py"), client, str(broker.port), str(step)]
            try:
                run = subprocess.run(command, timeout=60, capture_output=True, text=True)
                notes = run.stderr
            except subprocess.TimeoutExpired:
                notes = "  timed out\n"
            print(f"versions up to lowest + {step}, {client}: {broker.kept} frames so far", flush=True)
            print(notes[-600:], end="", flush=True)


if __name__ == "__main__":
    main()
