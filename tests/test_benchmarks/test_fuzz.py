"""A long fuzz is interrupted and goes on; what is slow is sent less."""

from __future__ import annotations

from collections import Counter

from benchmarks.fuzz import Kept, Pace, Report


def test_batches_that_are_done_are_counted_and_not_sent_again(tmp_path):
    file = tmp_path / "batches"
    kept = Kept(file)
    kept.note(0, "list_runs", Report(Counter({200: 3, 422: 1}), Counter(list_runs=4)))
    kept.note(0, "get_run", Report(Counter({500: 1}), Counter(get_run=1), ["a fault"]))
    again = Kept(file)
    report = again.read()
    assert again.done == {(0, "list_runs"), (0, "get_run")}
    assert report == Report(
        Counter({200: 3, 422: 1, 500: 1}), Counter(list_runs=4, get_run=1), ["a fault"]
    )
    assert (report.requests, report.server_errors) == (5, 1)


def test_without_a_file_nothing_is_kept():
    kept = Kept(None)
    kept.note(0, "list_runs", Report(Counter({200: 1}), Counter(list_runs=1)))
    assert Kept(None).read() == Report()


def test_operation_that_takes_much_of_the_time_is_slow():
    pace = Pace(100, spent=Counter({"parse": 60, "a": 1, "b": 1, "c": 1, "d": 1}))
    assert pace.is_slow("parse")
    assert not pace.is_slow("a")
    assert not pace.is_slow("new")
