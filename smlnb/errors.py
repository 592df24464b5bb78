"""The exceptions of smlnb.

Each message says what was wanted, what there was, where (topic, partition, offset, attribute) and what to do; each
class has a stable ``code`` that a log can be searched for. The tree::

    SmlnbError
    ├── SchemaError                 letters, attributes and data that do not fit together
    │   ├── UnknownAttributeError   a name that the project does not have
    │   └── BadRecordsError         records whose values are not of their attributes' kinds
    ├── StatisticsError             statistics that can't give what was asked
    │   ├── MergeError              two accumulators of different configuration
    │   ├── StateError              a stored state that is damaged or foreign
    │   ├── NotEnoughDataError      nothing learned yet
    │   └── ForgetError             rows that can't be taken out of the statistics
    ├── PositionError               offsets and state do not fit together
    │   ├── DuplicateBatchError     a batch that was already absorbed
    │   ├── GapError                a batch that starts beyond the position
    │   └── LostRecordsError        records that were deleted before they were read (a KafkaError, too)
    ├── ModelError                  a model that can't be built or used as asked
    ├── KafkaError                  the cluster, a topic or the configuration
    │   ├── BrokerUnavailableError  no broker answers at the address
    │   ├── TopicError              a topic that is missing or empty
    │   ├── ConfigError             keys that are wrong or contradict each other
    │   ├── DecodeError             a record that can't be read
    │   ├── BrokerLimitError        something that the embedded broker can't do
    │   └── UnknownSchemaError      an id that the schema registry does not have
    ├── StateMachineError           a call that makes no sense now (already running, already stopped)
    ├── WorkspaceError              the workspace file
    └── DataError                   a data set that can't be had

What is no error, and still worth knowing, is a ``SmlnbWarning``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, ClassVar, Self

__all__ = [
    "BadRecordsError",
    "BrokerLimitError",
    "BrokerUnavailableError",
    "ConfigError",
    "DataError",
    "DecodeError",
    "DuplicateBatchError",
    "ForgetError",
    "GapError",
    "KafkaError",
    "LostRecordsError",
    "MergeError",
    "ModelError",
    "NotEnoughDataError",
    "PositionError",
    "SchemaError",
    "SmlnbError",
    "SmlnbWarning",
    "StateError",
    "StateMachineError",
    "StatisticsError",
    "TopicError",
    "UnknownAttributeError",
    "UnknownSchemaError",
    "WorkspaceError",
]


class SmlnbError(Exception):
    """Everything that smlnb raises on purpose.

    Attributes
    ----------
    advice : str
        What to do, the end of the message, where that depends on who runs what has failed: in Python it is a call, at
        the command line an option, for a connector a key.

    Examples
    --------
    >>> error = SmlnbError("It has stopped.").advising("Call restart().")
    >>> str(error), str(error.advising("Give --restart."))
    ('It has stopped. Call restart().', 'It has stopped. Give --restart.')
    """

    code: ClassVar[str] = "smlnb-E000"
    advice: str = ""

    def advising(self, advice: str) -> Self:
        """Say what to do in these words, and no longer in those of before; return the error."""
        self.advice = advice
        return self

    def __str__(self) -> str:
        return f"{super().__str__()} {self.advice}".rstrip()


class SchemaError(SmlnbError, ValueError):
    """Letters, attributes and data that do not fit together."""

    code = "smlnb-E100"


class UnknownAttributeError(SchemaError, KeyError):
    """A name that is not among the attributes; the message suggests the nearest."""

    code = "smlnb-E101"

    @classmethod
    def of(cls, name: str, known: Iterable[str]) -> Self:
        """Make the error for ``name``, which is not one of ``known``."""
        names = list(known)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        return cls(f"There is no attribute {name!r}.{hint} The attributes are: {shown or 'none yet'}.")

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0])


class BadRecordsError(SchemaError):
    """Records that hold, say, text in a continuous attribute; nothing was learned.

    Attributes
    ----------
    refused : tuple of Refusal
        Each of them, with the reason.
    """

    code = "smlnb-E102"

    def __init__(self, message: str, refused: Iterable[Any] = ()) -> None:
        super().__init__(message)
        self.refused = tuple(refused)


class StatisticsError(SmlnbError):
    """Statistics that can't give what was asked of them."""

    code = "smlnb-E200"


class MergeError(StatisticsError, ValueError):
    """Two accumulators of different configuration; the message names the difference."""

    code = "smlnb-E201"


class StateError(StatisticsError, ValueError):
    """A stored state that is damaged, foreign or of a future version."""

    code = "smlnb-E202"


class NotEnoughDataError(StatisticsError, ValueError):
    """Too few observations for what was asked."""

    code = "smlnb-E203"


class ForgetError(StatisticsError, ValueError):
    """Rows that can't be taken out: never learned, or what would be left has too few good digits."""

    code = "smlnb-E204"


class PositionError(SmlnbError):
    """Offsets and state do not fit together."""

    code = "smlnb-E300"


class DuplicateBatchError(PositionError, ValueError):
    """A batch that was already absorbed, wholly or in part."""

    code = "smlnb-E301"


class GapError(PositionError, ValueError):
    """A batch that starts beyond the project's position."""

    code = "smlnb-E302"


class ModelError(SmlnbError, ValueError):
    """A model that can't be built or used as asked."""

    code = "smlnb-E400"


class KafkaError(SmlnbError):
    """The cluster, a topic or the client's configuration."""

    code = "smlnb-E500"


class BrokerUnavailableError(KafkaError, ConnectionError):
    """No broker answers at the address."""

    code = "smlnb-E501"


class TopicError(KafkaError, ValueError):
    """A topic that is missing, empty or of another shape than was asked for."""

    code = "smlnb-E502"


class ConfigError(KafkaError, ValueError):
    """Configuration keys that are wrong, unknown or contradict each other."""

    code = "smlnb-E503"


class DecodeError(KafkaError, ValueError):
    """A record that can't be read; the message names topic, partition and offset."""

    code = "smlnb-E504"


class BrokerLimitError(KafkaError):
    """Something that the embedded broker can't do; the message names it and the way out."""

    code = "smlnb-E505"


class UnknownSchemaError(KafkaError, LookupError):
    """The schema registry has no schema of this id."""

    code = "smlnb-E506"


class LostRecordsError(KafkaError, PositionError):
    """The broker's retention has deleted records before they were read."""

    code = "smlnb-E507"


class StateMachineError(SmlnbError, RuntimeError):
    """A call that makes no sense in the present state."""

    code = "smlnb-E600"


class WorkspaceError(SmlnbError):
    """The workspace file or something in it."""

    code = "smlnb-E700"


class DataError(SmlnbError):
    """A data set that can't be had or is not what it should be."""

    code = "smlnb-E800"


class SmlnbWarning(UserWarning):
    """Something went otherwise than was asked for, and on: an earlier checkpoint was loaded, say."""
