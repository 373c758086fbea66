"""How long a partition was not written to after a fault, from the times of the acknowledgements. Pure."""

import bisect
import statistics


def longest_silence(times, start, end):
    """The longest time without an acknowledgement that began in `start` ... `end`, or lasted at `start` already and is
    counted from there. None when no acknowledgement came any more.

    `times` ascend and have the unit of the result.
    """
    position = bisect.bisect_right(times, start)
    longest, since = 0, start
    for time in times[position:]:
        longest = max(longest, time - since)
        since = time
        if time >= end:
            return longest
    # Nothing came behind the last one: as far as anybody knows the silence ends when the window does.
    return max(longest, end - since) if since > start else None


def p50(values):
    return statistics.median(values) if values else None
