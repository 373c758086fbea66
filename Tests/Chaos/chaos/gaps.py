"""How long a partition was not written to after a fault, from the times of the acknowledgements. Pure."""

import bisect
import statistics


def longest_silence(times, start, end):
    """The longest time without an acknowledgement between `start` and `end`; None when there was none at all.

    What lies outside does not count: a silence that goes on behind `end` belongs to the next fault. `times` ascend and
    have the unit of the result.
    """
    inside = times[bisect.bisect_right(times, start):bisect.bisect_right(times, end)]
    if not inside:
        return None
    moments = [start, *inside, end]
    return max(later - earlier for earlier, later in zip(moments, moments[1:]))


def p50(values):
    return statistics.median(values) if values else None
