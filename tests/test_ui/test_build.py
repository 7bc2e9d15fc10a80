"""When the static files are built anew: told by what they were built from; none is built here."""

from __future__ import annotations

from pathlib import Path

import pytest

from etlfabric_ui.server import build


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package of a small panel whose files are built."""
    package = tmp_path / "panel"
    (package / "assets").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    (package / "app.py").write_text("page = 1\n")
    (package / "assets" / "panel.css").write_text("a { color: red }\n")
    static = package / "_static"
    static.mkdir()
    for name, value in (("PACKAGE", package), ("STATIC", static)):
        monkeypatch.setattr(build, name, value)
    monkeypatch.setattr(build, "STAMP", static / "built-from.txt")
    monkeypatch.setattr(build, "build", lambda: build.STAMP.write_text(build.digest()))
    build.build()
    return package


def test_files_built_from_this_source_are_fresh_and_nothing_is_said(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / "_static" / "panel.js").write_text("made by the build")
    (checkout / "notes.md").write_text("not a part of it")

    assert build.is_fresh()
    assert build.main() == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("change", ["edited", "added", "deleted", "renamed"])
def test_changed_source_is_found_stale_said_so_and_built_once(
    checkout: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    css = checkout / "assets" / "panel.css"
    if change == "edited":
        css.write_text("a { color: blue }\n")
    elif change == "added":
        (checkout / "more.py").write_text("")
    elif change == "deleted":
        css.unlink()
    else:
        css.rename(css.with_name("other.css"))
    assert not build.is_fresh()

    assert (build.main(), build.main()) == (0, 0)
    said = "Building the control panel, once …\nThe control panel is built.\n"
    assert capsys.readouterr().out == said
    assert build.is_fresh()


def test_installed_files_are_taken_as_they_are(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout.parent / "pyproject.toml").unlink()
    (checkout / "app.py").write_text("page = 2\n")

    assert not build.is_fresh()
    assert build.main() == 0
    assert capsys.readouterr().out == ""
