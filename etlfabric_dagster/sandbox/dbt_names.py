"""Finds names that nothing answers: dbt itself notices an unknown macro or variable only when it
builds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import jinja2.nodes
from dbt.context import providers
from dbt.contracts.graph.manifest import Manifest
from dbt_common.clients.jinja import get_environment
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.meta import find_undeclared_variables

_SPECIAL = frozenset({"caller", "varargs", "kwargs", "render", "model", "builtins"})


def unanswered_calls(manifest: Manifest) -> Iterator[tuple[Any, str]]:
    """(node or macro of the tenant, name it calls that is no macro, package or dbt function)."""
    known = _known(manifest)
    own_macros = [m for m in manifest.macros.values() if m.package_name == "tenant"]
    for node in (*manifest.nodes.values(), *own_macros):
        text = getattr(node, "macro_sql", None) or getattr(node, "raw_code", None) or ""
        if "{" in text:
            yield from ((node, name) for name in sorted(_called(text) - known))


def missing_variables(manifest: Manifest, given: Iterable[str]) -> Iterator[tuple[Any, str]]:
    """(node, variable it reads that has neither a value nor a default)."""
    for node in manifest.nodes.values():
        text = getattr(node, "raw_code", None) or ""
        if "var(" in text:
            yield from ((node, name) for name in sorted(_read(text) - set(given)))


def _read(text: str) -> set[str]:
    tree = get_environment(None, capture_macros=False).parse(text)
    return {
        call.args[0].value
        for call in tree.find_all(jinja2.nodes.Call)
        if isinstance(call.node, jinja2.nodes.Name)
        and call.node.name == "var"
        and len(call.args) == 1
        and not call.kwargs
        and isinstance(call.args[0], jinja2.nodes.Const)
    }


@lru_cache  # tests of one kind have one text
def _called(text: str) -> set[str]:
    """Names that the template calls, or calls something of, without defining them."""
    tree = get_environment(None, capture_macros=False).parse(text)
    undeclared = find_undeclared_variables(tree)
    found: set[str] = set()
    for call in tree.find_all(jinja2.nodes.Call):
        target = call.node
        while isinstance(target, jinja2.nodes.Getattr | jinja2.nodes.Getitem):
            target = target.node
        if isinstance(target, jinja2.nodes.Name):
            found.add(target.name)
    return found & undeclared


def _known(manifest: Manifest) -> set[str]:
    """Everything a tenant's Jinja may name."""
    names = set(DEFAULT_NAMESPACE) | _SPECIAL
    for each in vars(providers).values():
        if isinstance(each, type):
            names |= set(getattr(each, "_context_members_", ()))
            names |= set(getattr(each, "_context_attrs_", {}).values())
    for macro in manifest.macros.values():
        names |= {macro.name, macro.package_name}
    return names
