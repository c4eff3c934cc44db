"""What each command does: its options → what --json prints, and what people read instead.

The options are declared in core/cli/parser.py; the work is done by what stands below. A command's
module is imported when the command is run: most load torch, which `recscope --help` need not await.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from core.cli.terminal import Result

COMMANDS = {  # command → the module of this package that it is a function of
    "demo": "serve",
    "serve": "serve",
    "doctor": "serve",
    "datasets": "list_all",
    "runs": "list_all",
    "models": "models",
    "delete": "keeping",
    "rename": "keeping",
    "archive": "keeping",
    "note": "keeping",
    "ingest": "ingest",
    "profile": "profile",
    "clean": "profile",
    "export-dataset": "export_dataset",
    "pictures": "pictures",
    "train": "train",
    "tune": "tune",
    "evaluate": "evaluate",
    "compare": "evaluate",
    "report": "report",
    "recommend": "recommend",
    "explain": "explain",
    "counterfactual": "changes",
    "what-if": "changes",
    "overview": "overview",
    "faithfulness": "overview",
    "embed": "embed",
    "neighbours": "embed",
    "sql": "sql",
}


def run(command: str, options: Any) -> Result:
    """Runs the command of this name with what argparse made of its options."""
    module = import_module(f"core.cli.commands.{COMMANDS[command]}")
    result: Result = getattr(module, command.replace("-", "_"))(options)
    return result
