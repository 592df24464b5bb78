"""What a connector reads: its topics, also those that are made later, by one feed or several."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Final

from smlnb.cluster.config import KafkaConfig
from smlnb.cluster.topics import list_topics, watermarks
from smlnb.connector.projects import ConnectorProjects
from smlnb.connector.settings import Settings
from smlnb.errors import BadRecordsError, BrokerUnavailableError, DecodeError, LostRecordsError, TopicError
from smlnb.ingest.feed import Feed, connect
from smlnb.ingest.metrics import Metrics

__all__ = ["ConnectorFeeds"]

Place = tuple[str, int]

_LOST: Final = "Or learn the rest into another project (sml.project)."
_BAD: Final = (
    "Go on with behavior.on.malformed.documents=ignore, which leaves such records out, or name a topic that keeps them "
    "by errors.deadletterqueue.topic.name."
)


class ConnectorFeeds:
    """The feeds of a connector, as one.

    Parameters
    ----------
    settings : Settings
    config : KafkaConfig
    projects : ConnectorProjects
        What they teach.
    say : callable
        Is told what was decided on the way.
    """

    def __init__(
        self, settings: Settings, config: KafkaConfig, projects: ConnectorProjects, say: Callable[[str], None]
    ) -> None:
        self.all: tuple[Feed, ...] = ()
        self._settings = settings
        self._config = config
        self._projects = projects
        self._say = say
        self._refused: dict[Place, int] = {}

    @property
    def topics(self) -> list[str]:
        """What is read; before that what is to be read, or the expression."""
        reading = [topic for feed in self.all for topic in feed.topics]
        return reading or list(self._settings.topics) or [self._settings.pattern or ""]

    @property
    def metrics(self) -> Metrics:
        """The numbers of all feeds together."""
        return Metrics.together("", [feed.metrics for feed in self.all])

    def connect(self) -> None:
        """Let all of them run, where the projects stopped; make the first.

        Raises
        ------
        BrokerUnavailableError
            If no broker answers.
        TopicError
            If a topic is missing, or none matches the expression.
        """
        for feed in self.all:
            feed.start()
        if not self.all:
            self._add(self._matching() if self._settings.pattern else list(self._settings.topics))

    def stop(self) -> None:
        """Stop all of them."""
        for feed in self.all:
            feed.stop()

    def failure(self) -> BrokerUnavailableError | None:
        """Return what a retry may help against; None if all is well. Types that do not fit are guessed.

        Raises
        ------
        BaseException
            Why a feed failed, if no retry may help.
        """
        for error in (feed.error for feed in self.all):
            if error is None:
                continue
            if isinstance(error, BrokerUnavailableError):
                return error
            done = self._projects.guess_types(error)
            if done is None:
                if isinstance(error, BadRecordsError | DecodeError):
                    error.advising(_BAD)
                if isinstance(error, LostRecordsError):
                    error.advising(_LOST)
                raise error
            self._say(done)
            self.stop()  # all of them: others may have failed by the same letters
            try:
                self.connect()
            except BrokerUnavailableError as unavailable:
                return unavailable
            return None
        return None

    def take_up_new_topics(self) -> None:
        """Read topics that were made meanwhile, too. If the broker does not tell now, the next call will see them."""
        if self._settings.pattern is None or self.metrics.broker_error:
            return
        with suppress(BrokerUnavailableError, TopicError):
            new = [topic for topic in self._matching() if topic not in self.topics]
            if new:
                self._add(new)
                self._say(f"{', '.join(new)} matches topics.regex, too, and is read.")

    def newly_refused(self) -> Iterator[tuple[Place, int, int]]:
        """Give partitions with records that could not be used since the last call: place, how many, all so far."""
        for place, part in self.metrics.partitions.items():
            more = part.refused - self._refused.get(place, 0)
            self._refused[place] = part.refused
            if more > 0:
                yield place, more, part.refused

    def ends(self) -> dict[Place, int]:
        """Return where each partition ends now."""
        return {
            (topic, partition): high
            for topic in self.topics
            for partition, (_, high) in watermarks(topic, config=self._config).items()
        }

    def learned(self, rows: int | None, ends: Mapping[Place, int] | None) -> bool:
        """Tell whether so many records are learned, or, if none are named, all before the ends is done with."""
        if rows is not None:
            return self.metrics.rows >= rows
        parts = self.metrics.partitions
        return ends is not None and all(p in parts and parts[p].position >= end for p, end in ends.items())

    def _add(self, topics: list[str]) -> None:
        settings = self._settings
        feed = connect(
            self._projects.learner,
            topics,
            config=self._config,
            format=settings.format,  # type: ignore[arg-type] # checked there
            start=settings.start,
            on_malformed=settings.on_malformed,
            dead_letter_topic=settings.dead_letter_topic,
            batch_rows=settings.batch_rows,
            group_id=settings.group_id,
            tasks=settings.tasks,
        )
        self.all = (*self.all, feed)

    def _matching(self) -> list[str]:
        pattern = self._settings.pattern or ""
        there = list_topics(config=self._config)
        found = [topic for topic in there if re.fullmatch(pattern, topic)]
        if not found:
            names = ", ".join(list(there)[:10]) or "none"
            raise TopicError(f"No topic matches topics.regex {pattern!r}. There are: {names}. Correct the expression.")
        return found
