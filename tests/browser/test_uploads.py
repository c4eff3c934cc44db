"""What is uploaded goes to the disk, and not into the server's memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.browser.test_journey import UPLOADER, open_uploader

Visit = Callable[..., Any]
MIB = 1 << 20
LINES, CELL = 60_000, 4_000  # 230 MiB


def server(address: str) -> psutil.Process:
    port = int(address.rsplit(":", 1)[1])
    found = (c.pid for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN
             and c.laddr.port == port)  # fmt: skip
    return psutil.Process(next(pid for pid in found if pid))


def table(path: Path, lines: int) -> Path:
    note = "x" * CELL
    with path.open("w") as file:
        file.write("user_id,item_id,note\n")
        file.writelines(f"{n % 997},{n % 31},{note}\n" for n in range(lines))
    return path


def test_a_large_upload_is_on_the_disk_and_not_in_memory(
    visit: Visit, served: str, tmp_path: Path
) -> None:
    page = visit("/data")
    open_uploader(page)
    rows = []
    for lines in (LINES // 10, LINES):  # the first warms what any file needs
        path = table(tmp_path / f"{lines}.csv", lines)
        page.set_input_files(UPLOADER, [str(path)])
        page.locator(".st-key-import button").wait_for(timeout=120_000)
        rows.append(server(served).memory_info().rss)
        page.get_by_role("button", name="Remove").first.click()
        page.locator(".st-key-import button").wait_for(state="detached")
    assert rows[1] - rows[0] < LINES * CELL / 2, [row / MIB for row in rows]
