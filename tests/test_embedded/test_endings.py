"""How a stack ends that is starting: `down`, kill -9 of what holds it, and what is left then.

One that was ready is killed, and started again, in `tests/packaging`.
"""

from __future__ import annotations

import psutil

from tests.stacks import Stack, still_running, wait_for


def has_processes(stack: Stack) -> bool:
    """Whether a start is under way that has something to leave behind."""
    if not stack.home.state.exists():
        return False
    state = stack.state()
    return state.is_supervised() and len(state.recorded()) > 2


def test_down_after_a_kill_leaves_nothing_and_can_be_said_twice(endings: Stack) -> None:
    with endings.foreground():
        wait_for(lambda: has_processes(endings))
        orphans = endings.alive()
        endings.kill_supervisor()
        assert endings.run("down").returncode == 0
    assert still_running(orphans) == []
    assert endings.run("down").returncode == 0


def test_foreground_up_that_is_killed_takes_everything_with_it(endings: Stack) -> None:
    with endings.foreground() as foreground:
        wait_for(lambda: has_processes(endings))
        running = endings.alive()
        foreground.kill()
    psutil.wait_procs(running, timeout=60)
    assert still_running(running) == []
    assert not endings.is_ready()
