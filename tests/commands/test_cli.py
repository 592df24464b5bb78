from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import smlnb
from smlnb import native
from smlnb.demo import Demo
from tests.commands.red_line import one_red_line
from tests.ingest.writing import numbers, produce
from tests.waiting import eventually

COMMANDS = ["demo", "replay", "peek", "topics", "lag", "broker", "connect", "score", "lab"]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_does_with_an_example(run, command):
    for option in ("-h", "--help"):
        result = run(command, option)
        assert result.exit_code == 0
        assert re.search(rf"Example:\s+smlnb {command}", result.output)


def test_without_a_command_the_commands_are_listed(run):
    result = run()
    assert all(re.search(rf"\b{command}\b", result.output) for command in COMMANDS)


def test_the_version_is_printed(run):
    compiled = "yes" if native.AVAILABLE else f"no, {native.UNAVAILABLE}"
    assert run("--version").stdout.strip() == f"smlnb {smlnb.__version__} (compiled: {compiled})"


def test_the_demonstration_prints_one_json_object_and_nothing_else_on_stdout(start):
    process = start("demo", "--json", "--rows", 2500, "--rate", 0)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    (line,) = stdout.splitlines()
    summary = json.loads(line)
    assert set(summary) == {
        *("rows", "rows_scored", "partitions", "rate_rows_per_s", "univariate", "score_quantiles"),
        *("roc_auc", "average_precision", "data", "broker"),
    }
    assert (summary["rows"], summary["rows_scored"], summary["partitions"]) == (2500, 2500, 8)
    assert summary["data"] == "shuttle_like"
    assert summary["roc_auc"] > 0.95
    assert "Synthetic data is used" in stderr


def test_the_demonstration_shows_its_result(run, monkeypatch, local_broker):
    monkeypatch.setattr(smlnb.datasets, "shuttle", lambda: smlnb.datasets.shuttle_like(1500))
    result = run("demo", "--rate", 0, "-b", local_broker.bootstrap_servers)
    assert result.exit_code == 0
    for part in ("1,500 produced, 1,500 scored", "q99", "ROC-AUC", "average precision", "strangest"):
        assert part in result.output


def test_the_demonstration_says_that_its_broker_comes_from_the_environment(run, monkeypatch, local_broker):
    monkeypatch.setattr(smlnb.datasets, "shuttle", lambda: smlnb.datasets.shuttle_like(1500))
    assert "SMLNB_KAFKA_BOOTSTRAP_SERVERS" in run("demo", "--help").output
    monkeypatch.setenv("SMLNB_KAFKA_BOOTSTRAP_SERVERS", local_broker.bootstrap_servers)
    result = run("demo", "--rate", 0)
    assert result.exit_code == 0
    said = f"address, {local_broker.bootstrap_servers}, comes from the environment's SMLNB_KAFKA_BOOTSTRAP_SERVERS"
    assert said in " ".join(result.output.split())


def test_fewer_rows_scored_than_produced_is_a_failure(run, monkeypatch):
    monkeypatch.setattr(smlnb.datasets, "shuttle", lambda: smlnb.datasets.shuttle_like(600))
    scores = Demo.run

    def one_less(demo, show):
        outcome = scores(demo, show)
        return type(outcome)(
            **{f: getattr(outcome, f) for f in outcome.__slots__ if f != "rows_scored"},
            rows_scored=outcome.rows_scored - 1,
        )

    monkeypatch.setattr(Demo, "run", one_less)
    result = run("demo", "--json", "--rate", 0)
    assert result.exit_code == 1
    assert json.loads(result.stdout)["rows_scored"] == 599
    assert "Only 599 of 600 rows" in result.stderr


def test_the_loop_runs_command_by_command(run, any_broker, topic_name, tmp_path):
    there = ["-b", any_broker.bootstrap_servers]
    source, sink = f"{topic_name}-in", f"{topic_name}-out"
    smlnb.datasets.shuttle_like(3000).to_csv(tmp_path / "plant.csv", index=False)

    written = run("replay", "plant.csv", "--topic", source, *there)
    assert written.exit_code == 0
    assert f"3,000 rows written to {source}" in written.stdout

    assert re.search(rf"{source} +8 +3,000", run("topics", *there).stdout)
    looked = run("peek", source, "-n", 2, "--json", *there).stdout.splitlines()
    assert [set(json.loads(line)) for line in looked] == [set(smlnb.datasets.COLUMNS)] * 2

    connect = ["connect", "-t", source, "-p", "plant", "--types", smlnb.datasets.TYPES, "-w", "plant.db", *there]
    learned = run(*connect, "--until-caught-up", "--build", "hba1")
    assert learned.exit_code == 0, learned.output
    assert "3,000 records learned, saved as 'plant'" in learned.stdout
    again = run(*connect, "--until-caught-up")
    assert "3,000 records learned" in again.stdout  # no record counts twice

    (tmp_path / "score.properties").write_text(
        f"sml.kstream.project.id=plant\nsml.kstream.model.id=hba1\nsml.kstream.source.topic={source}\n"
        f"sml.kstream.schedule.ms=4000\nbootstrap.servers={any_broker.bootstrap_servers}\n"
    )
    scored = run("score", "score.properties", "-w", "plant.db", "--sink", sink, "--keep", "class", "--until-caught-up")
    assert scored.exit_code == 0, scored.output
    assert f"3,000 scores written to {sink}, 0 records refused" in scored.stdout
    assert "Without effect: sml.kstream.schedule.ms (records are scored as they arrive)." in scored.stderr

    (record,) = map(json.loads, run("peek", sink, "-n", 1, "--json", *there).stdout.splitlines())
    assert record["model"] == "hba1"
    assert record["class"] in (0, 1)
    assert "quantile" in run("peek", sink, "-n", 2, *there).stdout


def test_a_topic_is_looked_at_from_all_sides(run, any_broker, create_topic, topic_name):
    there = ["-b", any_broker.bootstrap_servers]
    create_topic(any_broker, topic_name, 2)
    produce(any_broker, topic_name, numbers(0, 2500), 2, timestamp=1_700_000_000_000, key="[bold]plant")
    produce(any_broker, topic_name, [*numbers(2500, 2502), b"poison"])

    assert re.search(r"1 +0 +1,250 +1,250\n", run("topics", topic_name, *there).stdout)
    lines = map(json.loads, run("topics", topic_name, "--json", *there).stdout.splitlines())
    assert [line["records"] for line in lines] == [1253, 1250]
    every = map(json.loads, run("topics", "--json", *there).stdout.splitlines())
    assert {"topic": topic_name, "partitions": 2, "records": 2503} in list(every)

    recent = run("peek", topic_name, "--from", "-5min", "--details", "--json", *there).stdout.splitlines()
    records = list(map(json.loads, recent))
    assert [r["x"] for r in records] == [2500, 2501, None]
    assert "malformed JSON" in records[-1]["kafka.error"]
    assert [r["kafka.offset"] for r in records] == [1250, 1251, 1252]
    shown = run("peek", topic_name, "--from", "2023-11-14T22:00Z", "-n", 3, "--details", *there).stdout
    assert shown.count("[bold]plant") == 3

    assert re.search(r"x +C +continuous", run("peek", topic_name, "--types", *there).stdout)
    assert json.loads(run("peek", topic_name, "--types", "--json", *there).stdout) == {"name": "x", "type": "C"}
    one_red_line(run("peek", topic_name, "--from", "noon", *there), "smlnb-E200")


def test_options_of_a_format_are_given_by_name(run, local_broker, create_topic, topic_name, tmp_path):
    there = ["-b", local_broker.bootstrap_servers]
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, [b"0.5;a", b"1.5;b"])
    csv = ["--format", "csv", "--format-option", "columns=x;name", "--format-option", "delimiter=;", *there]
    records = map(json.loads, run("peek", topic_name, "--json", *csv).stdout.splitlines())
    assert list(records) == [{"x": 0.5, "name": "a"}, {"x": 1.5, "name": "b"}]
    connect = ["connect", "-t", topic_name, "-p", "plant", "-w", "plant.db", "--until-caught-up"]
    assert "2 records learned" in run(*connect, *csv).stdout
    message = one_red_line(run(*connect, *csv, "--format-option", "sep=;"), "smlnb-E503")
    assert "It has columns, delimiter." in message
    (tmp_path / "sink.json").write_text("{}")
    message = one_red_line(run("connect", "sink.json", "--format-option", "columns=x", *there), "smlnb-E503")
    assert "Leave it out" in message


def test_the_lag_of_a_group_is_shown(run, any_broker, create_topic, topic_name):
    there = ["-b", any_broker.bootstrap_servers]
    create_topic(any_broker, topic_name, 1)
    produce(any_broker, topic_name, numbers(0, 3000))
    message = one_red_line(run("lag", topic_name, *there), "smlnb-E500")
    assert "has committed nothing" in message
    project = smlnb.Project("p", types="C")
    with smlnb.connect(project, topic_name, group_id=topic_name, bootstrap_servers=there[1]) as feed:
        feed.wait(timeout=30)
    eventually(lambda: run("lag", topic_name, *there).exit_code == 0, what="the commit")
    assert re.search(rf"{topic_name} +0 +0 +3,000 +3,000 +0\n", run("lag", topic_name, *there).stdout)
    (line,) = map(json.loads, run("lag", topic_name, "-t", topic_name, "--json", *there).stdout.splitlines())
    assert (line["position"], line["lag"]) == (3000, 0)
    assert "rate" in run("lag", topic_name, "--over", 0.1, *there).stdout


def test_the_broker_prints_its_address_serves_others_and_ends_with_ctrl_c(start):
    process = start("broker", "--topic", "readings", "--partitions", 3)
    address = process.stdout.readline().strip()
    assert re.fullmatch(r"127\.0\.0\.1:\d+", address)
    assert smlnb.list_topics(bootstrap_servers=address) == {"readings": 3}
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in stderr


@pytest.mark.parametrize("command", ["connect", "replay"])
def test_ctrl_c_ends_a_command_that_waits_for_a_broker_which_never_answers(start, tmp_path, command):
    (tmp_path / "x.csv").write_text("x\n1\n")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        there = ["-t", "t", "-b", f"127.0.0.1:{silent.getsockname()[1]}"]
        more = {"connect": ["-p", "p", "-w", "w.db"], "replay": ["x.csv"]}[command]
        process = start(command, *there, *more)
        silent.accept()[0].close()  # it is connecting
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "error" not in stderr


PROPERTIES = "bootstrap.servers=127.0.0.1:1\nsml.kstream.project.id=p\nsml.kstream.model.id=m\n"
TOPICS = "sml.kstream.source.topic=a\nsml.kstream.sink.topic=b\n"


@pytest.mark.parametrize(
    ("properties", "code", "message"),
    [
        (PROPERTIES, "smlnb-E503", "No source topic is named. Set sml.kstream.source.topic"),
        (PROPERTIES + TOPICS, "smlnb-E700", "There is no workspace nowhere.db"),
        (PROPERTIES + TOPICS.replace("a", "b", 2), "smlnb-E503", "unknown"),
        (TOPICS, "smlnb-E503", "There is no broker's address"),
        (PROPERTIES + "sml.kstream.model.b64file=x\n", "smlnb-E503", "is refused"),
    ],
)
def test_what_is_wrong_with_the_properties_is_one_red_line(run, tmp_path, monkeypatch, properties, code, message):
    monkeypatch.delenv("SMLNB_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    (tmp_path / "score.properties").write_text(properties)
    assert message in one_red_line(run("score", "score.properties", "-w", "nowhere.db"), code)
    assert not (tmp_path / "nowhere.db").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["topics", "-b", "127.0.0.1:1"], "smlnb-E501", "127.0.0.1:1"),
        (["peek", "t", "-b", "127.0.0.1:1"], "smlnb-E501", "127.0.0.1:1"),
        (["lag", "g", "-b", "127.0.0.1:1"], "smlnb-E501", "127.0.0.1:1"),
        (["peek", "t", "--types", "--details", "-b", "127.0.0.1:1"], "smlnb-E503", "Leave out --from and --details"),
        (["peek", "t", "--format", "jsn", "-b", "127.0.0.1:1"], "smlnb-E503", "Did you mean 'json'"),
        (["replay", "nothing.csv", "-t", "t", "-b", "127.0.0.1:1"], "smlnb-E800", "nothing.csv"),
        (["demo", "-b", "127.0.0.1:1", "--rows", "9"], "smlnb-E501", "127.0.0.1:1"),
        (["demo", "--rows", "0"], "smlnb-E800", "rows=0"),
        (["demo", "--rate", "-1"], "smlnb-E800", "--rate -1"),
        (["topics", "-c", "nothing.properties"], "smlnb-E503", "nothing.properties"),
        (["connect", "-t", "t", "-p", "p", "--types", "Q", "-w", "w.db", "-b", "x:1"], "smlnb-E100", "'Q'"),
    ],
)
def test_a_mistake_is_one_red_line_with_its_code(run, monkeypatch, arguments, code, message):
    monkeypatch.setattr(smlnb.datasets, "shuttle", lambda: smlnb.datasets.shuttle_like(9))
    assert message in one_red_line(run(*arguments), code)


def test_settings_of_the_cluster_come_from_a_file_or_the_environment(run, local_broker, tmp_path, monkeypatch):
    (tmp_path / "cluster.properties").write_text(f"bootstrap.servers={local_broker.bootstrap_servers}\n")
    assert run("topics", "-c", "cluster.properties").exit_code == 0
    monkeypatch.setenv("SMLNB_KAFKA_BOOTSTRAP_SERVERS", local_broker.bootstrap_servers)
    assert run("topics").exit_code == 0


def test_help_does_not_load_kafka_or_bokeh():
    code = "import sys, smlnb.cli; print(sorted({'bokeh', 'confluent_kafka', 'pandas', 'streamz'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() in ("[]", "['pandas']")


def test_no_thread_of_ours_outlives_a_command(run, local_broker):
    before = {t.name for t in threading.enumerate()}
    run("topics", "-b", local_broker.bootstrap_servers)
    assert {t.name for t in threading.enumerate()} <= before
