"""What decides a run's id: the code that is compiled, not its text, and not where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.runs import identity

SOURCE = '''
"""What it is for."""

import numpy as np

from core.models.common.blocks import setting

WIDTH = 3  # numbers


class Model:
    """One."""

    def fit(self, x: int = 1) -> int:
        """Learns."""
        from core.data import dataset

        return x * WIDTH + dataset.n
'''
TEXT_ONLY = {
    "a docstring mended": ('"""One."""', '"""One model."""'),
    "a docstring left out": ('        """Learns."""\n', ""),
    "a comment": ("# numbers", "# so many"),
    "other blanks": ("x * WIDTH", "(x*WIDTH)"),
    "an import from elsewhere": ("core.models.common.blocks", "core.models.common.settings"),
    "the same inside a function": ("from core.data import", "from core.data.tables import"),
}
MEANING = {
    "a constant": ("WIDTH = 3", "WIDTH = 4"),
    "a default": ("x: int = 1", "x: int = 2"),
    "an operator": ("x * WIDTH", "x + WIDTH"),
    "a name": ("def fit", "def learn"),
    "something else from our own": ("import dataset\n", "import datasets as dataset\n"),
}


def of(folder: Path, **sources: str) -> str:
    paths = []
    for name, source in sources.items():
        paths.append(folder / f"{name}.py")
        paths[-1].write_text(source, "utf-8")
    return identity.digest(paths)


@pytest.mark.parametrize("change", TEXT_ONLY.values(), ids=TEXT_ONLY)
def test_mere_text_decides_nothing(change, tmp_path):
    assert change[0] in SOURCE
    assert of(tmp_path, a=SOURCE) == of(tmp_path, a=SOURCE.replace(*change))


@pytest.mark.parametrize("change", MEANING.values(), ids=MEANING)
def test_what_is_compiled_decides(change, tmp_path):
    assert change[0] in SOURCE
    assert of(tmp_path, a=SOURCE) != of(tmp_path, a=SOURCE.replace(*change))


def test_where_a_statement_stands_decides_nothing(tmp_path):
    head, _, model = SOURCE.partition("class Model")
    apart = of(tmp_path, z=head, b=f"from core.z import WIDTH\n\n\nclass Model{model}")
    assert apart == of(tmp_path, a=SOURCE)


def test_all_that_decides_is_hashed_however_deep_it_lies():
    core = identity.CORE
    hashed = {path.relative_to(core).as_posix() for path in identity.files(identity.DECIDE_RUNS)}
    here = {path.relative_to(core).as_posix() for path in core.rglob("*.py")}
    assert hashed == {f for f in here if f == "types.py" or f.startswith(("data/", "models/"))}
    explained = identity.files(identity.DECIDE_EXPLANATIONS)
    assert {path.relative_to(core).as_posix() for path in explained} == {
        f for f in here if f.startswith("explain/")
    }


def test_the_tree_is_told_alike_by_every_python():
    """Hand-made, so that another version of Python, or of `ast`, cannot change all ids unseen."""
    import ast

    (statement,) = ast.parse("def f(a: int = 1) -> str: return f'{a}b'").body
    assert "".join(identity._told(statement)) == (
        "FunctionDef(name='f'args=arguments(args=arg(arg='a'annotation=Name(id='int'ctx=Load())),"
        "defaults=Constant(value=1),)body=Return(value=JoinedStr(values=FormattedValue(value="
        "Name(id='a'ctx=Load())conversion=-1),Constant(value='b'),)),returns=Name(id='str'ctx=Load()))"
    )
