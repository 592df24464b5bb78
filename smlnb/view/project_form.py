"""A form that makes a project of a topic: name, one type per column, histograms, create."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Final

import ipywidgets as w
import pyarrow as pa

from smlnb.errors import SchemaError, SmlnbError, TopicError
from smlnb.schema import Schema
from smlnb.view.panel import Panel, button, row
from smlnb.view.publish import publisher
from smlnb.view.tables import facts, whole
from smlnb.view.type_menus import LABELS, TypeMenus, Types, guess

__all__ = ["ProjectForm", "project_form"]

PEEKED: Final = 200
RETRY: Final = 1.0  # seconds between two looks for a topic that is missing or empty
_taken: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


class ProjectForm(Panel):
    """The form; see :func:`project_form`.

    Attributes
    ----------
    project : Project or None
        The one made last.
    feed : Feed or None
        What fills it, if the form connects.
    """

    def __init__(
        self,
        topic: str | None,
        *,
        bootstrap_servers: str | None,
        config: Any,
        name: str | None,
        types: Types,
        histogram: bool,
        history: bool,
        connect: bool,
        on_create: Callable[[Any], Any] | None,
        options: Mapping[str, Any],
    ) -> None:
        super().__init__(name or topic or "project form")
        self.project: Any = None
        self.feed: Any = None
        self.sample: pa.RecordBatch | None = None
        self._given = types
        self._where = {"bootstrap_servers": bootstrap_servers, "config": config}
        self._connects = connect
        self._on_create = on_create
        self._options = dict(options)
        self._making = threading.RLock()
        self._pause = threading.Event()
        self._looking = False
        self._looked_at = 0.0
        self._facts = w.HTML(facts("New project"))
        self.topic = _text("Topic", topic or "", "The Kafka topic whose records the project learns")
        self.look_button = button("Look at the topic", "Read its latest records and guess the type of each column")
        self.name = _text("Name", _free_name(name or topic or "project"), "How the project is called")
        self.types = TypeMenus(self)
        self.histogram = w.Checkbox(
            value=histogram,
            description="keep histograms (needed for anomaly detection)",
            indent=False,
            tooltip="Histograms of every attribute; the hba model is built from them",
            layout=w.Layout(width="auto"),
        )
        self.history = w.Checkbox(
            value=history,
            description="keep the past (statistics of any interval)",
            indent=False,
            tooltip="Minutes for an hour, half hours for a day, days for a quarter; takes more memory",
            layout=w.Layout(width="auto"),
        )
        text = "Create project and connect" if connect else "Create project"
        self.create_button = button(
            text, "Create the project" + (" and begin to learn the topic" if connect else ""), "primary"
        )
        self._progress = w.HTML()
        self.on(self.look_button, self._look)
        self.on(self.create_button, self._create)
        self.observe(self.topic, self._look)
        self.fill(
            [
                self._facts,
                row(self.topic, self.look_button, self.name, grid_gap="4px 10px"),
                self.types.letters,
                self.types.menus,
                row(self.histogram, self.history, grid_gap="4px 18px"),
                row(self.create_button, self._progress, grid_gap="4px 12px"),
            ],
        )
        if self.topic.value:
            self._look()

    # -- what the widgets call ---------------------------------------------------------------------------------------

    def peek(self) -> pa.RecordBatch:
        """Read the latest records of the topic and guess a type for each column.

        Raises
        ------
        TopicError
            If the topic is missing or empty, or none is named.
        BrokerUnavailableError
            If no broker answers.
        """
        from smlnb.ingest.peek import sample

        topic = self.topic.value.strip()
        if not topic:
            raise TopicError("No topic is named. Write the name of a Kafka topic into the field Topic.")
        found = sample(topic, PEEKED, **self._where)
        self.sample = found
        return found

    def create(self) -> Any:
        """Create the project as the form stands, connect it to the topic, and return it.

        Raises
        ------
        SmlnbError
            If the name is taken, the types don't fit the columns, the broker does not answer, or the topic is missing
            or empty.
        """
        project = self._make()
        publisher.call(self._announce, project)
        return project

    def _make(self) -> Any:
        """Create and connect the project; it takes a while, and changes no widget."""
        from smlnb.project import Project

        with self._making:
            name = self.name.value.strip()
            if not name:
                raise SchemaError("The project has no name. Write one into the field Name.")
            if name in _taken:
                raise SchemaError(
                    f"There is a project {name!r} already. Choose another name, for instance {_free_name(name)!r}.",
                )
            if self.sample is None:
                self.peek()
            schema = self.schema()
            kept = {"histogram": self.histogram.value, "history": self.history.value}
            project = Project(name, schema.letters, columns=list(schema.names), **kept)
            feed = None
            if self._connects:
                from smlnb.ingest.feed import connect

                feed = connect(project, self.topic.value.strip(), **self._where, **self._options)
            _taken[name] = project
            self.project, self.feed = project, feed
        return project

    def result(self, timeout: float = 10.0) -> Any:
        """Return the project that a click has created; without a click create it now.

        For a topic that is not there yet, or empty, it waits up to ``timeout`` seconds.
        """
        with self._making:
            if self.project is None and self.sample is None:
                self._peek_patiently(timeout)
            return self.project if self.project is not None else self.create()

    def _peek_patiently(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.peek()
            except TopicError:
                if time.monotonic() >= deadline:
                    raise
                self._pause.wait(0.1)
            else:
                return

    def schema(self) -> Schema:
        """Return the columns of the topic with the types as the form has them.

        Raises
        ------
        SchemaError
            If letters are wrong, or not one per column.
        """
        if self.sample is None:
            self.peek()
        sample = self.sample
        if sample is None:
            return Schema()
        if self.types.letters.value.strip():
            return Schema.of(sample.schema.names, self.types.letters.value)
        return guess(sample, self._given)

    def stop(self) -> None:
        """Stop the feed that the form has started."""
        if self.feed is not None:
            self.feed.stop()
            self.draw()

    def draw(self) -> None:
        """Show how far the project is; look again for a topic that was missing or empty."""
        if self.project is None:
            if isinstance(self.error, TopicError) and self.topic.value.strip():
                self._look_again()
            return
        text = f"{self.project.name}: {whole(self.project.n)} rows learned"
        if self.feed is not None:
            text += f", {self.feed.state}"
            if self.feed.error is not None and self.feed.error is not self.error:
                self.fail(self.feed.error)
        self._progress.value = f'<span class="smlnb-good" role="status">{escape(text)}</span>'

    # -- callbacks ---------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        self.say("Looking at the topic \N{HORIZONTAL ELLIPSIS}")
        self.sample = None
        self._looking = True
        self.work(self.peek, self._looked)

    def _look_again(self) -> None:
        if not self._looking and time.monotonic() - self._looked_at >= RETRY:
            self._looking = True
            self.work(self.peek, self._looked)

    def _looked(self, result: Callable[[], pa.RecordBatch]) -> None:
        self._looking = False
        self._looked_at = time.monotonic()
        try:
            sample = result()
        except SmlnbError:
            if self.sample is None:  # else create() has looked meanwhile, and found something
                self.types.clear()
                raise
            return
        self._show(sample)
        if self.project is None:
            count, rows = sample.num_columns, whole(sample.num_rows)
            self.say(f"{count} columns found; types are guessed from the last {rows} records. Correct what is wrong.")

    def _show(self, sample: pa.RecordBatch) -> None:
        try:
            schema = guess(sample, self._given)
        except SchemaError:
            self.types.show(guess(sample, None), sample)
            raise
        self.types.show(schema, sample)

    def _create(self) -> None:
        self.create_button.disabled = True
        self.say("Creating \N{HORIZONTAL ELLIPSIS}")
        self.work(self._make, self._tried)

    def _tried(self, result: Callable[[], Any]) -> None:
        self.create_button.disabled = False
        self._announce(result())

    def _announce(self, project: Any) -> None:
        self.guard(self._created)
        if self._on_create is not None:
            self._on_create(project)

    def _created(self) -> None:
        made = self.project.name
        if self.sample is not None and not self.types.menus.children:
            self.types.show(self.project.schema, self.sample)
        self.name.value = _free_name(made)
        self.create_button.description = "Create another project"
        self.say(f"The project {made!r} is there; the form is ready for another one.")
        self.draw()


def _text(description: str, value: str, tooltip: str) -> w.Text:
    return w.Text(
        value=value,
        description=description,
        tooltip=tooltip,
        continuous_update=False,
        style={"description_width": LABELS},
        layout=w.Layout(width="min(100%, 274px)"),
    )


def _free_name(wanted: str) -> str:
    """Return ``wanted``, or with the first number behind it that no living project has."""
    if wanted not in _taken:
        return wanted
    stem, _, tail = wanted.rpartition("-")
    stem, at = (stem, int(tail)) if stem and tail.isdigit() else (wanted, 1)
    while True:
        at += 1
        if f"{stem}-{at}" not in _taken:
            return f"{stem}-{at}"


def project_form(
    topic: str | None = None,
    *,
    bootstrap_servers: str | None = None,
    config: Any = None,
    name: str | None = None,
    types: Types = None,
    histogram: bool = True,
    history: bool = False,
    connect: bool = True,
    on_create: Callable[[Any], Any] | None = None,
    **options: Any,
) -> ProjectForm:
    """Show a form that makes a project of a topic.

    The columns and their types are filled in from a look at the topic's latest records. The button does what
    :meth:`ProjectForm.create` does; :meth:`ProjectForm.result` returns the project that a click has created, and
    creates it if nobody has clicked. What goes wrong shows in red below the button.

    Parameters
    ----------
    topic : str, optional
        What the field Topic begins with.
    bootstrap_servers, config
        As in ``smlnb.connect``.
    name : str, optional
        What the field Name begins with; a number is added if a project has that name. By default the topic's.
    types : str, sequence or mapping, optional
        Letters for all columns, or for those named, in place of guessed ones.
    histogram, history : bool
        Whether the boxes "keep histograms" and "keep the past" are ticked at first.
    connect : bool
        Whether creating also begins to learn the topic.
    on_create : callable, optional
        Called with each project created, where widgets may be changed.
    **options
        Passed on to ``smlnb.connect``.

    Returns
    -------
    ProjectForm
        To be displayed. Its ``project`` and ``feed`` are None until created.
    """
    return ProjectForm(
        topic,
        bootstrap_servers=bootstrap_servers,
        config=config,
        name=name,
        types=types,
        histogram=histogram,
        history=history,
        connect=connect,
        on_create=on_create,
        options=options,
    )
