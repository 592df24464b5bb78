"""The stream application's properties: what a scorer on the command line is told by a file.

Every key is honoured, accepted without effect and said so, or refused by name.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from typing import Any, Final

from smlnb.cluster.config import KafkaConfig, read_settings
from smlnb.connector.keys import without_effect
from smlnb.errors import ConfigError

__all__ = ["Application", "read_application"]

_OWN: Final = "sml."

HONOURED: Final = {
    "sml.kstream.source.topic": "the topic to read",
    "sml.kstream.sink.topic": "the topic to write",
    "sml.kstream.project.id": "the project in the workspace",
    "sml.kstream.model.id": "the model in the workspace",
    "sml.kstream.app.id": "the name under which the position in the source topic is kept",
    "sml.kstream.client.id": "the client's name for the brokers",
    "sml.kstream.record.poll.max": "the most records scored at once",
}

WITHOUT_EFFECT: Final = {
    "sml.kstream.rest": "project and model come from the workspace, not from a server",
    "sml.kstream.rest.host": "project and model come from the workspace, not from a server",
    "sml.kstream.rest.user": "project and model come from the workspace, not from a server",
    "sml.kstream.rest.secret": "project and model come from the workspace, not from a server",
    "sml.kstream.schedule.ms": "records are scored as they arrive",
    "enable.auto.commit": "the position is committed when the broker has confirmed the scores, never before",
    "commit.interval.ms": "the position is committed once a second, when the broker has confirmed the scores",
    "auto.commit.interval.ms": "the position is committed when the broker has confirmed the scores, never before",
    "group.id": "the position is kept under sml.kstream.app.id",
    "application.id": "the position is kept under sml.kstream.app.id",
    "default.key.serde": "keys are copied as they are",
    "default.value.serde": "the format of the values is recognised",
}

REFUSED: Final = {
    "sml.kstream.model.b64file": "a model of that format can't be read. Save a model in the workspace and name it by "
    "sml.kstream.model.id",
}


@dataclass(frozen=True, slots=True)
class Application:
    """What the properties say.

    Attributes
    ----------
    kafka : KafkaConfig
        The cluster, with every key that is the client's own.
    source, sink : str or None
        Topics; None if the file names none.
    project, model : str or None
        Names in the workspace.
    name : str or None
        The application's id.
    batch_rows : int or None
        The most records scored at once.
    notes : tuple of str
        A line that lists the keys without effect, with the reasons, if there are any.
    """

    kafka: KafkaConfig
    source: str | None
    sink: str | None
    project: str | None
    model: str | None
    name: str | None
    batch_rows: int | None
    notes: tuple[str, ...]


def read_application(
    path: str | os.PathLike[str],
    bootstrap_servers: str | None = None,
    config: str | os.PathLike[str] | None = None,
) -> Application:
    r"""Read a ``.properties`` (or JSON) file with the keys of the stream application.

    Parameters
    ----------
    path
        The application's file.
    bootstrap_servers : str, optional
        Wins over the file's ``bootstrap.servers``.
    config : path, optional
        A file with further settings of the cluster; the application's file wins.

    Raises
    ------
    ConfigError
        If the file can't be read, or a key is refused, unknown, or holds what it can't.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "score.properties")
    ...     _ = file.write_text("bootstrap.servers=b:9092\nsml.kstream.model.id=hba1\nsml.kstream.schedule.ms=4000")
    ...     application = read_application(file)
    >>> application.model, application.notes
    ('hba1', ('Without effect: sml.kstream.schedule.ms (records are scored as they arrive).',))
    """
    settings = dict(KafkaConfig.of(bootstrap_servers, read_settings(path), file=config).settings)
    for key in settings:
        if key in REFUSED:
            raise ConfigError(f"The key {key} is refused: {REFUSED[key]}.")
        if key.startswith(_OWN) and key not in HONOURED and key not in WITHOUT_EFFECT:
            near = difflib.get_close_matches(key, [*HONOURED, *WITHOUT_EFFECT], n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ConfigError(f"The key {key} is unknown.{hint} Known are: {', '.join(sorted(HONOURED))}.")
    notes = without_effect({key: WITHOUT_EFFECT[key] for key in settings if key in WITHOUT_EFFECT})
    own = {key: settings.pop(key) for key in [*HONOURED, *WITHOUT_EFFECT] if key in settings}
    if client_id := _text(own, "sml.kstream.client.id"):
        settings["client.id"] = client_id
    return Application(
        kafka=KafkaConfig(settings),
        source=_text(own, "sml.kstream.source.topic"),
        sink=_text(own, "sml.kstream.sink.topic"),
        project=_text(own, "sml.kstream.project.id"),
        model=_text(own, "sml.kstream.model.id"),
        name=_text(own, "sml.kstream.app.id"),
        batch_rows=_number(own, "sml.kstream.record.poll.max"),
        notes=notes,
    )


def _text(own: dict[str, Any], key: str) -> str | None:
    return str(own.get(key, "")).strip() or None


def _number(own: dict[str, Any], key: str) -> int | None:
    text = _text(own, key)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ConfigError(f"The key {key} is {text!r}; it must be a whole number above 0.")
    return int(text)
