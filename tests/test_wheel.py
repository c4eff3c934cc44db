"""A wheel installed into an environment of its own works from any folder, without the checkout."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("core", "dashboard", "recscope", "sample_data")
NOT_CODE = {
    ".json",
    ".svg",
    ".csv",
    ".parquet",
    ".txt",
    ".md",
    ".toml",
    ".js",
    ".css",
    ".html",
    ".mjs",
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy of what belongs into it, without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    skipped = shutil.ignore_patterns("__pycache__", "node_modules")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=skipped)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", str(source), "--wheel-dir", str(folder)]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    done = subprocess.run(command + options, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("recscope-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder with the programs of a fresh environment that sees this one's other packages."""
    folder = tmp_path_factory.mktemp("fresh") / "env"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    programs = folder / "bin"
    done = subprocess.run(
        [programs / "python", "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", wheel],
        env=alone(folder),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (site,) = folder.glob("lib/python*/site-packages")
    ours = sysconfig.get_paths()["purelib"]
    (site / "others.pth").write_text(f"import sys; sys.path.append({ours!r})\n")  # after its own
    return programs


def alone(home):
    """An environment in which nothing says where the checkout is."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    env.pop("DISPLAY", None)  # opens no browser
    return {**env, "HOME": str(home), "RECSCOPE_HOME": str(home / "work")}


def run(program, *words, home):
    command = [str(program), *map(str, words)]
    done = subprocess.run(command, cwd=home, env=alone(home), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_files_are_in_the_wheel(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    for name in PACKAGES:
        for path in (ROOT / name).rglob("*"):
            relative = path.relative_to(ROOT).as_posix()
            if "node_modules" in relative or not path.is_file():
                continue
            if path.suffix == ".py" or path.suffix in NOT_CODE - {".mjs"}:
                assert relative in inside, relative
    assert "recscope/py.typed" in inside
    assert not any(
        name.startswith(("tests/", "benchmarks/", "docs/", "conftest")) for name in inside
    )


def test_it_is_imported_from_where_it_was_installed(installed, tmp_path):
    seen = "core.ROOT, recscope.__file__, recscope.__version__"
    code = f"import core, dashboard, recscope; print({seen})"
    root, file, version = run(installed / "python", "-c", code, home=tmp_path).split()
    assert Path(root) == Path(file).parent.parent
    assert Path(root).is_relative_to(installed.parent)
    assert version == (ROOT / "pyproject.toml").read_text().split('version = "')[1].split('"')[0]


def test_its_commands_work_from_another_folder(installed, tmp_path):
    recscope = installed / "recscope"
    assert "ok   recscope" in run(recscope, "doctor", home=tmp_path)
    (sample,) = installed.parent.glob("lib/python*/site-packages/sample_data")
    log = sample / "movielens-latest-small" / "ratings.csv"
    assert "100836 of 100836 rows" in run(recscope, "ingest", log, "--name", "films", home=tmp_path)
    assert "popularity" in run(recscope, "train", "films", "--model", "popularity", home=tmp_path)
    code = "import recscope; print(recscope.open().run('popularity').recommend([1], k=3).to_csv())"
    assert run(installed / "python", "-c", code, home=tmp_path).count("\n1,1,") == 1
    assert "ingest" in run(installed / "python", "-m", "recscope", "--help", home=tmp_path)


def test_the_demo_answers(installed, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [installed / "recscope", "demo", "--port", str(port)],
            **{"cwd": tmp_path, "env": alone(tmp_path), "stdout": log, "stderr": log},
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 240
        while not answers(port):
            assert server.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.2)
    finally:
        server.terminate()
        server.wait(20)


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5) as page:
            return page.status == 200
    except OSError:
        return False
