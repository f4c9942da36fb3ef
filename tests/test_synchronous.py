"""Blocking code and coroutines have the same functions with the same meaning."""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path

from tests.synchronous import NAMES, ROOT, blocking, existing, generated

TWINS = {
    "storage/codecs/chain.py": ["adecode"],
    "storage/djongo/storage.py": [
        "DjongoGridFSStorage.aexists",
        "DjongoGridFSStorage.asize",
        "DjongoGridFSStorage.aget_modified_time",
        "DjongoGridFSStorage.astored",
        "DjongoGridFSStorage.aread_range",
    ],
    "storage/lookups.py": [
        "FileLookups.aexists",
        "FileLookups.asize",
        "FileLookups.aget_modified_time",
        "FileLookups.astored",
        "FileLookups.aread_range",
        "FileLookups._anewest",
    ],
    "storage/serving/body.py": ["aread", "_arange"],
    "transaction/atomic.py": [
        "AsyncAtomic.__aenter__",
        "AsyncAtomic.__aexit__",
        "AsyncAtomic.__call__",
    ],
    "transaction/clients.py": ["WatchedAsyncClient._process_response", "_asend"],
    "transaction/current.py": ["_run_after.aend"],
    "transaction/hooks.py": ["Hooks.arun", "arun"],
    "transaction/new_collections.py": ["aprepare"],
    "transaction/requests/view_policy.py": ["FirstRuns.aone_by_one"],
    "transaction/requests/running.py": ["arun"],
    "transaction/requests/streaming.py": ["_astream"],
    "transaction/requests/view_blocks.py": ["ViewBlocks.aclose"],
    "transaction/retry.py": ["arun_in_transaction", "aretrying"],
    "transaction/testing.py": ["Capture.__aexit__"],
    "transaction/topology.py": ["atransactional"],
}
"""Functions so short that both are written by hand, one below the other."""

OTHER_NAMES = {
    "AsyncAtomic": "Atomic",
    "WatchedAsyncClient": "WatchedClient",
    "_acall": "call",
    "_arun": "_run",
    "aatomic": "atomic",
    "abucket": "bucket",
    "aclose": "close",
    "aend_block": "end_block",
    "anext": "next",
    "refuse_unless_async": "refuse_unless_plain",
}


def test_what_is_generated_is_current() -> None:
    texts = generated()
    assert texts
    assert set(existing()) == set(texts)
    outdated = [
        str(path)
        for path, text in texts.items()
        if (ROOT / path).read_text(encoding="utf-8") != text
    ]
    assert outdated == [], "edit the file in asynchronous/ and run: make synchronous"


def test_what_is_written_twice_is_alike() -> None:
    twins = [(file, name) for file, names in TWINS.items() for name in names]
    text = "\n".join(f"{name}\n{source(file, name)}" for file, name in twins)
    plain = {own: plain_name(own) for own in (name.split(".")[-1] for _, name in twins)}
    made = ast.parse(blocking(text, Path("twins.py"), {**NAMES, **OTHER_NAMES, **plain})).body
    assert len(made) == 2 * len(twins)
    for (file, name), where, function in zip(twins, made[::2], made[1::2], strict=True):
        other = ast.parse(source(file, ast.unparse(where))).body[0]
        assert bare(function) == bare(other), f"{file}: {name} is another than its twin"


def plain_name(name: str) -> str:
    return re.sub(r"^(_*)a(?=[a-z_])", r"\1", name)


def source(file: str, name: str) -> str:
    text = (ROOT / "djongo_services" / file).read_text(encoding="utf-8")
    body = ast.parse(text).body
    for part in name.split("."):
        found = next(node for node in body if getattr(node, "name", None) == part)
        body = getattr(found, "body", [])
    return textwrap.dedent(ast.get_source_segment(text, found, padded=True) or "")


def bare(function: ast.AST) -> str:
    """Its code, without what says how it is called and what it is for."""
    assert isinstance(function, ast.FunctionDef)
    function.decorator_list = []
    if ast.get_docstring(function) is not None:
        function.body = function.body[1:]
    for node in ast.walk(function):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    return ast.unparse(function)
