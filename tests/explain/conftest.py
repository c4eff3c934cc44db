"""The small world of the models' tests, whose scores are explained here."""

from tests.models.conftest import features, log, queries, world

__all__ = ["features", "log", "queries", "world"]
