"""A dbt project in one file: zip or tar, opened without trusting it."""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import IO, BinaryIO

from etlfabric_dagster.errors import InvalidInputError, TooLargeError

MAX_ARCHIVE_BYTES = 50 * 1024 * 1024
MAX_FILES = 5000
MAX_BYTES = 100 * 1024 * 1024  # unpacked: a bomb ends here, whatever its headers say
SKIPPED_FOLDERS = {"target", "dbt_packages", "logs", ".git", ".venv", "venv"}
PROJECT = "dbt_project.yml"

_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError)


def read_project(file: BinaryIO) -> dict[str, bytes]:
    """Path in the project → content. Links, devices and folders that dbt writes are left out.

    Raises:
        InvalidInputError: it is no archive, or holds no dbt_project.yml.
        TooLargeError: too many files, or too large when unpacked.
    """
    try:
        return _project(dict(_limited(_members(file))))
    except (*_BROKEN, NotImplementedError, RuntimeError) as exc:  # encrypted, unknown compression
        raise InvalidInputError(
            "The file cannot be read as an archive.",
            "Send a zip or tar.gz of the project's folder.",
        ) from exc


def packed(files: Mapping[str, bytes]) -> BinaryIO:
    """A project as `read_project` takes it."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in ({PROJECT: b"name: imported"} | dict(files)).items():
            archive.writestr(name, content)
    body.seek(0)
    return body


def _members(file: BinaryIO) -> Iterator[tuple[str, int, IO[bytes]]]:
    """(name, announced size, content) of every regular file."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as packed:
            for entry in packed.infolist():
                if not entry.is_dir():
                    with packed.open(entry) as content:
                        yield entry.filename, entry.file_size, content
        return
    file.seek(0)
    with tarfile.open(fileobj=file, mode="r:*") as packed:
        for entry in packed:
            content = packed.extractfile(entry) if entry.isreg() else None
            if content is not None:
                yield entry.name, entry.size, content


def _limited(members: Iterator[tuple[str, int, IO[bytes]]]) -> Iterator[tuple[str, bytes]]:
    total = 0
    for count, (name, size, content) in enumerate(members, start=1):
        room = MAX_BYTES - total
        body = b"" if size > room else content.read(room + 1)
        total += max(size, len(body))
        if total > MAX_BYTES or count > MAX_FILES:
            raise TooLargeError(
                f"The project is larger than {MAX_FILES:,} files or {MAX_BYTES // 2**20} MiB.",
                "Leave out what is not part of the project.",
            )
        yield name, body


def _project(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files below the folder that holds dbt_project.yml, by their path there."""
    paths = {PurePosixPath(name): body for name, body in files.items() if _is_plain(name)}
    roots = sorted((p.parent for p in paths if p.name == PROJECT), key=lambda p: len(p.parts))
    if not roots:
        raise InvalidInputError(
            f"The archive holds no {PROJECT}.", "Send the folder of a dbt project."
        )
    return {
        path.relative_to(roots[0]).as_posix(): body
        for path, body in paths.items()
        if path.is_relative_to(roots[0]) and not SKIPPED_FOLDERS.intersection(path.parts)
    }


def _is_plain(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\0" not in name
