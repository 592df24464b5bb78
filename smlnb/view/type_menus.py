"""The types of a topic's columns, as letters in one line and as a menu per column; both always say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import ipywidgets as w
import pyarrow as pa

from smlnb.schema import Attribute, Kind, Schema, parse_kinds
from smlnb.view.panel import Panel

__all__ = ["LABELS", "TypeMenus", "Types", "guess"]

ENOUGH: Final = 50  # records that show whether a number is binary
LABELS: Final = "64px"  # the width of what stands before a field
_MENU: Final = [(f"{kind} \u2013 {kind.name.lower()}", str(kind)) for kind in Kind]

Types = str | Sequence[str] | Mapping[str, str] | None


class TypeMenus:
    """The two controls; ``panel`` shows what goes wrong in them.

    Attributes
    ----------
    letters : ipywidgets.Text
    menus : ipywidgets.GridBox
        One dropdown per column, whose description is the column's name.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._settling = False
        self.letters = w.Text(
            description="Types",
            tooltip="One letter per column, in column order: C,C,X. The menus below say the same",
            continuous_update=False,
            style={"description_width": LABELS},
            layout=w.Layout(width="min(100%, 420px)"),
        )
        self._names: Sequence[str] = ()
        self.menus = w.GridBox(layout=w.Layout(width="100%"))
        panel.observe(self.letters, self._letters_changed)

    def show(self, schema: Schema, sample: pa.RecordBatch) -> None:
        """Show a menu per column, with the letters of ``schema``."""
        self._set_letters(schema.letters)
        self._names = schema.names
        grid = f"repeat(auto-fill, minmax(calc({_width(self._names)} + 156px), 1fr))"
        self.menus.layout.grid_template_columns = grid
        self.menus.children = tuple(self._menu(a, sample) for a in schema)

    def clear(self) -> None:
        """Show no columns."""
        self._set_letters("")
        self.menus.children = ()

    def _menu(self, attribute: Attribute, sample: pa.RecordBatch) -> w.Dropdown:
        examples = ", ".join(str(v) for v in sample.column(attribute.name).slice(0, 5).to_pylist())
        menu = w.Dropdown(
            options=_MENU,
            value=str(attribute.kind),
            description=attribute.name,
            style={"description_width": _width(self._names)},
            tooltip=f"Type of the column {attribute.name}. Some of its values: {examples[:120]}",
            layout=w.Layout(width="auto"),
        )
        self._panel.observe(menu, self._menu_changed)
        return menu

    def _menu_changed(self) -> None:
        if not self._settling:
            self._set_letters(",".join(str(menu.value) for menu in self.menus.children))
            self._panel.say("")

    def _letters_changed(self) -> None:
        if self._settling or not self.menus.children:
            return
        kinds = parse_kinds(self.letters.value)
        if len(kinds) != len(self.menus.children):
            Schema.of([menu.description for menu in self.menus.children], self.letters.value)  # says what is wrong
        self._settling = True
        try:
            for menu, kind in zip(self.menus.children, kinds, strict=True):
                menu.value = str(kind)
        finally:
            self._settling = False
        self._panel.say("")

    def _set_letters(self, letters: str) -> None:
        self._settling = True
        try:
            self.letters.value = letters
        finally:
            self._settling = False


def _width(names: Sequence[str]) -> str:
    """Return a width in which names can be read; very long ones are cut, and whole in the tooltip.

    Examples
    --------
    >>> _width(["s1", "class"]), _width(["temperature_outside"]), _width(["x" * 100])
    ('64px', '143px', '180px')
    """
    return f"{min(max(64, 10 + 7 * max(map(len, names), default=0)), 180)}px"


def guess(sample: pa.RecordBatch, given: Types) -> Schema:
    """Return the columns of ``sample`` with the types that were given, and guessed ones for the others.

    Raises
    ------
    SchemaError
        If what was given does not fit the columns.

    Examples
    --------
    >>> few = pa.record_batch({"x": [0, 1], "on": [True, False], "class": [0, 0]})
    >>> guess(few, {"class": "X"}).letters  # too few to say that x is binary
    'C,B,X'
    """
    if given is not None and not isinstance(given, Mapping):
        return Schema.of(sample.schema.names, given)
    schema = Schema.guess(sample, given)
    if sample.num_rows >= ENOUGH:
        return schema
    return Schema(tuple(_cautious(a, sample, given or {}) for a in schema))


def _cautious(attribute: Attribute, sample: pa.RecordBatch, known: Mapping[str, str]) -> Attribute:
    guessed = attribute.kind is Kind.BINARY and attribute.name not in known
    if guessed and not pa.types.is_boolean(sample.schema.field(attribute.name).type):
        return Attribute(attribute.name, Kind.CONTINUOUS)
    return attribute
