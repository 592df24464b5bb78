"""A form that builds models of a project: algorithm, inputs, name, build."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import ipywidgets as w

from smlnb.algorithms import ALGORITHMS
from smlnb.algorithms import algorithm as find_algorithm
from smlnb.errors import ModelError
from smlnb.schema import Kind
from smlnb.view.panel import Panel, button, row
from smlnb.view.tables import facts, table, whole

__all__ = ["ModelForm", "model_form"]

_USABLE: Final = (Kind.CONTINUOUS, Kind.BINARY, Kind.CATEGORY)


class ModelForm(Panel):
    """The form; see :func:`model_form`.

    Attributes
    ----------
    model
        The model built last, or None.
    """

    def __init__(
        self,
        project: Any,
        *,
        algorithm: str,
        inputs: Sequence[str] | None,
        name: str | None,
        live: bool,
        on_build: Callable[[Any], Any] | None,
    ) -> None:
        super().__init__(f"of {project.name}")
        self.project = project
        self.model: Any = None
        self._on_build = on_build
        self._wanted = inputs
        self._facts = w.HTML()
        self._summary = w.HTML()
        wide = {"description_width": "80px"}
        self.algorithm = w.Dropdown(
            options=[(f"{kind} \u2013 {_words(made.__name__)}", kind) for kind, made in sorted(ALGORITHMS.items())],
            value=algorithm,
            description="Algorithm",
            tooltip="What kind of model",
            style=wide,
            layout=w.Layout(width="auto"),
        )
        self.inputs = w.SelectMultiple(
            description="Inputs",
            tooltip="The attributes that the model looks at; hold Ctrl or Shift to choose several",
            style=wide,
            rows=9,
            layout=w.Layout(width="min(100%, 360px)"),
        )
        self.name = w.Text(
            value=name or self._free_name(algorithm),
            description="Name",
            tooltip="How the model is called",
            continuous_update=False,
            style=wide,
            layout=w.Layout(width="auto"),
        )
        self.live = w.Checkbox(
            value=live,
            description="follow the project: score with its newest statistics",
            indent=False,
            tooltip="Otherwise the model is a snapshot of the statistics at the time of building",
            layout=w.Layout(width="auto"),
        )
        self.build_button = button(
            "Build model", "Build it now, from the statistics alone: takes milliseconds", "primary"
        )
        self.on(self.build_button, self._build)
        self.fill(
            [
                self._facts,
                row(
                    w.VBox([self.algorithm, self.name, self.live], layout=w.Layout(width="min(100%, 364px)")),
                    self.inputs,
                    grid_gap="4px 18px",
                    align_items="flex-start",
                ),
                row(self.build_button),
                self._summary,
            ],
        )

    def build(self) -> Any:
        """Build the model as the form stands, and return it.

        Raises
        ------
        SmlnbError
            If there is nothing learned yet, no input is chosen, or the name is taken.
        """
        name = self.name.value.strip()
        if not name:
            raise ModelError("The model has no name. Write one into the field Name.")
        if name in self.project.models:
            raise ModelError(
                f"There is a model {name!r} already. Choose another name, for instance {self._free_name(name)!r}."
            )
        self._offer()
        inputs = list(self.inputs.value)
        if not inputs and self.inputs.options:
            raise ModelError("No input is chosen. Choose at least one attribute in the list Inputs.")
        self.model = self.project.build(self.algorithm.value, inputs=inputs or None, name=name, live=self.live.value)
        self.name.value = self._free_name(name)
        self.say(f"The model {name!r} is built; the form is ready for another one.", "good")
        self.draw()
        if self._on_build is not None:
            self._on_build(self.model)
        return self.model

    def result(self) -> Any:
        """Return the model that a click has built; without a click build it now."""
        return self.model if self.model is not None else self.build()

    def draw(self) -> None:
        """Offer the project's attributes, and sum up the model."""
        self._offer()
        self._facts.value = facts(
            "New model", f"of project {self.project.name}", (whole(self.project.n), "rows learned")
        )
        if self.model is not None:
            self._summary.value = _summary(self.model)

    def _offer(self) -> None:
        names = tuple(a.name for a in self.project.schema if a.kind in _USABLE)
        if tuple(self.inputs.options) == names:
            return
        before, chosen = set(self.inputs.options), set(self.inputs.value)
        wanted = set(names) if self._wanted is None else set(self._wanted)
        self.inputs.options = names
        self.inputs.value = tuple(n for n in names if n in chosen or (n not in before and n in wanted))

    def _free_name(self, wanted: str) -> str:
        stem = wanted.rstrip("0123456789") or wanted
        at = 1
        while f"{stem}{at}" in self.project.models:
            at += 1
        return f"{stem}{at}"

    def _build(self) -> None:
        self.build()


def _words(name: str) -> str:
    """Return the name of a class as words.

    Examples
    --------
    >>> _words("HistogramAnomaly")
    'histogram anomaly'
    """
    return " ".join(re.findall("[A-Z][a-z]+", name)).lower()


def _summary(model: Any) -> str:
    rows = [
        ["kind", str(model.kind)],
        ["version", str(model.version)],
        ["built from", f"{whole(model.n)} rows"],
        ["built at", f"{model.built_at:%Y-%m-%d %H:%M:%S}" if hasattr(model.built_at, "year") else str(model.built_at)],
        ["inputs", ", ".join(str(n) for n in model.feature_names_in_)],
    ]
    return table([f"model {model.name}", ""], rows, text=[1])


def model_form(
    project: Any,
    *,
    algorithm: str = "hba",
    inputs: Sequence[str] | None = None,
    name: str | None = None,
    live: bool = False,
    on_build: Callable[[Any], Any] | None = None,
) -> ModelForm:
    """Show a form that builds models of a project.

    The button does what :meth:`ModelForm.build` does; :meth:`ModelForm.result` returns the model that a click has
    built, and builds it if nobody has clicked. What goes wrong shows in red below the button.

    Parameters
    ----------
    project : Project
    algorithm : str
        What the menu Algorithm begins with.
    inputs : sequence of str, optional
        What is chosen at first; by default every continuous, binary and category attribute.
    name : str, optional
        What the field Name begins with; by default the algorithm's name with a number.
    live : bool
        Whether the box "follow the project" is ticked at first.
    on_build : callable, optional
        Called with each model built.

    Returns
    -------
    ModelForm
        To be displayed. Its ``model`` is None until built.

    Raises
    ------
    ModelError
        If there is no such algorithm.
    """
    find_algorithm(algorithm)  # an unknown one is said now
    return ModelForm(project, algorithm=algorithm, inputs=inputs, name=name, live=live, on_build=on_build)
