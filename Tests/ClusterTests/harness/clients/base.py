"""What the clients have in common."""


class Refused(Exception):
    """The broker refused something: Kafka's error code, and the client's own words."""

    def __init__(self, code, message=""):
        super().__init__(f"error {code}: {message}")
        self.code = code


# How long a client may try before a test counts it as failed. Brokers under test share a busy machine.
TIMEOUT_SECONDS = 30
