"""kill -9 of commands, of the server with jobs under way, and of a job: nothing is lost."""

from __future__ import annotations

import pytest
from kill import explore

pytestmark = pytest.mark.slow  # together too many for `make quick`


@pytest.mark.timeout(600)
def test_the_server_is_killed_with_jobs_under_way():
    counts = explore(2, ("server",))["server"]
    assert counts["killed"] == 2
    assert counts["jobs"] >= 2, "nothing was under way"
    assert counts["went_on"] + counts["job_killed"] == counts["jobs"]
    assert (counts["lost"], counts["half"], counts["left"]) == (0, 0, 0)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("command", ["ingest", "train"])
def test_a_command_is_killed(command):
    counts = explore(2, (command,))[command]
    assert (counts["lost"], counts["half"], counts["left"]) == (0, 0, 0)
