"""Every example in the docstrings of `Fabric` does what it says, after `etlfabric up`."""

from __future__ import annotations

from tests.live import LiveStack

SCRIPT = """
import doctest, importlib, pathlib, sys, tempfile
from etlfabric_dagster import Fabric

flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
runner = doctest.DocTestRunner(optionflags=flags)
with Fabric.connect() as fabric, tempfile.TemporaryDirectory() as folder:
    known = {
        "Fabric": Fabric,
        "fabric": fabric,
        "demo": fabric.orgs.get("demo"),
        "folder": pathlib.Path(folder),
    }
    for name in ("", ".orgs", ".sources", ".work"):
        module = importlib.import_module(f"etlfabric_dagster.fabric{name}")
        for found in doctest.DocTestFinder().find(module, extraglobs=known):
            runner.run(found)
print(runner.tries, runner.failures)
"""


def test_examples_of_fabric_do_what_they_say(stack: LiveStack) -> None:
    printed = stack.python(SCRIPT)

    tries, failures = map(int, printed.split()[-2:])
    assert tries > 60
    assert failures == 0, printed
