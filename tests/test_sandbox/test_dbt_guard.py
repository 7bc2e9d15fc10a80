"""What tenants' Jinja cannot reach: canaries never appear in SQL, manifest, results or files."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import Any

from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.jobs import Job, TransformJob
from tests.test_sandbox.dbt_tenant import PASSWORD, Tenant, project

ENV_CANARY = "canary-of-the-environment"
FILE_CANARY = "canary-of-a-file"

ATTEMPTS = {
    "target_password": "{{ target.password }}",
    "target_dump": "{{ tojson(target) | string }} {{ target | string }}",
    "target_items": "{% for k, v in target.items() %}{{ k }}={{ v }};{% endfor %}",
    "adapter_config": "{{ adapter.config.credentials.password }}",
    "adapter_config_dump": "{{ adapter.config }}",
    "adapter_private": "{{ adapter._adapter.config.credentials.password }}",
    "adapter_attr_filter": "{{ (adapter | attr('config')).credentials | string }}",
    "adapter_format": "{{ '{0.config.credentials.password}'.format(adapter) }}",
    "adapter_format_map": "{{ '{a.config.credentials}'.format_map({'a': adapter}) }}",
    "adapter_map_filter": "{{ [adapter] | map(attribute='config.credentials.password') | list }}",
    "connections": "{{ adapter.connections.profile.credentials.password }}",
    "connection_of_query": "{% set c = adapter.add_query('select 1')[0] %}"
    "{{ c.credentials.password }}{{ c.handle.info.password }}",
    "connection_dump": "{{ adapter.add_query('select 1') }}",
    "cursor": "{{ adapter.add_query('select 1')[1].connection.info.password }}",
    "config_object": "{{ config.model }} {{ config.config_call_dict }}",
    "context_dump": "{{ context }}",
    "context_keys": "{% for k in context.keys() %}{{ context[k] | string }}{% endfor %}",
    "env_var": "{{ env_var('FABRIC_CANARY', 'none') }} {{ env_var('DBT_ENV_SECRET_CANARY', 'n') }}",
    "metadata_envs": "{{ dbt_metadata_envs }}",
    "invocation_args": "{{ invocation_args_dict }} {{ flags }}",
    "dunder": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals": "{{ ref.__globals__ }} {{ ref.__func__.__globals__ }}",
    "function_globals": "{{ adapter.quote.__globals__['os'].environ }}",
    "modules": "{{ modules.datetime.sys.modules }} {{ modules.re.sre_compile }}",
    "pytz": "{{ modules.pytz.open_resource('../../../../etc/hostname').read() }}",
    "builtins": "{{ builtins.open('CANARY_FILE').read() }}",
    "agate_from_csv": "{{ run_query('select 1 as a').from_csv('CANARY_FILE').columns }}",
    "agate_to_csv": "{{ run_query('select 1 as a').to_csv('CANARY_OUT') }}",
    "agate_attr": "{% set t = run_query('select 1 as a') %}"
    "{{ (t | attr('from_csv'))('CANARY_FILE').columns }}",
    "agate_of_class": "{% set t = run_query('select 1 as a') %}"
    "{{ (t | attr('__class__')).from_csv('CANARY_FILE') }}",
    "load_agate": "{{ load_agate_table() }}",
    "include": "{% include 'CANARY_FILE' %}",
    "import": "{% import 'CANARY_FILE' as f %}{{ f }}",
    "libpq": "{{ run_query(\"select pg_read_file('CANARY_FILE')\").rows[0][0] }}",
    "copy": "{{ run_query(\"copy (select 1) to program 'cat CANARY_FILE'\") }}",
    "exceptions": "{{ exceptions.raise_compiler_error(adapter.config | string) }}",
    "log": "{{ log(adapter.config, info=true) }}{{ log(context, info=true) }}",
    "print": "{{ print(target.password) }}",
    "write": "{{ write(adapter.config) }}",
    "graph": "{{ graph }}",
}


def test_password_reaches_the_driver_and_jinja_finds_no_secret_and_no_file(
    tenant: Tenant, tmp_path: Any
) -> None:
    """Every attempt in a model of its own, parsed and built; nothing of it leaves the process."""
    (tmp_path / "secret.csv").write_text(f"a\n{FILE_CANARY}\n")
    out = tmp_path / "out.csv"
    files = {
        f"marts/{name}.sql": "select $canary$"
        + text.replace("CANARY_FILE", str(tmp_path / "secret.csv")).replace("CANARY_OUT", str(out))
        + "$canary$ as found"
        for name, text in ATTEMPTS.items()
    }
    kept = _those_that_parse(tenant, files)
    assert len(kept) > len(files) / 2, "most attempts must get as far as a build"
    kept["marts/who.sql"] = "select session_user::text as login"
    told = _run(TransformJob(project=project(kept), warehouse=tenant.warehouse))
    assert tenant.marts("who") == [(tenant.warehouse.username,)]
    assert len(told["events"]) == len(kept)
    _assert_clean(told)
    for name in kept:
        relation = name.removeprefix("marts/").removesuffix(".sql")
        if tenant.sql("select to_regclass(%s)", f"{tenant.warehouse.marts}.{relation}")[0][0]:
            rows = json.dumps(tenant.marts(relation))
            for canary in (PASSWORD, ENV_CANARY, FILE_CANARY):
                assert canary not in rows, name
    assert not out.exists()


def _those_that_parse(tenant: Tenant, files: dict[str, str]) -> dict[str, str]:
    """A project is refused for one of its files: the named one, or a half, is tried alone."""
    error = _parse(tenant, files)
    if error is None or len(files) == 1:
        return {} if error else files
    named = [name for name in files if name.removeprefix("marts/") in str(error)]
    apart = set(named or list(files)[: len(files) // 2])
    first = {name: text for name, text in files.items() if name in apart}
    rest = {name: text for name, text in files.items() if name not in apart}
    return _those_that_parse(tenant, first) | _those_that_parse(tenant, rest)


def _parse(tenant: Tenant, files: dict[str, str]) -> FabricError | None:
    answer = tenant.parse(files)
    _assert_no_canary(json.dumps(answer.payload))
    _assert_no_canary(str(answer.error))
    return answer.error


def _run(job: Job) -> dict[str, Any]:
    sent = job.model_dump(mode="json")
    done = subprocess.run(
        [sys.executable, "-m", "tests.test_sandbox.dbt_raw"],
        input=json.dumps(sent).encode(),
        capture_output=True,
        check=False,
        env=dict(os.environ) | {"FABRIC_CANARY": ENV_CANARY, "DBT_ENV_SECRET_CANARY": ENV_CANARY},
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    _assert_no_canary(done.stderr.decode(errors="replace"))
    return json.loads(done.stdout.decode().splitlines()[-1])


def _assert_clean(told: dict[str, Any]) -> None:
    files = told.pop("files")
    _assert_no_canary(json.dumps(told))
    for path, text in files.items():
        _assert_no_canary(text, path)
    packed = told.get("payload", {}).get("packed")
    if packed:
        _assert_no_canary(base64.b64decode(packed).decode(errors="replace"))


def _assert_no_canary(text: str, where: str = "") -> None:
    for canary in (PASSWORD, ENV_CANARY, FILE_CANARY):
        at = text.find(canary)
        assert at < 0, (where, text[max(0, at - 300) : at + 50])
