"""What can go wrong that is not a bug. Anything else that is raised is one.

CoreError             one sentence for a person; the command line exits with 1
├── BadInput          a mistake in what was given; the command line exits with 2
│   ├── NotFound      a dataset, run, user, item or file that is not there
│   ├── UnknownRole   a table that can be read, but not which column is the user or the item
│   ├── TooLarge      it does not fit into memory here
│   └── ReadOnly      the workspace may only be looked at
├── NotFitted         a model was asked for scores before it was fitted or loaded
├── Corrupt           a stored file is not what was written: the hash differs
└── Cancelled         a person stopped the job
"""


class CoreError(Exception):
    """One sentence that a person can act on."""


class BadInput(CoreError):
    """What is wrong, the value, and what would be right."""


class NotFound(BadInput):
    """A dataset, run, user, item or file that is not there."""


class UnknownRole(BadInput):
    """A table can be read, but which of its columns is the user or the item is to be said."""


class TooLarge(BadInput):
    """It does not fit here: the sizes, and what to do instead."""


class ReadOnly(BadInput):
    """What is refused in a workspace that may only be looked at, why, and what to do instead."""


class NotFitted(CoreError):
    """A model was asked for scores before it was fitted or loaded."""


class Corrupt(CoreError):
    """A stored file is not what was written."""


class Cancelled(CoreError):
    """A person stopped the job."""
