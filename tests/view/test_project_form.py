"""The project form knows the topic, and says what is wrong before anything is created."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from smlnb.cluster.broker import LocalBroker
from smlnb.errors import BrokerUnavailableError, SchemaError, TopicError
from smlnb.view.project_form import ProjectForm, project_form
from smlnb.view.publish import publisher
from tests.view.kafka import produce, readings
from tests.waiting import eventually


@pytest.fixture
def topic(local_broker: LocalBroker, topic_name: str) -> str:
    produce(local_broker.bootstrap_servers, topic_name, readings(100))
    return topic_name


@pytest.fixture
def form(local_broker: LocalBroker, topic: str) -> ProjectForm:
    return project_form(topic, bootstrap_servers=local_broker.bootstrap_servers, connect=False)


def letters_of(form: ProjectForm) -> list[str]:
    return [menu.value for menu in form.types.menus.children]


def test_columns_and_guessed_letters_come_from_a_look_at_the_topic(form: ProjectForm) -> None:
    assert [menu.description for menu in form.types.menus.children] == ["s1", "s2", "valve", "site", "class"]
    assert letters_of(form) == ["C", "C", "B", "T", "B"]
    assert form.types.letters.value == "C,C,B,T,B"
    assert "5 columns found" in form.status.value


def test_letters_can_be_given(local_broker: LocalBroker, topic: str) -> None:
    servers = local_broker.bootstrap_servers
    by_name = project_form(topic, bootstrap_servers=servers, types={"class": "X"}, connect=False)
    assert letters_of(by_name) == ["C", "C", "B", "T", "X"]
    by_place = project_form(topic, bootstrap_servers=servers, types="C,C,X,X,X", connect=False)
    assert letters_of(by_place) == ["C", "C", "X", "X", "X"]


def test_menus_and_letters_say_the_same(form: ProjectForm) -> None:
    form.types.menus.children[4].value = "X"
    assert form.types.letters.value == "C,C,B,T,X"
    form.types.letters.value = "c, x, b, t, x"
    assert letters_of(form) == ["C", "X", "B", "T", "X"]


def test_a_click_creates_what_the_form_says(form: ProjectForm) -> None:
    form.types.menus.children[4].value = "X"
    form.histogram.value = False
    form.create_button.click()
    assert form.error is None
    assert form.project.schema.letters == "C,C,B,T,X"
    assert form.project.options.histogram is False
    assert form.result() is form.project


def test_without_a_click_the_result_is_created_when_asked_for(form: ProjectForm, topic: str) -> None:
    project = form.result()
    assert project.name == topic
    assert form.result() is project


def test_connected_it_learns_the_topic(local_broker: LocalBroker, topic: str) -> None:
    form = project_form(topic, bootstrap_servers=local_broker.bootstrap_servers)
    project = form.create()
    try:
        eventually(lambda: project.n == 100, what="all records are learned")
        form.refresh()
        assert "100 rows learned, running" in form._progress.value
    finally:
        form.stop()
    assert "stopped" in form._progress.value


def test_a_name_that_is_taken_is_refused_in_red(form: ProjectForm, local_broker: LocalBroker, topic: str) -> None:
    project = form.create()
    assert form.name.value == f"{project.name}-2"
    form.name.value = project.name
    form.create_button.click()
    assert "There is a project" in form.status.value
    assert "smlnb-error" in form.status.value
    with pytest.raises(SchemaError, match="already"):
        form.create()
    again = project_form(topic, bootstrap_servers=local_broker.bootstrap_servers, connect=False)
    assert again.name.value == f"{project.name}-2"


@pytest.mark.parametrize(
    ("letters", "message"),
    [("C,C,B,T,Q", "is &#x27;Q&#x27;, which is no type letter"), ("C,C,B,T,X,X,X", "7 type letters for 5 columns")],
)
def test_wrong_letters_are_refused_in_red(form: ProjectForm, letters: str, message: str) -> None:
    form.types.letters.value = letters
    assert message in form.status.value
    assert "smlnb-error" in form.status.value
    form.create_button.click()
    assert message in form.status.value
    assert form.project is None
    assert not form.create_button.disabled


def test_given_letters_that_do_not_fit_are_refused_and_the_guessed_ones_shown(
    local_broker: LocalBroker, topic: str
) -> None:
    form = project_form(topic, bootstrap_servers=local_broker.bootstrap_servers, types="C,C", connect=False)
    assert "2 type letters for 5 columns" in form.status.value
    assert letters_of(form) == ["C", "C", "B", "T", "B"]


def test_a_missing_topic_is_named_in_red_and_found_as_soon_as_it_is_there(
    local_broker: LocalBroker, topic_name: str
) -> None:
    form = project_form(topic_name, bootstrap_servers=local_broker.bootstrap_servers, connect=False)
    assert topic_name in form.status.value
    assert "smlnb-error" in form.status.value
    with pytest.raises(TopicError):
        form.create()
    produce(local_broker.bootstrap_servers, topic_name, readings(10))

    def found() -> bool:
        form.refresh()
        return len(form.types.menus.children) == 5

    eventually(found, what="the form finds the topic")
    assert "smlnb-error" not in form.status.value
    assert form.create().schema.names == ("s1", "s2", "valve", "site", "class")


def test_an_empty_topic_is_said_to_be_empty(local_broker: LocalBroker, topic_name: str) -> None:
    local_broker.create_topic(topic_name)
    form = project_form(topic_name, bootstrap_servers=local_broker.bootstrap_servers, connect=False)
    assert "empty" in form.status.value
    with pytest.raises(TopicError, match="empty"):
        form.create()


def test_no_topic_is_said_to_be_missing(local_broker: LocalBroker) -> None:
    form = project_form(bootstrap_servers=local_broker.bootstrap_servers, connect=False)
    form.create_button.click()
    assert "No topic is named" in form.status.value


def test_an_unreachable_broker_is_named_in_red() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        form = project_form("readings", bootstrap_servers=address, connect=False)
        assert address in form.status.value
        assert isinstance(form.error, BrokerUnavailableError)


def test_another_topic_brings_other_columns(form: ProjectForm, local_broker: LocalBroker, topic_name: str) -> None:
    other = f"{topic_name}-other"
    produce(local_broker.bootstrap_servers, other, [{"a": 1.5, "<b>": "x"}])
    form.topic.value = other
    assert [menu.description for menu in form.types.menus.children] == ["a", "<b>"]


def test_the_caller_is_told(local_broker: LocalBroker, topic: str) -> None:
    told: list[object] = []
    form = project_form(topic, bootstrap_servers=local_broker.bootstrap_servers, connect=False, on_create=told.append)
    assert told == [form.create()] == [form.project]


def test_after_a_click_the_caller_is_told_in_the_main_thread(
    local_broker: LocalBroker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[threading.Thread] = []

    async def main() -> None:
        form = project_form(
            topic,
            bootstrap_servers=local_broker.bootstrap_servers,
            connect=False,
            on_create=lambda _: told.append(threading.current_thread()),
        )
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(publisher, "_find_loop", lambda: loop)
        form.create_button.click()
        async with asyncio.timeout(10):
            while not told:  # noqa: ASYNC110 - a callback has no event
                await asyncio.sleep(0.001)
        assert form.error is None

    asyncio.run(main())
    assert told == [threading.main_thread()]


@pytest.mark.parametrize("control", ["topic", "look_button", "name", "histogram", "create_button"])
def test_every_control_has_a_description_and_a_tooltip(form: ProjectForm, control: str) -> None:
    for widget in (getattr(form, control), form.types.letters, *form.types.menus.children):
        assert widget.description
        assert widget.tooltip


def test_a_late_look_at_an_empty_topic_does_not_spoil_what_was_created(form: ProjectForm) -> None:
    form.create()

    def empty() -> None:
        message = "The topic is empty."
        raise TopicError(message)

    form._looked(empty)
    assert form.error is None
    assert len(form.types.menus.children) == 5


@pytest.mark.parametrize("history", [True, False])
def test_the_past_is_kept_if_the_box_says_so(local_broker: LocalBroker, topic: str, *, history: bool) -> None:
    servers = local_broker.bootstrap_servers
    form = project_form(topic, bootstrap_servers=servers, connect=False, name=f"{topic}-{history}", history=history)
    assert form.history.value is history
    assert bool(form.create().options.history) is history
