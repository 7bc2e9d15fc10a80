"""Events are written in order, behind the step that told them; nothing that fails is silent."""

from __future__ import annotations

import threading

import pytest

from etlfabric_dagster.orchestration.writer import EventWriter


def fail() -> None:
    raise OSError("the database is away")


def test_flush_waits_for_all_that_was_put_in_order():
    written: list[int] = []
    with EventWriter() as writer:
        for number in range(100):
            writer.put(lambda n=number: written.append(n))
        writer.flush()
        assert written == list(range(100))


def test_putting_does_not_wait_for_writing():
    may_write, written = threading.Event(), threading.Event()

    def write() -> None:
        may_write.wait(10)
        written.set()

    with EventWriter() as writer:
        writer.put(write)
        assert not written.is_set()
        may_write.set()
        writer.flush()
        assert written.is_set()


def test_write_that_fails_is_raised_by_flush_once():
    with EventWriter() as writer:
        writer.put(fail)
        with pytest.raises(OSError, match="away"):
            writer.flush()
        writer.flush()


def test_nothing_is_written_past_a_failure_until_somebody_knows():
    written: list[str] = []
    with EventWriter() as writer:
        may_fail = threading.Event()
        writer.put(lambda: may_fail.wait(10) and fail())
        writer.put(lambda: written.append("a success after it"))
        may_fail.set()
        with pytest.raises(OSError, match="away"):
            writer.flush()
        assert written == []
        writer.put(lambda: written.append("the failure's own event"))
        writer.flush()
    assert written == ["the failure's own event"]


def test_last_failure_is_raised_at_the_end():
    with pytest.raises(OSError, match="away"), EventWriter() as writer:
        writer.put(fail)
