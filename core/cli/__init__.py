"""`recscope`: every page's main action as a command. Section "The command line" of README.md.

Results go to standard output, for people as a short table, with --json as exactly one JSON object;
progress and errors go to standard error. Exit code 0, 2 for a mistake in what was asked, 1 for
ours, 130 when stopped by Ctrl-C; a training that a signal stops, 128 and its number.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Sequence

from core.cli import commands
from core.cli.parser import build_parser
from core.cli.terminal import end_of_progress, plain
from core.data.limits import in_words
from core.errors import BadInput, Cancelled, CoreError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    logging.basicConfig(format="recscope: %(message)s", level=logging.WARNING)
    try:
        options = build_parser().parse_args(argv)
        options.own_process = argv is None  # which does nothing else: its time is the command's
        result, text = commands.run(options.command, options)
        end_of_progress()
        print(json.dumps(plain(result), ensure_ascii=False) if options.json else text)
        sys.stdout.flush()
        return 0 if result.get("ok", True) else 1
    except BadInput as error:
        return _fail(str(error), 2)
    except Cancelled as error:
        return _fail(str(error), 130)
    except CoreError as error:
        return _fail(str(error), 1)
    except KeyboardInterrupt:
        return _fail("stopped", 130)
    except BrokenPipeError:  # who read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if told := in_words(error):
            return _fail(str(told), 2)
        traceback.print_exc()
        return _fail(f"a bug: {type(error).__name__}: {error}", 1)


def _fail(sentence: str, code: int) -> int:
    end_of_progress()
    print(f"recscope: {sentence}", file=sys.stderr)
    return code
