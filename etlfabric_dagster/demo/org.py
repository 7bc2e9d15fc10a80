"""Load the demo: the org, its two pipelines and its marts, then a run of each. Idempotent."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib import resources

from etlfabric_dagster.demo import marketing
from etlfabric_dagster.demo.source import (
    DATABASE,
    READER,
    SourceServer,
    embedded_source,
    ensure_shop,
    insert_orders,
    set_reader_password,
)
from etlfabric_dagster.errors import FabricError, NotFoundError
from etlfabric_dagster.fabric import Fabric, Org, Run
from etlfabric_dagster.schemas.runs import RunStatus

SLUG, NAME = "demo", "Demo shop"
SHOP, MARKETING = "shop", "marketing"
NEW_ORDERS = 25
RUN_TIMEOUT_S = 300

Progress = Callable[[str], None]


def load(progress: Progress = lambda _: None, server: SourceServer | None = None) -> None:
    """Bring org `demo` up to date with its sources. Blocking.

    The first call creates everything; each later one adds new orders to the source first, so that
    the incremental load has something to do. What people changed in the org stays as it is.

    Args:
        progress: called with a sentence at each step.
        server: the shop's database server; the one that `etlfabric up` runs by default.

    Raises: FabricError, with the run's own message and remedy when a run failed.
    """
    server = server or embedded_source()
    with Fabric.connect() as fabric, ThreadPoolExecutor(1) as background:
        progress("Preparing the shop's database")
        shop = background.submit(_prepare_shop, server)  # the server works; nobody need wait
        demo = _org(fabric)
        runs = _load_marketing(demo, progress)
        shop.result()
        progress("Loading the shop and building its marts")
        _register_shop(demo, server)
        _put_models(demo)
        _finish([*runs, demo.runs.start(SHOP)])


def is_loaded() -> bool:
    """Whether the shop was loaded before: then `up` leaves it as it is."""
    with Fabric.connect() as fabric:
        try:
            runs = fabric.orgs.get(SLUG).runs.list(pipeline=SHOP, status=RunStatus.SUCCEEDED)
            return any(True for _ in runs)
        except NotFoundError:  # the org, or its pipeline
            return False


def add_orders(count: int = NEW_ORDERS, server: SourceServer | None = None) -> int:
    """Add orders to the demo's source, as a day at the shop would. Returns how many. Blocking."""
    server = server or embedded_source()
    ensure_shop(server)
    return insert_orders(server, count)


def _org(fabric: Fabric) -> Org:
    try:
        return fabric.orgs.get(SLUG)
    except NotFoundError:
        return fabric.orgs.create(SLUG, name=NAME)


def _prepare_shop(server: SourceServer) -> None:
    if not ensure_shop(server):
        insert_orders(server, NEW_ORDERS)


def _load_marketing(demo: Org, progress: Progress) -> list[Run]:
    """Upload the file and load it. The first time it is waited for: a mart joins it.

    Returns runs that still go on.
    """
    content = marketing.spend_file(datetime.now(UTC).date())
    known = {upload.name: upload.size_bytes for upload in demo.uploads.list()}
    registered = MARKETING in {pipeline.name for pipeline in demo.pipelines.list()}
    if registered and known.get(marketing.FILE) == len(content):
        return []
    progress("Loading the marketing file")
    demo.uploads.put(io.BytesIO(content), marketing.FILE)
    if registered:
        return [demo.runs.start(MARKETING)]
    spend = {"name": "spend", "glob": marketing.FILE, "format": "csv"}
    config = {"bucket_url": "uploads://", "streams": [spend]}
    demo.register_source(MARKETING, connector="filesystem", config=config)
    _finish([demo.runs.start(MARKETING)])
    return []


def _register_shop(demo: Org, server: SourceServer) -> None:
    """The connection of an install that was started before may hold an earlier port."""
    config = {
        "dialect": "postgresql",
        "host": server.host,
        "port": server.port,
        "database": DATABASE,
        "username": READER,
    }
    if SHOP in {pipeline.name for pipeline in demo.pipelines.list()}:
        known = demo.connections.get(SHOP).config
        if (known.get("host"), known.get("port")) != (server.host, server.port):
            demo.connections.update(SHOP, config=known | {"host": server.host, "port": server.port})
        return
    password = secrets.token_urlsafe(24)
    set_reader_password(server, password)
    demo.register_source(
        SHOP, connector="sql_database", config=config, credentials={"password": password}
    )


def _put_models(demo: Org) -> None:
    """The marts that are not there yet: a model that people changed is theirs."""
    known = {model.path for model in demo.dbt_models.list()}
    missing = {path: text for path, text in mart_files().items() if path not in known}
    if missing:
        demo.dbt_models.import_project(
            {f"models/{path}": text.encode() for path, text in missing.items()}
        )


def mart_files() -> dict[str, str]:
    """Path in the org's dbt project → content."""
    folder = resources.files("etlfabric_dagster.demo").joinpath("dbt", "marts")
    return {f"marts/{file.name}": file.read_text() for file in folder.iterdir() if file.is_file()}


def _finish(runs: Sequence[Run]) -> None:
    """Wait for them all. Raises FabricError in the words of one that did not succeed."""
    for run in runs:
        run.wait(timeout_s=RUN_TIMEOUT_S)
    for run in runs:
        if run.status is not RunStatus.SUCCEEDED:
            raise _failed(run)


def _failed(run: Run) -> FabricError:
    said = run.error.message if run.error else "no reason was given"
    remedy = run.error.remedy if run.error else ""
    return FabricError(
        f"The demo's pipeline '{run.info.pipeline}' {run.status}: {said}",
        remedy or f"Read its log: etlfabric runs logs {SLUG} {run.id}",
        code="demo_run",
    )
