"""The columns that a project knows, for decoders of later records."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from smlnb.ingest.divided import Divided
from smlnb.project import Project

__all__ = ["Known"]


class Known(Collection[str]):
    """The names of a project's attributes, as they are whenever somebody looks.

    A decoder that begins anew after a crash, or that reads beside others, has not seen all of them itself.

    Examples
    --------
    >>> project = Project("p")
    >>> known = Known(project)
    >>> _ = project.learn({"x": [1.0]})
    >>> list(known)
    ['x']
    """

    def __init__(self, project: Project | Divided) -> None:
        self._projects = project.projects if isinstance(project, Divided) else (project,)

    def __contains__(self, name: object) -> bool:
        return any(name in project.schema.names for project in self._projects)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for project in self._projects for name in project.schema.names))

    def __len__(self) -> int:
        return len(list(iter(self)))
