"""`python -m recscope`: what the command `recscope` does."""

import sys

from core.cli import main

sys.exit(main())
