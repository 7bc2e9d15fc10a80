"""Python's garbage collector while modules are imported."""

from __future__ import annotations

import gc
from importlib import import_module

import pytest

from etlfabric_dagster import collector


def test_collector_is_off_inside_and_on_again_after_an_error() -> None:
    with collector.paused():
        assert not gc.isenabled()
    assert gc.isenabled()

    with pytest.raises(ModuleNotFoundError), collector.paused():
        import_module("there_is_no_such_module")
    assert gc.isenabled()


def test_what_is_made_inside_is_never_looked_through_again() -> None:
    before = gc.get_freeze_count()
    with collector.paused():
        kept = [[number] for number in range(1000)]
    assert gc.get_freeze_count() >= before + len(kept)


def test_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with collector.paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
