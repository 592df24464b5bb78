"""Projects, their checkpoints, and models in one SQLite file."""

from smlnb.store.workspace import Workspace

__all__ = ["Workspace"]
