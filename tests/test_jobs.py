from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from core import jobs, pipeline
from core.data.durable import write_json_atomically
from core.data.store import Workspace
from core.errors import BadInput, CoreError, NotFound
from core.runs import artifact
from core.runs.config import run_id
from core.runs.request import RunRequest
from core.types import EpochReport

pytestmark = pytest.mark.slow  # together too many for `make quick`

# A training that is one call into torch, far longer than any test waits for it.
LONG_CALL = """
import sys, torch
from core import jobs
from core.data.store import Workspace
from core.runs.request import RunRequest
workspace = Workspace.open(sys.argv[1])
info = workspace.dataset("shop")
config = RunRequest(info.id, "ease", seed=99, device="cpu").config()
with jobs.train_inline(workspace, config, "shop") as report:
    print(report.folder.name, flush=True)
    torch.linalg.eigvals(torch.rand(6000, 6000))
"""


def wait_for(happens: Callable[[], object], patience_s: float = 90.0) -> None:
    deadline = time.monotonic() + patience_s
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def ended(workspace: Workspace, *ids: str) -> bool:
    return not any(jobs.status(workspace, ident).active for ident in ids)


@pytest.fixture
def long_job(shop):
    """The id of a job that is in the middle of a long call, and its process."""
    command = [sys.executable, "-c", LONG_CALL, str(shop.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip(), process
        process.kill()


@pytest.mark.slow
def test_a_job_trains_evaluates_and_is_found_by_others(shop):
    ident = jobs.start_training(
        shop, RunRequest("shop", "item_knn", ["k=20"], name="neighbours", device="cpu")
    )
    first = jobs.status(shop, ident)
    assert (first.active, first.name, first.model) == (True, "neighbours", "item_knn")
    assert (
        jobs.start_training(shop, RunRequest("shop", "item_knn", {"k": 20}, device="cpu")) == ident
    )  # not twice
    assert [s.run_id for s in jobs.active(shop)] == [ident]
    wait_for(lambda: ended(shop, ident))
    code = (
        "import sys; from core import jobs; from core.data.store import Workspace;"
        "s = jobs.status(Workspace.open(sys.argv[1]), sys.argv[2]); print(s.state, s.message)"
    )
    seen = subprocess.run(
        [sys.executable, "-c", code, str(shop.path), ident], capture_output=True, text=True
    )
    assert seen.stdout.split() == ["done"], jobs.log(shop, ident)
    run = artifact.find_run(shop, "neighbours")
    assert run.id == ident
    assert run.config.params["k"] == 20
    assert run.metrics.users == 40
    again = jobs.start_training(
        shop, RunRequest("shop", "item_knn", {"k": 20}, name="renamed", device="cpu")
    )
    assert (again, artifact.find_run(shop, "renamed").id) == (ident, ident)
    assert jobs.active(shop) == []


def test_a_job_gives_what_training_here_gives(shop, tmp_path):
    ident = jobs.start_training(shop, RunRequest("shop", "ease", device="cpu"), evaluate=False)
    wait_for(lambda: ended(shop, ident))
    by_job = artifact.find_run(shop, ident)
    assert by_job.metrics is None
    hash_of_the_job = by_job.artifact_hash
    artifact.delete_run(shop, ident)
    assert (
        pipeline.train(shop, RunRequest("shop", "ease", device="cpu")).artifact_hash
        == hash_of_the_job
    )


@pytest.mark.slow
def test_cancel_in_the_middle_of_a_long_call(shop, long_job):
    ident, process = long_job
    began = time.monotonic()
    assert jobs.cancel(shop, ident).state == "cancelled"
    assert time.monotonic() - began < 10
    assert process.wait(1) == -signal.SIGTERM
    assert jobs.status(shop, ident).pid is None
    assert artifact.list_runs(shop) == []
    assert jobs.cancel(shop, ident).state == "cancelled"  # a second time changes nothing


def test_cancel_ends_a_process_that_does_not_listen(shop, long_job):
    ident, process = long_job
    process.send_signal(signal.SIGSTOP)  # a stopped process never gets SIGTERM
    wait_for(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
    began = time.monotonic()
    assert jobs.cancel(shop, ident).state == "cancelled"
    assert 5 < time.monotonic() - began < 30  # 9.5 s, and what a busy machine adds
    assert process.wait(1) == -signal.SIGKILL


@pytest.mark.slow
def test_killed_is_reported_as_killed_and_can_be_started_again(shop, long_job):
    ident, process = long_job
    held = jobs.status(shop, ident)
    assert (held.state, held.pid) == ("running", process.pid)
    os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: not jobs.status(shop, ident).active)  # a zombie is dead, nobody reaped it
    found = jobs.status(shop, ident)
    assert (found.state, found.stop.signal) == ("killed", None)  # nobody was there to see it
    assert "memory" not in found.message
    assert artifact.list_runs(shop) == []
    again = jobs.start_training(shop, RunRequest("shop", "ease", seed=99, device="cpu"))
    assert again == ident
    wait_for(lambda: ended(shop, ident))  # the lock of the dead does not hold the device
    assert jobs.status(shop, ident).state == "done"


@pytest.mark.slow
def test_the_queue_is_first_come_first_served(shop):
    config = RunRequest(shop.dataset("shop").id, "ease", seed=7, device="cpu").config()
    with jobs.train_inline(shop, config, "shop"):
        names = ["item_knn", "user_knn", "ease"]
        ids = [
            jobs.start_training(shop, RunRequest("shop", name, device="cpu"), evaluate=False)
            for name in names
        ]
        assert [jobs.status(shop, i).state for i in ids] == ["queued"] * 3
        assert [jobs.status(shop, i).queue_position for i in ids] == [1, 2, 3]
        assert [s.queue_position for s in jobs.active(shop)] == [None, 1, 2, 3]
        cancelled = jobs.cancel(shop, ids[1])
        assert cancelled.state == "cancelled"
        assert jobs.status(shop, ids[2]).queue_position == 2
    assert jobs.status(shop, run_id(config)).state == "done"
    wait_for(lambda: ended(shop, *ids))
    assert [jobs.status(shop, i).state for i in ids] == ["done", "cancelled", "done"]
    started = [
        json.loads((shop.runs_folder / i / "status.json").read_text())["started"] for i in ids
    ]
    assert started[0] < started[2]
    assert started[1] is None


@pytest.mark.slow
def test_what_only_counts_need_not_wait_for_what_learns(shop):
    def asked(model):
        return RunRequest(shop.dataset("shop").id, model, device="cpu")

    with jobs.train_inline(shop, asked("ease").config(), "shop"):
        waits = jobs.start_training(shop, asked("item_knn"), evaluate=False)
        with jobs.train_inline(shop, asked("popularity").config(), "shop"):
            second = jobs.start_training(shop, asked("transitions"), evaluate=False)
            assert jobs.status(shop, second).queue_position == 1, "one of them at a time"
        wait_for(lambda: ended(shop, second))
        assert jobs.status(shop, second).state == "done"
        assert (jobs.status(shop, waits).state, jobs.status(shop, waits).queue_position) == (
            "queued",
            1,
        )
    wait_for(lambda: ended(shop, waits))
    assert jobs.status(shop, waits).state == "done"


@pytest.mark.slow
def test_a_failed_job_says_why(shop):
    ident = jobs.start_training(shop, RunRequest("shop", "popularity", device="cpu"))
    wait_for(lambda: ended(shop, ident))
    (shop.datasets_folder / shop.dataset("shop").id / "events.parquet").write_bytes(b"gone")
    failed = jobs.start_training(shop, RunRequest("shop", "ease", device="cpu"))
    wait_for(lambda: ended(shop, failed))
    found = jobs.status(shop, failed)
    assert found.state == "failed"
    assert found.message
    assert "Traceback" not in found.message
    assert jobs.status(shop, ident).state == "done"


def test_a_mistake_starts_nothing(shop):
    with pytest.raises(BadInput):
        jobs.start_training(shop, RunRequest("shop", "ease", ["l2=x"]))
    with pytest.raises(NotFound):
        jobs.start_training(shop, RunRequest("nowhere", "ease"))
    with pytest.raises(NotFound, match="no job"):
        jobs.status(shop, "0" * 12)
    assert list(shop.runs_folder.glob("[!.]*")) == []


def test_our_own_errors_are_told_from_the_users(shop):
    config = RunRequest(shop.dataset("shop").id, "ease", device="cpu").config()
    ident = run_id(config)
    with pytest.raises(CoreError, match="a bug: KeyError"), jobs.train_inline(shop, config, "shop"):
        raise KeyError("x")
    found = jobs.status(shop, ident)
    assert (found.state, found.message[:24]) == ("failed", "a bug: KeyError: 'x' (se")
    assert "Traceback" in jobs.log(shop, ident)
    with pytest.raises(BadInput), jobs.train_inline(shop, config, "shop"):
        raise BadInput("too few events")
    assert jobs.status(shop, ident).message == "too few events"
    assert jobs.log(shop, ident) == ""
    for error in (MemoryError("2 GiB"), RuntimeError("CUDA out of memory. Tried")):
        with (
            pytest.raises(BadInput, match="memory ran out"),
            jobs.train_inline(shop, config, "shop"),
        ):
            raise error
        assert jobs.status(shop, ident).message.startswith("memory ran out")


@pytest.mark.slow
def test_the_same_run_is_not_trained_twice_at_once(shop, long_job):
    ident, process = long_job
    config = RunRequest(shop.dataset("shop").id, "ease", seed=99, device="cpu").config()
    with (
        pytest.raises(BadInput, match=f"run {ident} is under way in process {process.pid}"),
        jobs.train_inline(shop, config, "shop"),
    ):
        pass


def test_epochs_are_read_while_they_are_written(shop):
    config = RunRequest(shop.dataset("shop").id, "ease", device="cpu").config()
    with jobs.train_inline(shop, config, "shop") as report:
        report.stage("fit")
        report.epoch(EpochReport(1, 4, loss=0.5))
        assert jobs.epochs(shop, run_id(config)) == [{"epoch": 1, "epochs": 4, "loss": 0.5}]
        with (report.folder / "epochs.jsonl").open("a") as file:
            file.write('{"epoch": 2, "lo')
        assert len(jobs.epochs(shop, run_id(config))) == 1
        report.stage("save")
        found = jobs.status(shop, run_id(config))
        assert (found.state, found.stage, found.progress) == ("running", "save", None)


def test_a_number_used_again_is_not_the_old_process(shop):
    """Status of a process that died, whose pid now belongs to another."""
    config = RunRequest(shop.dataset("shop").id, "ease", device="cpu").config()
    with jobs.train_inline(shop, config, "shop") as report:
        record = json.loads((report.folder / "status.json").read_text())
        assert record["pid"] == os.getpid()
        path = Path(report.folder / "status.json")
        write_json_atomically(path, {**record, "process_started": record["process_started"] - 60})
        assert jobs.status(shop, report.folder.name).state == "killed"


def test_no_process_is_left(shop):
    ids = [
        jobs.start_training(shop, RunRequest("shop", name, device="cpu"))
        for name in ("ease", "popularity")
    ]
    for ident in ids:
        jobs.cancel(shop, ident)
    assert ended(shop, *ids)
    mine = psutil.Process().children(recursive=True)
    assert [p for p in mine if str(shop.path) in " ".join(p.cmdline())] == []
