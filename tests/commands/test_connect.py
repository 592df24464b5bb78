from __future__ import annotations

import json
import signal

import pytest

import smlnb
from tests.commands.red_line import one_red_line
from tests.connector.article import article
from tests.ingest.writing import avro, delete_before, numbers, produce
from tests.waiting import eventually


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_connect_saves_what_it_learned_when_it_is_interrupted(start, local_broker, topic_name, tmp_path, how):
    there = {"bootstrap_servers": local_broker.bootstrap_servers}
    data = smlnb.datasets.shuttle_like(900)
    smlnb.replay(data, topic_name, **there, block=True, progress=False)
    process = start(
        *("connect", "-t", topic_name, "-p", "plant", "--types", smlnb.datasets.TYPES, "-w", "plant.db"),
        *("-b", local_broker.bootstrap_servers, "--save-every", 0.1),
    )

    def saved() -> bool:
        with smlnb.Workspace(tmp_path / "plant.db") as workspace:
            return workspace.projects()["records"].tolist() == [900]

    eventually(saved, 60, "900 records saved")
    process.send_signal(how)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in stderr) == (0, False)
    assert "900 records learned" in stdout
    with smlnb.Workspace(tmp_path / "plant.db") as workspace:
        assert sum(workspace.load("plant").positions.values()) == 900


def test_a_poison_record_ends_connect_with_its_place_and_the_rest_is_kept(run, local_broker, topic_name, tmp_path):
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": local_broker.bootstrap_servers, "log_level": 0})
    for value in ('{"x": 1}', '{"x": 2}', "poison"):
        producer.produce(topic_name, value, partition=0)
    producer.flush(10)
    there = ["-w", "plant.db", "-b", local_broker.bootstrap_servers, "--until-caught-up"]
    result = run("connect", "-t", topic_name, "-p", "plant", "--types", "C", *there)
    assert result.exit_code == 1
    assert f"{topic_name}[0] offset 2" in result.stderr
    with smlnb.Workspace(tmp_path / "plant.db") as workspace:
        assert workspace.load("plant").n == 2
    result = run("connect", "-t", topic_name, "-p", "plant", *there, "--on-malformed", "skip")
    assert (result.exit_code, "2 records learned" in result.stdout) == (0, True)


def test_a_run_after_which_all_was_refused_and_nothing_learned_fails(run, local_broker, topic_name, tmp_path):
    there = ["-w", "plant.db", "-b", local_broker.bootstrap_servers, "--until-caught-up"]
    connect = ["connect", "-t", topic_name, "-p", "plant", "--on-malformed", "skip", *there]
    (tmp_path / "sink.json").write_text(
        json.dumps({"topics": topic_name, "sml.project": "other", "behavior.on.malformed.documents": "ignore"})
    )

    def ended(*values: bytes | None) -> tuple[int, int]:
        produce(local_broker, topic_name, values)
        return run(*connect).exit_code, run("connect", "sink.json", *there).exit_code

    assert ended(None) == (0, 0)  # a tombstone is no error
    assert ended(b"poison", b"poison") == (1, 1)
    said = f"Nothing was learned: 3 records were refused, the latest {topic_name}[0] offset 2: malformed JSON"
    assert said in run(*connect).stderr
    assert ended(b'{"x": 1}', b"poison") == (0, 0)
    assert ended(b"poison") == (0, 0)  # or nobody could go on after a record at which it had stopped


def test_what_to_do_about_a_record_is_said_in_the_words_of_the_command_line(run, local_broker, topic_name, tmp_path):
    there = ["-w", "plant.db", "-b", local_broker.bootstrap_servers, "--until-caught-up"]
    produce(local_broker, topic_name, [b'{"x": 1}', b'{"x": 2}'])
    assert run("connect", "-t", topic_name, "-p", "plant", "--types", "C", *there).exit_code == 0
    produce(local_broker, topic_name, [b'{"x": "text"}'])
    wrong = run("connect", "-t", topic_name, "-p", "plant", *there)
    assert "offset 2" in wrong.stderr
    assert "--on-malformed skip" in wrong.stderr
    assert "restart(" not in wrong.stderr
    (tmp_path / "sink.json").write_text(json.dumps({"topics": topic_name, "sml.project": "plant"}))
    wrong = run("connect", "sink.json", *there)
    assert "behavior.on.malformed.documents=ignore" in wrong.stderr
    assert "restart(" not in wrong.stderr


def test_a_project_made_with_wrong_types_is_not_kept(run, local_broker, topic_name):
    there = ["-w", "plant.db", "-b", local_broker.bootstrap_servers, "--until-caught-up"]
    smlnb.replay({"x": [1.0], "y": [2.0]}, topic_name, bootstrap_servers=there[3], block=True, progress=False)
    assert "3 type letters for 2 columns" in one_red_line(
        run("connect", "-t", topic_name, "-p", "plant", "--types", "C,C,C", *there), "smlnb-E100"
    )
    assert run("connect", "-t", topic_name, "-p", "plant", "--types", "C,C", *there).exit_code == 0
    assert "has the types C,C, not C,X" in one_red_line(
        run("connect", "-t", topic_name, "-p", "plant", "--types", "C,X", *there), "smlnb-E100"
    )


def test_the_connector_of_the_article_runs_until_ctrl_c_and_goes_on_when_called_again(
    start, local_broker, create_topic, topic_name, registry, tmp_path
):
    create_topic(local_broker, topic_name, 2)
    columns = [*(f"s{i}" for i in range(1, 10)), "class"]
    schema = {"type": "record", "name": "Shuttle", "fields": [{"name": c, "type": "double"} for c in columns]}
    schema_id = registry.register(f"{topic_name}-value", json.dumps(schema))
    records = [avro(schema, {c: float(i) for c in columns}, schema_id) for i in range(200)]
    (tmp_path / "sink.json").write_text(article(registry.url).replace("shuttle-sensor", topic_name))
    command = ("connect", "sink.json", "-b", local_broker.bootstrap_servers, "--save-every", 0.1)
    for total in (200, 400):
        produce(local_broker, topic_name, records, 2)
        process = start(*command)

        def saved(total=total) -> bool:
            with smlnb.Workspace(tmp_path / "sink.db") as workspace:
                return workspace.projects()["records"].tolist() == [total]

        eventually(saved, 60, f"{total} records saved")
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
        assert (process.returncode, "Traceback" in stderr) == (0, False)
        assert f"{total} records learned, saved as 'shuttle' in sink.db" in stdout
        (listed,) = [line for line in stderr.splitlines() if "Without effect: " in line]
        assert "sml.customer.secret.key.1, sml.url.1 (projects are kept in this process" in listed
        assert "secret-of-the-customer" not in stdout + stderr
    with smlnb.Workspace(tmp_path / "sink.db") as workspace:
        assert workspace.load("shuttle").schema.letters == "C,C,C,C,C,C,C,C,C,X"


def test_a_connector_until_caught_up_builds_models_and_tells_what_was_refused(run, local_broker, topic_name, tmp_path):
    produce(local_broker, topic_name, [*numbers(0, 30), b"poison"], 1)
    keys = {"topics": topic_name, "sml.project": "plant", "behavior.on.malformed.documents": "ignore"}
    (tmp_path / "sink.json").write_text(json.dumps(keys))
    there = ["-b", local_broker.bootstrap_servers, "-w", "plant.db", "--until-caught-up", "--build", "hba1"]
    result = run("connect", "sink.json", *there)
    assert (result.exit_code, result.stdout) == (
        0,
        "30 records learned (1 refused), saved as 'plant' in plant.db, with the model 'hba1'\n",
    )
    assert "The latest that was refused: " in result.stderr
    with smlnb.Workspace(tmp_path / "plant.db") as workspace:
        assert workspace.models()["name"].tolist() == ["hba1"]
    (tmp_path / "sink.json").write_text(json.dumps({**keys, "behavior.on.malformed.documents": "fail"}))
    failed = run("connect", "sink.json", *there[:2], "--until-caught-up")
    assert failed.exit_code == 1
    assert "offset 30" in failed.stderr


def test_ctrl_c_ends_a_connector_that_tries_again(start, tmp_path):
    keys = {"topics": "t", "sml.project": "p", "sml.backoff.max.retries": 99, "sml.reconnect.backoff.ms": 1}
    (tmp_path / "sink.json").write_text(json.dumps(keys))
    process = start("connect", "sink.json", "-b", "127.0.0.1:1")
    for number in (1, 2):  # the first is said while it starts
        told = process.stderr.readline()
        assert "No broker answered at 127.0.0.1:1" in told
        assert f"{number} of 99" in told
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in stderr) == (0, False)
    assert stdout == "0 records learned, nothing to save\n"


@pytest.mark.parametrize(
    ("keys", "more", "code", "message"),
    [
        ({"sml.projekt": "p"}, [], "smlnb-E503", "Did you mean sml.project?"),
        ({"foo": "p"}, [], "smlnb-E503", "The key foo is unknown"),
        ({"transforms": "a"}, [], "smlnb-E503", "The key transforms is refused"),
        ({}, ["--topic", "t"], "smlnb-E503", "--topic is given beside sink.json. Set topics in that file"),
        ({}, ["--on-malformed", "skip"], "smlnb-E503", "Set behavior.on.malformed.documents"),
        ({}, ["--on-gap", "count"], "smlnb-E503", "always stops where records were lost"),
        ({"sml.project.must.preexist": True}, [], "smlnb-E700", "there is no project 'p'"),
        ({"sml.backoff.max.retries": 0}, [], "smlnb-E501", "127.0.0.1:1"),
    ],
)
def test_what_is_wrong_with_a_connector_is_one_red_line(run, tmp_path, keys, more, code, message):
    (tmp_path / "sink.json").write_text(json.dumps({"topics": "t", "sml.project": "p", **keys}))
    assert message in one_red_line(run("connect", "sink.json", "-b", "127.0.0.1:1", *more), code)


def test_connect_wants_a_topic_a_project_and_a_workspace_or_a_file(run):
    assert "or the file of a sink connector" in one_red_line(run("connect", "-t", "t"), "smlnb-E503")
    assert "nowhere.json" in one_red_line(run("connect", "nowhere.json", "-b", "x:1"), "smlnb-E503")


@pytest.mark.kafka
def test_records_that_are_lost_stop_connect_unless_they_are_to_be_counted(run, kafka, create_topic, topic_name):
    create_topic(kafka, topic_name, 1)
    where = ["-t", topic_name, "-p", "plant", "-w", "plant.db", "-b", kafka.bootstrap_servers, "--until-caught-up"]
    produce(kafka, topic_name, numbers(0, 10))
    assert run("connect", *where).exit_code == 0
    produce(kafka, topic_name, numbers(10, 30))
    delete_before(kafka, topic_name, 15)
    stopped = run("connect", *where)
    line = one_red_line(stopped, "smlnb-E507")
    assert "5 records are lost" in line
    assert "--on-gap count" in line
    assert run("connect", *where, "--on-gap", "count").exit_code == 0
    with smlnb.Workspace("plant.db") as workspace:
        project = workspace.load("plant")
    assert (project.n, project.counts.lost) == (25, 5)
