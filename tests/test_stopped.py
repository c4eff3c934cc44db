"""What stopped a job is told as far as it can be shown; with real processes, and a real kernel."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from core import jobs
from core.data.durable import read_json, write_json_atomically
from core.jobs import process, stopped
from core.jobs.progress import enqueue
from dashboard.components.jobs import ended_label

IDENT = "a" * 12
# A command's job that works until it is stopped, without loading what trains.
WORKS = """
import json, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in the background
from core import jobs
from core.data.store import Workspace
from core.data.durable import write_json_atomically
workspace = Workspace.open(sys.argv[1])
folder = workspace.runs_folder / "aaaaaaaaaaaa"
spec = json.loads(sys.argv[2])
prepare = lambda: write_json_atomically(jobs.reset_folder(folder) / "run.json", spec)
with jobs.stopped_by_signals(folder), jobs.run_inline(workspace, folder, prepare):
    print("now", flush=True)
    signal.sigwait([signal.SIGRTMIN])  # one long call: Python's own handlers never run
"""


SPEC = {
    "name": "x",
    "dataset_name": "shop",
    "created": "2024-01-01T00:00:00Z",
    "config": {"dataset": "5" * 12, "model": "ease", "device": "cpu"},
}


@contextmanager
def working(workspace):
    command = [sys.executable, "-c", WORKS, str(workspace.path), json.dumps(SPEC)]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True) as child:
        try:
            assert child.stdout.readline() == "now\n", child.stderr.read()
            yield child
        finally:
            child.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_is_heard_is_told(number, shop):
    with working(shop) as child:
        child.send_signal(number)
        assert child.wait(30) == 128 + number
        said = child.stderr.read().strip()
    assert said == f"recscope: stopped ({number.name}); the same command begins anew"
    found = jobs.status(shop, IDENT)
    assert found.state == ("cancelled" if number == signal.SIGINT else "killed")
    assert found.message == f"the process was stopped by a signal ({number.name})"


def test_it_says_that_the_same_command_goes_on_only_where_something_was_kept(shop):
    folder = shop.runs_folder / IDENT
    with working(shop) as child:
        (folder / "checkpoints").mkdir()
        (folder / "checkpoints" / "fit.safetensors").touch()
        child.send_signal(signal.SIGTERM)
        assert "goes on from what was last kept" in child.communicate(timeout=30)[1]


def test_sigkill_without_a_witness_is_not_called_anything(shop):
    with working(shop) as child:
        child.kill()
        child.wait(30)
    found = jobs.status(shop, IDENT)
    assert (found.state, found.stop) == ("killed", jobs.Stop(None))
    assert "memory" not in found.message
    assert "SIG" not in found.message


def test_a_person_s_cancel_is_no_signal_from_outside(shop):
    with working(shop) as child:
        found = jobs.cancel(shop, IDENT)
        assert (found.state, found.message, found.stop) == ("cancelled", "", None)
        assert child.wait(5) == 128 + signal.SIGTERM


def seen_to_end(workspace, code: str, number: int | None = None) -> jobs.Status:
    """What is told of a job's child that ends like this, by who started it."""
    folder = workspace.runs_folder / IDENT
    folder.mkdir(exist_ok=True)
    write_json_atomically(folder / "run.json", SPEC)
    with subprocess.Popen([sys.executable, "-S", "-c", code]) as child:
        enqueue(folder, child.pid, group=True)
        if number:
            child.send_signal(number)
        process._wait_for(child, folder)
    return jobs.status(workspace, IDENT)


@pytest.mark.parametrize(
    ("number", "part"),
    [
        (signal.SIGKILL, "was killed (SIGKILL); the system does that where memory runs out, or"),
        (signal.SIGTERM, "was stopped by a signal (SIGTERM)"),
        (signal.SIGSEGV, "was stopped by a signal (SIGSEGV)"),
    ],
)
def test_who_started_it_sees_the_signal(number, part, shop):
    found = seen_to_end(shop, "import signal; signal.pause()", number)
    assert found.state == "killed"
    assert part in found.message
    assert f"({number.name})" in ended_label(found)


def test_an_older_process_s_end_is_not_this_one_s(shop):
    found = seen_to_end(shop, "import signal; signal.pause()", signal.SIGKILL)
    folder = shop.runs_folder / IDENT
    assert found.stop == jobs.Stop("SIGKILL")
    record = read_json(folder / "status.json")
    write_json_atomically(folder / "status.json", {**record, "pid": record["pid"] + 1})
    assert jobs.status(shop, IDENT).stop == jobs.Stop(None)
    (folder / stopped.STOPPED).write_text("[")
    assert jobs.status(shop, IDENT).stop == jobs.Stop(None)


def test_a_command_hears_what_it_heard_before_when_the_job_is_over(tmp_path):
    before = [signal.getsignal(number) for number in stopped.HEARD]
    with jobs.stopped_by_signals(tmp_path):
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in stopped.HEARD] == before


@pytest.fixture
def small_memory():
    """A control group of the kernel with 60 MB of memory: the file that a process joins it by."""
    group = Path("/sys/fs/cgroup/memory") / f"recscope-test-{os.getpid()}"
    limit = group / "memory.limit_in_bytes"
    try:
        os.close(os.open("/dev/kmsg", os.O_RDONLY))
        group.mkdir()
        limit.write_text("60000000")
    except OSError:
        pytest.skip("needs the rights to limit a process's memory and to read the kernel's log")
    yield group / "cgroup.procs"
    group.rmdir()


def test_memory_is_named_where_the_kernel_s_log_shows_it(shop, small_memory):
    join = f"open({str(small_memory)!r}, 'w').write(str(__import__('os').getpid()))"
    found = seen_to_end(shop, f"{join}; bytearray(200_000_000)")
    assert found.stop == jobs.Stop("SIGKILL", out_of_memory=True)
    assert "memory ran out" in found.message
    pid = read_json(shop.runs_folder / IDENT / "stopped.json")["pid"]
    assert not stopped.killed_for_memory(pid, time.time() + 60), "an older one of the same number"
    assert not stopped.killed_for_memory(pid + 1, time.time() - 60)
