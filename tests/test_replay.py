"""`recscope explain --replay`: whether what was exported still holds."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core import pipeline
from core.data.store import Workspace
from core.errors import BadInput
from core.explain import explain
from core.explain.contrast import Contrast
from core.pipeline.replays.seal import (
    KEY_FILE,
    Seal,
    SealKey,
    canonical,
    key_to_seal_with,
    workspace_key,
)
from core.runs import artifact
from tests.explaining import busy, refused, someone, train

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("shop_is_home")]


@pytest.fixture
def exported(shop, recscope, tmp_path):
    """Explains somebody by this model into a file; the run, and the file."""

    def export(name: str, *words: object, low: int = 5, high: int = 8):
        run, out = train(shop, name), tmp_path / "why.json"
        user = someone(shop, low, high)
        code, _, err = recscope("explain", run.id, "--user", user, *words, "--out", out)
        assert code == 0, err
        return run, out

    return export


def edited(out: Path, change, key: SealKey | None = None, *, sealed: bool = True) -> None:
    """Changes what the file says, with a new seal (a checksum without a key) or the old one."""
    content = json.loads(out.read_text())
    change(content)
    if sealed:
        del content["seal"]
        content["seal"] = Seal.of(canonical(content), key).to_json()
    out.write_text(json.dumps(content))


@pytest.mark.parametrize("name", ["ease", "als", "transitions", "fusion", "unified", "content"])
def test_an_export_holds(name, shop, exported, recscope):
    """Exact or drawn, one item or many, with the run alone."""
    run, out = exported(name, "-k", 3, "--seed", 5)
    content = json.loads(out.read_text())
    assert content["run"]["artifact_hash"] == run.artifact_hash
    assert content["dataset"]["sha256"] == shop.dataset("shop").meta["sha256"]
    assert (len(content["items"]), content["seed"], content["device"]) == (3, 5, "cpu")
    shop.delete_dataset("shop")
    code, found, _ = recscope("explain", "--replay", out, "--json")
    assert (code, found["ok"], found["differs"], found["moved"]) == (0, True, [], 0)
    assert found["largest_difference"] <= 1e-9
    code, text, _ = recscope("explain", "--replay", out)
    assert (code, "it holds" in text) == (0, True)


def test_a_file_from_before_reasons_holds_but_no_other_reason_does(shop, exported):
    """Entry `confidence_reason` came later; the seal of such a file is of what it says."""
    _, out = exported("ease", "-k", 1)
    key, content = workspace_key(shop), json.loads(out.read_text())
    assert (content["confidence"], content["confidence_reason"]) == (["exact"], ["not_sampled"])
    edited(out, lambda content: content.update(confidence_reason=["halves_agree"]), key)
    found = pipeline.replay(shop, out)
    assert [each.what for each in found.differs] == ["confidence_reason[0]"]
    assert not found.ok
    edited(out, lambda content: content.pop("confidence_reason"), key)
    found = pipeline.replay(shop, out)
    assert (found.ok, found.seal, found.differs) == (True, "sealed", ())


def test_what_was_explained_by_the_mean_of_all_holds_too(shop, tmp_path):
    """As networks were before the share: a file is made again as the quantity that it names."""
    loaded = pipeline.load_run(shop, train(shop, "unified"), device="cpu")
    _, query = pipeline.queries_for(loaded, histories=busy(tmp_path, 8))
    out, values = tmp_path / "why.json", []
    for contrast in Contrast.MEAN, Contrast.SHARE:
        found = explain(loaded.model, query, [3, 4], n_items=25, contrast=contrast)
        pipeline.ExplanationDocument(loaded, query, found, per_player=100).write(out)
        values.append(json.loads(out.read_text())["values"])
        again = pipeline.replay(shop, out)
        assert (again.ok, again.differs) == (True, ())
    assert values[0] != values[1]
    key = workspace_key(shop)  # even whoever has the key cannot give one quantity as the other
    edited(out, lambda content: content.update(quantity=Contrast.MEAN.value), key)
    assert not pipeline.replay(shop, out).ok
    edited(out, lambda content: content.update(quantity="what not"), key)
    with pytest.raises(BadInput, match="damaged"):
        pipeline.replay(shop, out)


def test_what_was_drawn_and_held_against_another_holds_too(exported, recscope):
    _, out = exported("als", "-k", 2, "--against", 30, "--seed", 3, low=11, high=11)
    content = json.loads(out.read_text())
    n, user = len(content["history"]["item_id"]), content["user"]
    assert (content["against"], n) == (30, 11)
    assert user["sha256"] == hashlib.sha256(user["id"].encode()).hexdigest()
    assert recscope("explain", "--replay", out)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fusion", "unified"])
def test_an_export_holds_where_arithmetic_is_done_otherwise(name, shop, exported, tmp_path):
    """A copy elsewhere, as on a processor without the newer instructions and with one thread."""
    _, out = exported(name, "-k", 3)
    shutil.copytree(shop.path, tmp_path / "elsewhere")
    plain = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "SSE4_2"}
    home = {"RECSCOPE_HOME": str(tmp_path / "elsewhere"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "core.cli", "explain", "--replay", str(out), "--json"]
    told = subprocess.run(
        command, env={**os.environ, **plain, **home}, capture_output=True, check=True
    )
    found = json.loads(told.stdout)
    assert found["ok"]
    assert found["largest_difference"] <= 1e-6


def test_a_drawing_is_made_again_as_far_as_it_had_come(shop, tmp_path):
    """Not as far as it would go: what was exported before the last step holds as well."""
    from core.explain import refine

    loaded = pipeline.load_run(shop, train(shop, "als"), device="cpu")
    _, query = pipeline.queries_for(loaded, histories=busy(tmp_path, 20))
    first, second, *_ = refine(loaded.model, query, [3, 4], n_items=25, per_player=100)
    assert first.evaluations < second.evaluations
    for found in (first, second):
        out = tmp_path / "why.json"
        pipeline.ExplanationDocument(loaded, query, found, per_player=100).write(out)
        assert pipeline.replay(shop, out).largest_difference == 0


def test_a_hashed_user_is_nowhere_in_the_file(exported, recscope, shop):
    _, out = exported("ease", "--hash-user")
    content, user = json.loads(out.read_text()), someone(shop, 5, 8)
    assert content["user"] == {"sha256": hashlib.sha256(user.encode()).hexdigest()}
    assert f'"{user}"' not in out.read_text()


def test_values_that_moved_are_named(exported, recscope):
    def change(content):
        content["values"][0][2] += 0.5

    _, out = exported("ease", "-k", 2)
    edited(out, change, sealed=True)
    code, found, _ = recscope("explain", "--replay", out, "--json")
    assert (code, found["ok"], found["moved"]) == (1, False, 1)
    assert found["largest_difference"] == pytest.approx(0.5)
    content = json.loads(out.read_text())
    seal, moved = found["differs"]
    assert seal["now"] == "not sealed by this workspace"
    assert (moved["what"], moved["place"], moved["item"]) == ("value", 2, content["items"][0])
    assert moved["event"] == content["history"]["item_id"][2]
    assert moved["then"] - moved["now"] == pytest.approx(0.5)
    _, text, _ = recscope("explain", "--replay", out)
    assert "it does not hold" in text
    assert "value of event 3 " in text


def test_a_broken_seal_is_told(exported, recscope):
    def change(content):
        content["created"] = "2020-01-01T00:00:00.000000+00:00"

    _, out = exported("ease")
    edited(out, change, sealed=False)
    code, found, _ = recscope("explain", "--replay", out, "--json")
    assert (code, found["largest_difference"], found["seal"]) == (1, 0, "changed")
    assert [one["what"] for one in found["differs"]] == ["file"]
    assert "changed after it was written" in recscope("explain", "--replay", out)[1]


def test_versions_that_changed_are_told_and_do_no_harm(shop, exported, recscope):
    def change(content):
        content["code"]["numpy"] = "1.0"

    _, out = exported("ease")
    edited(out, change, workspace_key(shop))
    code, found, _ = recscope("explain", "--replay", out, "--json")
    assert (code, found["ok"], found["seal"]) == (0, True, "sealed")
    assert found["differs"] == [{"what": "numpy", "then": "1.0", "now": np.__version__}]


def test_a_run_that_was_renamed_still_holds_if_the_key_vouches_for_the_file(
    shop, exported, recscope
):
    run, out = exported("ease")
    artifact.rename_run(shop, run.id, "best of all")
    renamed = [{"what": "run.name", "then": "ease", "now": "best of all"}]
    code, found, _ = recscope("explain", "--replay", out, "--json")
    assert (code, found["differs"]) == (0, renamed)
    edited(out, lambda content: None)
    code, found, _ = recscope("explain", "--replay", out, "--json")
    assert (code, found["differs"][1:]) == (1, renamed)


def test_damaged_weights_are_named(exported, recscope):
    run, out = exported("ease")
    weights = run.folder / artifact.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    code, found, _ = recscope("explain", "--replay", out, "--json")
    assert (code, found["largest_difference"]) == (1, None)
    assert [one["what"] for one in found["differs"]] == [artifact.WEIGHTS]
    assert found["differs"][0]["then"] == run.artifact_hash
    assert "could not be made again" in recscope("explain", "--replay", out)[1]


def test_another_run_is_asked_if_named(shop, exported, recscope):
    _, out = exported("ease", "-k", 2)
    other = train(shop, "ease", "l2=7")
    code, found, _ = recscope("explain", other.id, "--replay", out, "--json")
    assert (code, found["run"]) == (1, other.id)
    what = [one["what"] for one in found["differs"]]
    assert what[:3] == ["run", "run.artifact_hash", artifact.WEIGHTS]  # the items are the same
    assert "value" in what
    assert found["moved"] >= what.count("value")


def test_a_run_that_is_not_here(exported, recscope, shop):
    run, out = exported("ease")
    artifact.delete_run(shop, run.id)
    refused(recscope("explain", "--replay", out), f"run {run.id}, which is not here")


def test_items_that_the_run_does_not_know(exported, recscope):
    def change(content):
        content["history"]["item_id"][0] = 777

    _, out = exported("ease")
    edited(out, change, sealed=True)
    code, found, _ = recscope("explain", "--replay", out, "--json")
    assert (code, found["largest_difference"]) == (1, None)
    assert found["differs"][1:] == [{"what": "item 777", "then": "known", "now": "unknown"}]


@pytest.mark.slow
def test_damage_of_any_kind_is_no_bug(exported, recscope):
    """Every entry taken away or made another kind: refused, or told as a difference."""
    _, out = exported("unified", "-k", 1)
    whole = json.loads(out.read_text())
    junk = [None, -1, 1e300, "x", [], {}, [None], True]
    computed = ["history", "players", "items", "values", "scores", "base", "seed", "per_player"]
    computed += ["evaluations", "run", "code", "device", "against", "format", "format_version"]
    paths = [(name,) for name in [*computed, "event_names", "seal"]]
    paths += [("history", name) for name in whole["history"]] + [("run", n) for n in whole["run"]]
    for path in paths:
        for thing in [*junk, "gone"]:
            content = json.loads(json.dumps(whole))
            place = content if len(path) == 1 else content[path[0]]
            place[path[-1]] = thing
            if thing == "gone":
                del place[path[-1]]
            if content == whole:
                continue
            out.write_text(json.dumps(content))
            code, _, err = recscope("explain", "--replay", out)
            bug = "Traceback" in err or "a bug" in err
            assert code in (1, 2) and not bug, (path, thing, err)  # noqa: PT018
    for text in ("", "[]", "{}", "[" * 100_000, "\x00", '"x"', json.dumps(whole)[:-9]):
        out.write_text(text)
        refused(recscope("explain", "--replay", out), "why.json is no explanation")
    out.write_bytes(b"\xff\xfe\x00")
    refused(recscope("explain", "--replay", out), "why.json is no explanation")


def replayed(workspace: Workspace, out: Path):
    found = pipeline.replay(workspace, out)
    return found.ok, found.seal


def test_a_copy_of_the_run_elsewhere_is_asked_and_the_key_is_told(shop, exported, tmp_path):
    run, out = exported("ease")
    assert replayed(shop, out) == (True, "sealed")
    elsewhere = Workspace.open(tmp_path / "elsewhere")
    shutil.copytree(run.folder, elsewhere.runs_folder / run.id)
    assert replayed(elsewhere, out) == (True, "key not here")
    key_to_seal_with(elsewhere)  # of its own; the run says that it was sealed for elsewhere
    assert replayed(elsewhere, out) == (True, "not of this workspace")
    edited(out, lambda content: None)  # a checksum in the place of the HMAC
    assert replayed(elsewhere, out) == (True, "not of this workspace")
    assert replayed(shop, out) == (False, "not of this workspace")


def test_a_damaged_key_ends_a_replay_and_an_export_with_a_sentence(shop, exported, recscope):
    run, out = exported("ease")
    (shop.path / KEY_FILE).write_bytes(b"x")
    for words in (["--replay", out], ["--user", "u1", "--out", out]):
        code, _, err = recscope("explain", run.id, *words)
        assert code == 1
        assert "seal.key has 1 bytes where a key has 32" in err
        assert "Traceback" not in err


def test_what_only_the_dataset_tells_is_said_to_be_unchecked_without_it(shop, exported, recscope):
    _, out = exported("ease")
    (shop.path / KEY_FILE).unlink()
    edited(out, lambda content: content["labels"].__setitem__(0, "Gold"))
    assert not pipeline.replay(shop, out).ok
    shop.delete_dataset("shop")
    found = pipeline.replay(shop, out)
    assert found.ok
    assert {"labels", "history.label", "dataset.sha256", "history", "user"} <= set(found.unchecked)
    assert "labels" in recscope("explain", "--replay", out)[1]


def test_a_hash_is_that_of_whom_the_dataset_knows(shop, exported):
    _, out = exported("ease", "--hash-user")
    (shop.path / KEY_FILE).unlink()
    edited(out, lambda content: None)
    assert pipeline.replay(shop, out).differs == ()
    edited(out, lambda content: content["user"].update(sha256="0" * 64))
    found = pipeline.replay(shop, out)
    assert not found.ok
    assert [each.what for each in found.differs] == ["user.sha256"]


def test_a_history_that_was_handed_in_need_not_be_what_the_user_did(shop, recscope, tmp_path):
    run, path, out = train(shop, "ease"), tmp_path / "edited.csv", tmp_path / "why.json"
    path.write_text("user_id,item_id\nu1,30\nu1,40\n")
    code, told, _ = recscope("explain", run.id, "--histories", path, "--out", out, "--json")
    assert (code, told["seal"]) == (0, "hmac-sha256")
    assert json.loads(out.read_text())["history"]["source"] == "given"
    assert replayed(shop, out) == (True, "sealed")


def test_what_was_exported_without_the_dataset_holds_with_it(shop, recscope, tmp_path):
    run, path, out = train(shop, "ease"), busy(tmp_path, 3), tmp_path / "why.json"
    shutil.copytree(shop.dataset("shop").folder, tmp_path / "kept")
    shop.delete_dataset("shop")
    recscope("explain", run.id, "--histories", path, "--out", out)
    assert replayed(shop, out) == (True, "sealed")
    shutil.copytree(tmp_path / "kept", shop.datasets_folder / "555555555555")
    assert replayed(shop, out) == (True, "sealed")


def test_signs_that_steer_a_terminal_are_written_out(exported, recscope):
    _, out = exported("ease")
    edited(out, lambda content: content["labels"].__setitem__(0, "\x1b[2Jtea\ud800"))
    code, text, _ = recscope("explain", "--replay", out)
    assert code == 1
    assert "\x1b" not in text
    assert "\\x1b[2Jtea" in text


def test_how_the_seal_is_told_in_words(shop, exported, recscope):
    run, out = exported("ease")
    _, text, _ = recscope("explain", run.id, "--user", "u1", "--out", out)
    assert "sealed with this workspace's key" in text
    assert "nothing in the file was changed" in recscope("explain", "--replay", out)[1]
    edited(out, lambda content: None)
    _, text, _ = recscope("explain", "--replay", out)
    assert "it does not hold" in text
    assert "not sealed by this workspace" in text
    (shop.path / KEY_FILE).unlink()
    assert "which whoever changes the file can make anew" in recscope("explain", "--replay", out)[1]
