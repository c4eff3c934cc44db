"""Which code decides what a run is: what is compiled of it, wherever in the tree it stands.

Comments, docstrings, the layout of the text and the file that a statement stands in decide nothing:
a mended typo or a moved file must not orphan the runs of a workspace. So each top-level statement
is hashed by its syntax tree, without docstrings; imports decide nothing by themselves, since what
they bring is hashed where it stands. The hash of the code is that of the sorted statements' hashes.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

from core import ROOT

CORE = ROOT / "core"
DECIDE_RUNS = ("types.py", "data", "models")  # what a log becomes, and what is learnt from it
DECIDE_EXPLANATIONS = ("explain",)


@cache
def code_version() -> str:
    """The version of Recscope, and 12 hex characters of what decides a run."""
    try:
        version = metadata.version("recscope")
    except metadata.PackageNotFoundError:  # a checkout on the path, not installed
        version = "0"
    return f"{version}+{runs_digest()}"


@cache
def runs_digest() -> str:
    """12 hex characters of the code that decides a run: types, data and models."""
    return digest(files(DECIDE_RUNS))


@cache
def explanations_digest() -> str:
    """12 hex characters of the code that makes explanations of a run's scores."""
    return digest(files(DECIDE_EXPLANATIONS))


def files(decide: Iterable[str]) -> list[Path]:
    """The Python files of these files and folders of core, whatever folders they lie in."""
    paths = [CORE / name for name in decide]
    return sorted(f for p in paths for f in ([p] if p.is_file() else p.rglob("*.py")))


def digest(paths: Iterable[Path]) -> str:
    """12 hex characters of what is compiled of these files; see above."""
    statements = [
        hashlib.sha256("".join(_told(statement)).encode()).digest()
        for path in paths
        for statement in _statements(ast.parse(path.read_text("utf-8")))
    ]
    return hashlib.sha256(b"".join(sorted(statements))).hexdigest()[:12]


def _statements(module: ast.Module) -> Iterator[ast.stmt]:
    """The top-level statements that do something: neither the docstring nor an import."""
    for statement in _without_docstring(module):
        if not isinstance(statement, ast.Import | ast.ImportFrom) and not _for_types(statement):
            yield statement


def _for_types(statement: ast.stmt) -> bool:
    """Whether it is `if TYPE_CHECKING:`, which never runs."""
    test = statement.test if isinstance(statement, ast.If) else None
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _without_docstring(node: ast.AST) -> list[ast.stmt]:
    body: list[ast.stmt] = node.body  # type: ignore[attr-defined]
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return body[isinstance(first.value.value, str) :]
    return body


_WITH_DOCSTRING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _told(node: object) -> list[str]:
    """The tree as text, the same in every version of Python: ast.dump changes with it."""
    told: list[str] = []
    _tell(node, told.append)
    return told


def _tell(node: object, add: Callable[[str], None]) -> None:
    """Adds the text of this node. Every command that trains waits for this: it is kept lean."""
    if isinstance(node, list):
        for part in node:
            _tell(part, add)
            add(",")
    elif isinstance(node, ast.AST):
        add(f"{type(node).__name__}(")
        for name in node._fields:
            value = getattr(node, name, None)
            if name == "body" and isinstance(node, _WITH_DOCSTRING):
                value = _without_docstring(node)
            elif name == "module" and isinstance(node, ast.ImportFrom) and _is_ours(value):
                continue  # where it lies; what is taken from there says the rest
            if value is not None and value != []:
                add(f"{name}=")
                _tell(value, add)
        add(")")
    else:
        add(repr(node))


def _is_ours(module: str | None) -> bool:
    return module is not None and module.partition(".")[0] == "core"
