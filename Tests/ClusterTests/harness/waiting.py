"""Waiting for a condition, never for an amount of time."""

import threading
import time

_POLL_SECONDS = 0.02
_never = threading.Event()


def wait_until(condition, what, timeout=30.0):
    """Calls `condition` until it returns something true, and returns that.

    Fails the test, naming `what` (words, or what makes them then), when `timeout` seconds pass first. The limit is
    generous: it only ends a test that would hang, on a machine that may be busy.
    """
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(
                f"within {timeout:.0f} s this did not happen: {what() if callable(what) else what}")
        _never.wait(_POLL_SECONDS)
