"""The model form builds what it says, and says what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from smlnb.errors import ModelError, NotEnoughDataError
from smlnb.project import Project
from smlnb.view.model_form import model_form

RNG = np.random.default_rng(0)


@pytest.fixture
def project() -> Project:
    made = Project("plant", types={"id": "X"})
    made.learn({"x": RNG.normal(size=300), "y": RNG.normal(size=300), "id": [str(i) for i in range(300)]})
    return made


def test_every_usable_attribute_is_chosen_at_first(project: Project) -> None:
    form = model_form(project)
    assert form.inputs.options == ("x", "y")
    assert form.inputs.value == ("x", "y")
    assert form.name.value == "hba1"


def test_a_click_builds_the_model_and_shows_it(project: Project) -> None:
    form = model_form(project)
    form.inputs.value = ("y",)
    form.build_button.click()
    assert form.error is None
    assert form.model is project.models["hba1"]
    assert list(form.model.feature_names_in_) == ["y"]
    assert "hba1" in form._summary.value
    assert form.name.value == "hba2"


def test_the_result_is_what_a_click_has_built(project: Project) -> None:
    form = model_form(project)
    form.build_button.click()
    assert form.result() is form.model
    assert list(project.models) == ["hba1"]


def test_without_a_click_the_result_is_built_when_asked_for(project: Project) -> None:
    form = model_form(project, name="mine", live=True, inputs=["x"])
    model = form.result()
    assert (model.name, model.live, list(model.feature_names_in_)) == ("mine", True, ["x"])
    assert form.result() is model


def test_before_any_data_a_click_says_what_to_do() -> None:
    form = model_form(Project("empty"))
    form.build_button.click()
    assert isinstance(form.error, NotEnoughDataError)
    assert "smlnb-error" in form.status.value
    assert form.model is None


def test_before_any_data_the_call_raises_the_same() -> None:
    with pytest.raises(NotEnoughDataError):
        model_form(Project("empty")).result()


def test_inputs_appear_with_the_data() -> None:
    project = Project("later")
    form = model_form(project)
    project.learn({"x": [1.0, 2.0], "y": [1.0, 3.0]})
    form.refresh()
    assert form.inputs.value == ("x", "y")


def test_a_choice_of_the_person_stays_when_data_comes_in(project: Project) -> None:
    form = model_form(project)
    form.inputs.value = ("x",)
    project.learn({"x": [1.0], "y": [1.0], "id": ["a"], "z": [2.0]})
    form.refresh()
    assert form.inputs.value == ("x", "z")


def test_a_name_that_is_taken_is_refused_with_a_free_one(project: Project) -> None:
    project.build("hba", name="hba1")
    form = model_form(project, name="hba1")
    form.build_button.click()
    assert "&#x27;hba2&#x27;" in form.status.value


@pytest.mark.parametrize(
    ("field", "value", "message"), [("name", " ", "no name"), ("inputs", (), "No input is chosen")]
)
def test_what_is_left_out_is_said(project: Project, field: str, value, message: str) -> None:
    form = model_form(project)
    getattr(form, field).value = value
    form.build_button.click()
    assert message in form.status.value
    assert isinstance(form.error, ModelError)


def test_an_unknown_algorithm_is_refused_at_once(project: Project) -> None:
    with pytest.raises(ModelError, match="hbo"):
        model_form(project, algorithm="hbo")


def test_the_caller_is_told(project: Project) -> None:
    told: list[object] = []
    form = model_form(project, on_build=told.append)
    assert told == [form.build()] == [form.model]


@pytest.mark.parametrize("control", ["algorithm", "inputs", "name", "live", "build_button"])
def test_every_control_has_a_description_and_a_tooltip(project: Project, control: str) -> None:
    widget = getattr(model_form(project), control)
    assert widget.description
    assert widget.tooltip
