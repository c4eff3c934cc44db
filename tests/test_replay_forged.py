"""Every leaf of an export is changed by somebody who has no key; a replay notices."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import pipeline
from core.data.ingest.ingest import ingest
from core.data.store import Workspace
from core.errors import CoreError
from core.explain.counterfactual import counterfactual, removal_order
from core.pipeline.replays.seal import KEY_FILE, SEALED_BY, Seal, canonical
from core.runs.artifact import Run
from tests.explaining import train

pytestmark = pytest.mark.slow

CASES = {  # model and person → the method of its explanation
    ("ease", "short"): "closed form",
    ("als", "short"): "enumeration",
    ("als", "long"): "permutations",
    ("fusion", "short"): "enumeration",
}
Place = tuple[str | int, ...]
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A log with all columns, labelled items, and runs; one person did 5 things, one did 15."""
    folder = tmp_path_factory.mktemp("forged")
    rng = np.random.default_rng(3)
    counts = {"short": 5, "long": 15} | {f"u{n:02}": int(rng.integers(3, 9)) for n in range(30)}
    lines = ["user_id,item_id,timestamp,event,value,platform"]
    for user, count in counts.items():
        for step in range(count):
            item, value = rng.integers(1, 25), rng.integers(1, 6)
            event, platform = rng.choice(["buy", "view"]), rng.choice(["app", "web"])
            time = 1_600_000_000 + 86_400 * step
            lines.append(f"{user},{item},{time},{event},{value},{platform}")
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    items = [f"{item},Tea number {item}" for item in range(1, 26)]
    (folder / "items.csv").write_text("\n".join(["item_id,title", *items]) + "\n")
    workspace = Workspace.open(folder / "home")
    ingest(workspace, [folder / "log.csv"], items=folder / "items.csv", name="shop")
    return workspace


@pytest.fixture(scope="module")
def runs(shop: Workspace) -> dict[str, Run]:
    return {name: train(shop, name) for name in ("ease", "als", "fusion")}


@pytest.fixture
def exported(shop, runs, tmp_path):
    """Exports why two items go to this person, with what would take the first off the list."""

    def export(name: str, user: str) -> Path:
        loaded = pipeline.load_run(shop, runs[name], device="cpu")
        query = pipeline.history_of(loaded, user)
        items, _ = pipeline.items_to_explain(loaded, query, item=None, k=2, against=None)
        why = pipeline.explain_items(loaded, query, items, seed=4)
        order = removal_order(why, 0)
        gone = counterfactual(loaded.model, query, int(items[0]), n_items=24, k=2, order=order)
        out = tmp_path / "why.json"
        pipeline.ExplanationDocument(loaded, query, why, user=user, counterfactual=gone).write(out)
        return out

    return export


def without_key(shop: Workspace, runs: dict[str, Run]) -> None:
    """As if nothing had ever been exported here."""
    (shop.path / KEY_FILE).unlink(missing_ok=True)
    for run in runs.values():
        (run.folder / SEALED_BY).unlink(missing_ok=True)


def forged(content: dict[str, Any]) -> str:
    """The document with the checksum of what it says now, which anybody can make."""
    rest = {name: value for name, value in content.items() if name != "seal"}
    return json.dumps({**rest, "seal": Seal.of(canonical(rest), None).to_json()})


def noticed(shop: Workspace, out: Path) -> bool:
    try:
        return not pipeline.replay(shop, out).ok
    except CoreError:
        return True


def changes(content: Any, place: Place = ()) -> Iterator[tuple[str, Change]]:
    """Ways to change each leaf, and to take away from and add to each list and object."""
    if isinstance(content, dict):
        yield f"{named(place)} + entry", at(place, lambda x: {**x, "more": 1})
        for name, value in content.items():
            dropped = at(place, lambda x, name=name: {k: v for k, v in x.items() if k != name})
            yield f"{named((*place, name))} dropped", dropped
            yield from changes(value, (*place, name))
    elif isinstance(content, list):
        yield f"{named(place)} + element", at(place, lambda x: [*x, *(x[-1:] or [1])])
        if content:
            yield f"{named(place)} shorter", at(place, lambda x: x[:-1])
            yield from changes(content[-1], (*place, len(content) - 1))
    else:
        yield named(place), at(place, other)


def other(leaf: Any) -> Any:
    if isinstance(leaf, str):
        return leaf + "x"
    return not leaf if isinstance(leaf, bool) else 1 if leaf is None else leaf + 1


def at(place: Place, change: Callable[[Any], Any]) -> Change:
    def apply(content: dict[str, Any]) -> None:
        inner: Any = content
        for part in place[:-1]:
            inner = inner[part]
        if place:
            inner[place[-1]] = change(inner[place[-1]])
        else:
            changed = change(content)
            content.clear()
            content.update(changed)

    return apply


def named(place: Place) -> str:
    return ".".join(map(str, place))


def unnoticed(shop: Workspace, out: Path, wanted: Callable[[str], bool]) -> set[str]:
    """The changes, of those wanted, that a forger gets away with."""
    whole = json.loads(out.read_text())
    del whole["seal"]
    found = set()
    for name, change in changes(whole):
        if not wanted(name):
            continue
        content = copy.deepcopy(whole)
        change(content)
        assert content != whole, name
        out.write_text(forged(content))
        if not noticed(shop, out):
            found.add(name)
    return found


NOT_DRAWN = {"seed", "per_player"}  # play no part where nothing is drawn
CODE = ("explain", "numpy", "python", "recscope", "torch")
NOT_COMPUTED = {  # what only the key vouches for
    "created",
    "user.id dropped",  # which is how one that is hashed is written
    "counterfactual dropped",  # there need not be one
    "confidence_reason dropped",  # which the first files of this format do not have
    "counterfactual.k",  # what is searched for; here it is as true of a list that is longer by one
    "code + entry",  # told as differences that do no harm
    *(f"code.{name}" for name in CODE),
    *(f"code.{name} dropped" for name in CODE),
}
FIGURES = "players seed method evaluations scores base raw_scores raw_base values se gap stability"
FIGURES += " confidence confidence_reason components parts quantity per_player"


def is_figure(name: str) -> bool:
    return name.replace(".", " ").split()[0] in FIGURES.split()


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "user"), CASES)
def test_without_a_key_every_leaf_that_can_be_computed_is_noticed(name, user, shop, runs, exported):
    """Of the first all leaves; of the others the figures, which are found in another way."""
    out = exported(name, user)
    without_key(shop, runs)
    content = json.loads(out.read_text())
    assert content["method"] == CASES[name, user]
    out.write_text(forged(content))
    clean = pipeline.replay(shop, out)
    assert (clean.ok, clean.seal, clean.differs, clean.unchecked) == (True, "checksum", (), ())
    allowed = NOT_COMPUTED | (set() if content["method"] == "permutations" else NOT_DRAWN)
    if name == "ease":
        assert unnoticed(shop, out, lambda _: True) == allowed
    else:
        assert unnoticed(shop, out, is_figure) == set(filter(is_figure, allowed))


def test_with_the_key_the_others_are_noticed_too(shop, exported):
    """To put a checksum in the place of the HMAC does not help."""
    out = exported("ease", "short")
    seen: list[str] = []

    def wanted(name: str) -> bool:
        seen.extend([name] * (name in allowed))
        return name in allowed

    allowed = NOT_COMPUTED | NOT_DRAWN
    assert unnoticed(shop, out, wanted) == set()
    assert set(seen) == allowed


@pytest.mark.parametrize(("name", "user"), CASES)
def test_a_clean_file_holds_to_the_last_digit(name, user, shop, exported):
    found = pipeline.replay(shop, exported(name, user))
    assert (found.ok, found.seal, found.differs) == (True, "sealed", ())
    assert found.largest_difference == 0


def test_what_may_be_is_no_way_round(shop, runs, exported):
    """Other values that a file may have: told apart where they can be, else by the key alone."""
    out = exported("ease", "short")
    whole = json.loads(out.read_text())
    given = at(("history", "source"), lambda _: "given")
    for change in (given, at(("device",), lambda _: "cuda")):
        content = copy.deepcopy(whole)
        change(content)
        out.write_text(forged(content))
        assert noticed(shop, out)
    without_key(shop, runs)
    given(content := copy.deepcopy(whole))
    content["history"]["weight"][0] = 2.0
    out.write_text(forged(content))
    found = pipeline.replay(shop, out)
    assert not found.ok  # the model hears the weight
    assert "history" in found.unchecked


def test_the_tolerance_is_not_the_files_to_choose(shop, runs, exported):
    """A score of a million in the file makes no room for its values."""
    out = exported("ease", "short")
    without_key(shop, runs)
    content = json.loads(out.read_text())
    content["scores"][0], content["values"][0][0] = 1e6, content["values"][0][0] + 0.5
    out.write_text(forged(content))
    found = pipeline.replay(shop, out)
    assert (found.ok, found.moved) == (False, 1)
    assert found.largest_difference > 1e4


def test_somebody_whom_the_dataset_does_not_know_did_nothing(shop, runs, exported):
    from core.pipeline.replays.document import user_entry

    out = exported("ease", "short")
    content = json.loads(out.read_text())
    for user in ("nobody", "long"):
        content["user"] = user_entry(user, hashed=user == "long")
        out.write_text(forged(content))
        without_key(shop, runs)
        told = {each.what for each in pipeline.replay(shop, out).differs}
        assert ("user.id" if user == "nobody" else "history.item_id[0]") in told
