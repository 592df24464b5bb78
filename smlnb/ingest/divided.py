"""Several projects that share the partitions of their topics, fed as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from smlnb.batch import Batch
from smlnb.project import Project
from smlnb.shards.intake import Learned

__all__ = ["Divided"]


class Divided:
    """Gives each partition to one of some projects: partition ``p`` to project ``p % len(projects)``.

    The choice does not change when one stops and goes on, so no record is learned into two of them: merged, they are
    what a single project would be.

    Parameters
    ----------
    projects : sequence of Project
        One for each task; a project may be there more than once.

    Examples
    --------
    >>> import numpy as np, pyarrow as pa
    >>> one, two = Project("one"), Project("two")
    >>> both = Divided([one, two])
    >>> for partition in range(4):
    ...     _ = both.learn(Batch(pa.record_batch({"x": [1.0]}), "readings", partition, 0, 1, np.array([0])))
    >>> sorted(one.positions), sorted(two.positions)
    ([('readings', 0), ('readings', 2)], [('readings', 1), ('readings', 3)])
    """

    def __init__(self, projects: Sequence[Project]) -> None:
        self.projects = tuple(projects)

    @property
    def name(self) -> str:
        """The projects' names."""
        return ", ".join(dict.fromkeys(project.name for project in self.projects))

    @property
    def positions(self) -> dict[tuple[str, int], int]:
        """Next offset of each (topic, partition), over all projects."""
        return {place: at for project in dict.fromkeys(self.projects) for place, at in project.positions.items()}

    def strangers(self) -> dict[str, list[tuple[str, int]]]:
        """Return, by project, what it has learned of partitions that are another's, as their number has changed."""
        strange: dict[str, list[tuple[str, int]]] = {}
        for project in dict.fromkeys(self.projects):
            places = [p for p in project.positions if self.projects[self._index(p[1])] is not project]
            if places:
                strange[project.name] = places
        return strange

    def rewind(self, available: Mapping[tuple[str, int], int]) -> None:
        """Give up the records of unfinished blocks; see :meth:`smlnb.Project.rewind`."""
        for project in dict.fromkeys(self.projects):
            project.rewind(available)

    def learn(self, data: Batch, *, on_bad: Literal["raise", "refuse"] = "raise") -> Learned:
        """Let the project of this partition learn a batch; see :meth:`smlnb.Project.learn`."""
        return self.of(data.partition).learn(data, on_bad=on_bad)

    def of(self, partition: int) -> Project:
        """Return the project that learns this partition of each topic."""
        return self.projects[self._index(partition)]

    def _index(self, partition: int) -> int:
        return partition % len(self.projects)
