from __future__ import annotations

import pytest

from smlnb.errors import ConfigError
from smlnb.score.properties import read_application

ARTICLE = """\
# as shown in the article, with the two topics it leaves out
sml.kstream.app.id=smlks-app-v1
sml.kstream.client.id=smlks-client-v1
sml.kstream.project.id=shuttle
sml.kstream.model.id=hba1
sml.kstream.rest=true
sml.kstream.rest.user=c1
sml.kstream.rest.secret=TellNobody
sml.kstream.rest.host=http://charm:8080
sml.kstream.record.poll.max=500
sml.kstream.schedule.ms=4000
sml.kstream.source.topic=shuttle-sensor
sml.kstream.sink.topic=shuttle-scores
bootstrap.servers=charm:9092
schema.registry.url=http://charm:8081
enable.auto.commit=true
commit.interval.ms=5000
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str):
        path = tmp_path / "score.properties"
        path.write_text(text)
        return path

    return write


def test_the_properties_of_the_article_are_read(write):
    application = read_application(write(ARTICLE))
    assert (application.source, application.sink) == ("shuttle-sensor", "shuttle-scores")
    assert (application.project, application.model, application.name) == ("shuttle", "hba1", "smlks-app-v1")
    assert application.batch_rows == 500
    assert application.kafka.settings == {
        "bootstrap.servers": "charm:9092",
        "schema.registry.url": "http://charm:8081",
        "client.id": "smlks-client-v1",
    }


def test_each_key_without_effect_is_named_with_the_reason_and_no_secret(write):
    (note,) = read_application(write(ARTICLE)).notes
    named = {"rest", "rest.user", "rest.secret", "rest.host", "schedule.ms"}
    client = {"enable.auto.commit", "commit.interval.ms"}
    assert set(note.replace(",", "").split()) >= {*(f"sml.kstream.{n}" for n in named), *client}
    assert note.count("not from a server") == 1
    assert "TellNobody" not in repr(read_application(write(ARTICLE)))


def test_a_misspelt_key_is_refused_with_the_nearest(write):
    with pytest.raises(ConfigError, match=r"sml\.kstream\.modelid is unknown\. Did you mean sml\.kstream\.model\.id\?"):
        read_application(write("bootstrap.servers=b:1\nsml.kstream.modelid=hba1"))


def test_the_exported_model_of_the_ancestor_is_refused_by_name(write):
    with pytest.raises(ConfigError, match=r"sml\.kstream\.model\.b64file is refused"):
        read_application(write("bootstrap.servers=b:1\nsml.kstream.model.b64file=m.b64"))


def test_any_key_of_the_client_passes_through(write):
    text = "bootstrap.servers=b:1\nsecurity.protocol=SASL_SSL\nsasl.password=hush\nfetch.min.bytes=7"
    application = read_application(write(text))
    assert application.kafka.client()["sasl.password"] == "hush"
    assert application.kafka.client()["fetch.min.bytes"] == "7"
    assert "hush" not in repr(application)


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_a_number_that_is_none_is_refused(write, value):
    with pytest.raises(ConfigError, match="must be a whole number above 0"):
        read_application(write(f"bootstrap.servers=b:1\nsml.kstream.record.poll.max={value}"))


def test_what_is_absent_is_none(write):
    application = read_application(write("bootstrap.servers=b:1"))
    assert (application.source, application.model, application.batch_rows, application.notes) == (None, None, None, ())


def test_the_address_given_beside_the_file_wins(write):
    assert read_application(write(ARTICLE), "here:1").kafka.bootstrap_servers == "here:1"


def test_a_second_file_holds_what_the_first_lacks(write, tmp_path):
    (tmp_path / "cluster.json").write_text('{"bootstrap.servers": "there:1", "sasl.username": "ann"}')
    application = read_application(write("sml.kstream.model.id=m"), config=tmp_path / "cluster.json")
    assert application.kafka.settings == {"bootstrap.servers": "there:1", "sasl.username": "ann"}


def test_a_file_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.properties"):
        read_application(tmp_path / "nowhere.properties")
