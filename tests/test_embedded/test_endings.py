"""How a stack ends: `down`, kill -9 of what holds it, and what is left then."""

from __future__ import annotations

import psutil
import psycopg

from tests.test_embedded.conftest import Stack, still_running, wait_for


def platform_dsn(stack: Stack) -> str:
    return stack.home.platform(stack.home.install()).dsn("etlfabric")


def has_processes(stack: Stack) -> bool:
    """Whether a start is under way that has something to leave behind."""
    if not stack.home.state.exists():
        return False
    state = stack.state()
    return state.is_supervised() and len(state.recorded()) > 2


def test_up_after_a_kill_loses_nothing_and_down_ends_one_in_the_foreground(endings: Stack) -> None:
    endings.up()
    with psycopg.connect(platform_dsn(endings), autocommit=True) as conn:
        conn.execute("CREATE TABLE public.kept_by_test AS SELECT 1 AS one")
    orphans = endings.alive()
    assert len(orphans) > 8
    endings.kill_supervisor()

    with endings.foreground() as foreground:
        wait_for(lambda: endings.is_ready() or foreground.poll() is not None)
        assert still_running(orphans) == []
        with psycopg.connect(platform_dsn(endings), autocommit=True) as conn:
            assert conn.execute("SELECT one FROM public.kept_by_test").fetchone() == (1,)
            conn.execute("DROP TABLE public.kept_by_test")
        running = endings.alive()
        assert len(running) > 8
        assert endings.run("down").returncode == 0
        assert still_running(running) == []
        assert foreground.wait(30) == 0


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
