"""The house in numbers, beside an earlier state of it: `python benchmarks/house.py [ROOT …]`.

Counts of the Python under core, dashboard and recscope: words that do not say what they hold (as
names in code, not in texts), dictionaries where a type would tell what is in them, imports inside
functions, files in a folder, lengths. With several roots (checkouts) a column for each; with
--list ROOT where those dictionaries and imports are. Needs nothing but Python.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("core", "dashboard", "recscope")
WORDS = ("found", "told", "known", "asked", "made", "part", "place")
LOOSE = ("dict[str, Any]", "Mapping[str, Any]")
# Where a value becomes JSON or is made of it: a file, a line of one, what a command prints.
JSON_EDGES = ("to_json", "from_json", "read_json", "line", "epochs")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Source:
    """One file: its tree, the names in it, its folder."""

    path: Path
    folder: Path
    text: str
    tree: ast.Module = field(init=False)
    names: Counter[str] = field(init=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.text)
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        self.names = Counter(t.string for t in tokens if t.type == tokenize.NAME)

    @property
    def functions(self) -> list[Function]:
        """All functions and methods, nested ones too."""
        return [n for n in ast.walk(self.tree) if isinstance(n, Function)]


def main(roots: list[str]) -> None:
    columns = [dict(counts(Path(root))) for root in roots]
    for name in columns[0]:
        print(f"{name:64}" + "".join(f"{column.get(name, '–'):>12}" for column in columns))


def counts(root: Path) -> Iterator[tuple[str, str]]:
    """What is counted of the checkout in this folder, by name."""
    sources = _sources(root)
    for word in WORDS:
        yield f"uses of `{word}`", str(sum(source.names[word] for source in sources))
    yield "uses of these words", str(sum(s.names[word] for s in sources for word in WORDS))
    loose = len(list(_loose(sources)))
    yield "signatures with dict[str, Any], used across folders", str(loose)
    yield "imports inside functions", str(sum(map(_inner_imports, sources)))
    folders = Counter(source.folder for source in sources)
    yield "files in the fullest folder", str(max(folders.values()))
    yield "folders with more than 15 files", str(sum(n > 15 for n in folders.values()))
    lengths = sorted(source.text.count("\n") for source in sources)
    yield "files", str(len(lengths))
    yield "lines of a file, p90", str(_p90(lengths))
    spans = sorted(
        f.end_lineno - f.lineno + 1 for s in sources for f in s.functions if f.end_lineno
    )
    yield "functions", str(len(spans))
    yield "lines of a function, p90", str(_p90(spans))


def places(root: Path) -> Iterator[str]:
    """Where the loose dictionaries and the inner imports are, a line each."""
    sources = _sources(root)
    yield from sorted(_loose(sources))
    for source in sources:
        if inner := _inner_imports(source):
            yield f"{source.path}: {inner} imports inside functions"


def _sources(root: Path) -> list[Source]:
    return [
        Source(path, path.parent, path.read_text("utf-8"))
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
        if "node_modules" not in path.parts
    ]


def _loose(sources: list[Source]) -> Iterator[str]:
    """Functions that take or give loose dictionaries, and that another folder names."""
    for source in sources:
        for function in source.functions:
            name = function.name
            if name.startswith("_") or name in JSON_EDGES or not _is_loose(function):
                continue
            if any(other.names[name] for other in sources if other.folder != source.folder):
                yield f"{source.path}:{function.lineno} {name}"


def _is_loose(function: Function) -> bool:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    hints = [argument.annotation for argument in every] + [function.returns]
    return any(loose in ast.unparse(hint) for hint in hints if hint for loose in LOOSE)


def _inner_imports(source: Source) -> int:
    """Imports in functions, each once however deep it stands."""
    imports = ast.Import | ast.ImportFrom
    return len({n.lineno for f in source.functions for n in ast.walk(f) if isinstance(n, imports)})


def _p90(ordered: list[int]) -> int:
    return ordered[int(0.9 * len(ordered))]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--list"]:
        print("\n".join(places(Path((sys.argv[2:] or ["."])[0]))))
    else:
        main(sys.argv[1:] or ["."])
