"""The silence after a fault."""

from chaos.gaps import longest_silence, p50


def test_the_longest_silence_counts_from_the_fault_on():
    assert longest_silence([1, 2, 7, 8, 9], start=4, end=9) == 3


def test_a_silence_that_goes_on_behind_the_window_counts_to_its_end():
    assert longest_silence([1, 2, 3, 9], start=2, end=5) == 2


def test_a_silence_after_the_window_does_not_count():
    assert longest_silence([1, 2, 3, 4, 30], start=1, end=4) == 1


def test_without_an_acknowledgement_in_the_window_there_is_no_end():
    assert longest_silence([1, 2, 3], start=3, end=10) is None


def test_the_median_of_nothing_is_nothing():
    assert p50([]) is None and p50([3, 1, 2]) == 2
