"""Parses and compiles dbt's own macros once, instead of once per job.

dbt ships ~600 macros in ~130 files. Parsing them is most of the time of parsing a small project,
compiling the ~40 that a model needs a third of building it. They do not change while this process
lives, so what their text yields is kept; each parse gets copies. The next start finds it on disk,
with the JSON schemas of dbt's classes, which take a second to derive.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from functools import cache
from typing import Any

import dbt.parser.manifest
from dbt.contracts.graph.nodes import Macro
from dbt.contracts.graph.unparsed import UnparsedMacro
from dbt.parser.macros import MacroParser
from dbt_common.behavior_flags import BehaviorFlagRendered
from dbt_common.clients.jinja import MacroFuzzEnvironment, get_environment
from dbt_common.dataclass_schema import dbtClassMixin

from etlfabric_dagster.sandbox import dbt_macro_store
from etlfabric_dagster.sandbox.dbt_macro_store import Kept

BUILD_MACROS = ("materializations", "adapters", "relations", "generic_test", "name", "platform")
"""Parts of the paths of the macros that are compiled beforehand."""

_parser: Any = MacroParser
_loader: Any = dbt.parser.manifest
_environment: Any = MacroFuzzEnvironment
_parse = _parser.parse_unparsed_macros
_calls = _loader.statically_extract_macro_calls
_compile = _environment.compile
_docs = _loader.generate_runtime_docs_context
_described: Any = dbtClassMixin
_describe = _described.__dict__["json_schema"].__func__
_flag: Any = BehaviorFlagRendered
_kept = Kept({}, {}, {}, {})
_found = 0
_filling = True


def install() -> None:
    """Take what an earlier start kept, and keep what is parsed from now on, until `freeze`."""
    global _found
    earlier = dbt_macro_store.load()
    _kept.macros.update(earlier.macros)
    _kept.calls.update(earlier.calls)
    _kept.code.update(earlier.code)
    _kept.schemas.update(earlier.schemas)
    _found = sum(map(len, _kept))
    _parser.parse_unparsed_macros = _parse_cached
    _loader.statically_extract_macro_calls = _calls_cached
    _environment.compile = _compile_cached
    _described.json_schema = classmethod(_describe_cached)
    _loader.generate_runtime_docs_context = _docs_context
    _flag._default_source = staticmethod(cache(_flag._default_source))  # looks through all modules


def compile_all(macros: Iterable[Macro]) -> None:
    """Compile what builds and tests call."""
    environment = get_environment()
    for macro in macros:
        if any(part in macro.original_file_path for part in BUILD_MACROS):
            environment.compile(macro.macro_sql)


def freeze() -> None:
    """Keep nothing more: from here on macros are tenants'."""
    global _filling
    if sum(map(len, _kept)) > _found:
        dbt_macro_store.keep(_kept)
    _filling = False


def _parse_cached(parser: MacroParser, node: UnparsedMacro) -> Iterable[Macro]:
    key = (node.package_name, node.original_file_path, node.raw_code)
    known = _kept.macros.get(key)
    if known is None:
        known = list(_parse(parser, node))
        if _filling:
            _kept.macros[key] = copy.deepcopy(known)
        return known
    return [_fresh(macro) for macro in known]


def _fresh(macro: Macro) -> Macro:
    """A copy of its own: later steps add dependencies and patches to it."""
    made = copy.copy(macro)
    made.depends_on = copy.deepcopy(macro.depends_on)
    made.meta, made.arguments = {}, list(macro.arguments)
    # dbt skips finding the calls of macros older than the parse
    made.created_at = Macro.__dataclass_fields__["created_at"].default_factory()
    return made


def _docs_context(config: Any, target: Any, *rest: Any) -> Any:
    """What a description may call; of the 600 macros that have none it was a sixth of a parse."""
    if isinstance(target, Macro) and not any(
        one.description for one in (target, *target.arguments)
    ):
        return {}
    return _docs(config, target, *rest)


def _calls_cached(text: str, context: Any, wrapper: Any = None) -> list[str]:
    known = _kept.calls.get(text)
    if known is None:
        known = _calls(text, context, wrapper)
        if _filling:
            _kept.calls[text] = known
    return known


def _compile_cached(env: MacroFuzzEnvironment, source: Any, *args: Any, **kwargs: Any) -> Any:
    if args or kwargs or not isinstance(source, str):
        return _compile(env, source, *args, **kwargs)
    key = (type(env), source)
    code = _kept.code.get(key)
    if code is None:
        code = _compile(env, source)
        if _filling:
            _kept.code[key] = code
    return code


def _describe_cached(described: type) -> dict[str, Any]:
    """The JSON schema that dbt validates a node of this class with."""
    name = f"{described.__module__}.{described.__qualname__}"
    known = _kept.schemas.get(name)
    if known is None:
        known = _describe(described)
        if _filling:
            _kept.schemas[name] = known
    return known
