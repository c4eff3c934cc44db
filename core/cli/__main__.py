"""`python -m core.cli`: what the command `recscope` does."""

import sys

from core.cli import main

sys.exit(main())
