"""The tasks of a source: as many as are wanted, each with a reader and a decoder of its own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack

from smlnb.errors import ConfigError
from smlnb.formats.decoded import Decoder
from smlnb.ingest.chunk import Place
from smlnb.ingest.group import Together
from smlnb.ingest.reader import Reader
from smlnb.ingest.task import Owner, Task

__all__ = ["Crew"]


class Crew:
    """Makes tasks, lets them join and leave, and waits for them.

    Parameters
    ----------
    owner : Owner
        What they work for.
    new_decoder : callable
        Makes a decoder. That of a task is kept for the next run, as it remembers columns.
    new_reader : callable
        Makes a reader for the task of some number, which wants the headers of the records or does not.
    wanted : int
        How many tasks there are to be.
    name : str
        Of the threads.

    Attributes
    ----------
    tasks : list of Task
        Those at work.

    Raises
    ------
    ConfigError
        If none are wanted, or there is no such decoder.
    """

    def __init__(
        self,
        owner: Owner,
        new_decoder: Callable[[], Decoder],
        new_reader: Callable[[int, bool], Reader],
        wanted: int,
        name: str,
    ) -> None:
        self.tasks: list[Task] = []
        self._owner, self._new_decoder, self._new_reader, self._name = owner, new_decoder, new_reader, name
        self._decoders = [new_decoder()]
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()  # around changes of who is at work
        self._gone: Counter[Place] = Counter()  # what tasks have read that have left
        self.wanted = wanted

    @property
    def wanted(self) -> int:
        """How many tasks there are to be."""
        return self._wanted

    @wanted.setter
    def wanted(self, wanted: int) -> None:
        if wanted < 1:
            raise ConfigError(f"tasks is {wanted}; there is at least one.")
        self._wanted = wanted

    def ready(self) -> list[Task]:
        """Return the tasks of a new run, connected, and not at work yet."""
        self._gone.clear()
        return self._made(range(self.wanted))

    def _made(self, numbers: Iterable[int]) -> list[Task]:
        tasks = []
        with ExitStack() as opened:
            for number in numbers:
                while len(self._decoders) <= number:
                    self._decoders.append(self._new_decoder())
                decoder = self._decoders[number]
                reader = self._new_reader(number, decoder.uses_headers)
                opened.callback(reader.close)
                tasks.append(Task(self._owner, reader, decoder, f"{self._name}-{number}" if number else self._name))
            opened.pop_all()
        return tasks

    def launch(self, tasks: list[Task]) -> None:
        """Let tasks work."""
        with self._lock:
            self.tasks = self.tasks + tasks
        self._threads = [t for t in self._threads if t.is_alive()] + [task.thread for task in tasks]
        for task in tasks:
            task.thread.start()

    def adapt(self, seconds: float) -> None:
        """Let tasks join or leave until there are as many as are wanted; wait so long for each that leaves."""
        busy = {self._decoders.index(task.decoder) for task in self.tasks}
        if missing := [n for n in range(self.wanted) if n not in busy][: max(self.wanted - len(busy), 0)]:
            self.launch(self._made(missing))
        for task in self.tasks[self.wanted :]:
            task.leaving = True
            task.thread.join(seconds)

    def gone(self, task: Task) -> bool:
        """Take note that a task has ended; return whether it was the last."""
        with self._lock:
            self._gone.update(task.reader.read)
            self.tasks = [other for other in self.tasks if other is not task]
            return not self.tasks

    @property
    def together(self) -> Together | None:
        """All readers as one; None if nobody is at work."""
        return Together([task.reader for task in self.tasks], self._gone) if self.tasks else None

    @property
    def threads(self) -> tuple[threading.Thread, ...]:
        """Those that may still be alive."""
        return tuple(self._threads)

    def join(self, seconds: float) -> None:
        """Wait so long for each thread."""
        for thread in self._threads:
            thread.join(seconds)
        self._threads = [thread for thread in self._threads if thread.is_alive()]
