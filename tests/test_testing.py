from __future__ import annotations

import http.client
import json
import threading
from contextlib import ExitStack

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from smlnb.testing import SchemaRegistry

READING = json.dumps({"type": "record", "name": "reading", "fields": [{"name": "x", "type": "double"}]})
WIDER = json.dumps(
    {
        "type": "record",
        "name": "reading",
        "fields": [{"name": "x", "type": "double"}, {"name": "y", "type": ["null", "double"], "default": None}],
    },
)


def refused(status, code):
    return pytest.raises(SchemaRegistryError, check=lambda e: (e.http_status_code, e.error_code) == (status, code))


def client(registry, **more):
    return SchemaRegistryClient({**registry.client_config, **more})


def request(registry, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", int(registry.url.rpartition(":")[2]), timeout=10)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


@pytest.fixture
def secured():
    with SchemaRegistry(user="ann", password="se:cret") as server:
        yield server


@pytest.fixture(params=["ours", pytest.param("apicurio", marks=pytest.mark.kafka)])
def connect(request):
    """Give clients of each registry in turn, and close them."""
    url = request.getfixturevalue("registry" if request.param == "ours" else "apicurio").url
    with ExitStack() as stack:
        yield lambda: stack.enter_context(SchemaRegistryClient({"url": url}))


def test_avro_written_by_one_client_is_read_by_another(connect, topic_name):
    context = SerializationContext(topic_name, MessageField.VALUE)
    datum = AvroSerializer(connect(), READING)({"x": 1.5}, context)
    reader = AvroDeserializer(connect())
    assert reader(datum, context) == {"x": 1.5}


def test_a_registry_keeps_the_versions_of_a_subject(connect, topic_name):
    one = connect()
    first = one.register_schema(topic_name, Schema(READING, "AVRO"))
    second = one.register_schema(topic_name, Schema(WIDER, "AVRO"))
    assert first != second
    other = connect()
    assert other.register_schema(topic_name, Schema(READING, "AVRO")) == first
    assert other.get_versions(topic_name) == [1, 2]
    assert other.get_latest_version(topic_name).schema_id == second
    assert other.get_version(topic_name, 1).schema_id == first
    assert json.loads(other.get_schema(first).schema_str) == json.loads(READING)
    assert topic_name in other.get_subjects()
    assert other.lookup_schema(topic_name, Schema(WIDER, "AVRO")).version == 2


def test_what_is_not_there_is_refused_with_the_codes_of_the_original(connect, topic_name):
    one = connect()
    with refused(404, 40401):
        one.get_latest_version(topic_name)
    one.register_schema(topic_name, Schema(READING, "AVRO"))
    with refused(404, 40402):
        one.get_version(topic_name, 7)
    with refused(404, 40403):
        one.get_schema(999_999)
    with refused(404, 40403):
        one.lookup_schema(topic_name, Schema(WIDER, "AVRO"))


def test_an_invalid_schema_is_refused(registry, topic_name):
    one = client(registry)
    for text in ["", "{", '{"type": "recorded"}', "[" * 100_000, "5"]:
        with refused(422, 42201):
            one.register_schema(topic_name, Schema(text, "AVRO"))
    with refused(422, 42201):
        one.register_schema(topic_name, Schema("x", "XML"))
    assert one.get_subjects() == []


def test_one_schema_has_one_id_under_all_subjects_whatever_its_white_space(registry):
    assert registry.register("a", READING) == registry.register("b", READING.replace(" ", "")) == 1
    assert client(registry).get_subjects_by_schema_id(1) == ["a", "b"]
    assert [(v.subject, v.version) for v in client(registry).get_schema_versions(1)] == [("a", 1), ("b", 1)]


def test_a_schema_is_found_by_its_guid(registry):
    registry.register("a", READING)
    guid = client(registry).get_version("a", 1).guid
    assert client(registry).get_schema_by_guid(guid).schema_str == READING


def test_a_schema_that_another_process_may_have_added_is_counted_on_request(registry):
    registry.register("a", READING)
    registry.register("a", WIDER)
    status, answer = request(registry, "GET", "/schemas/ids/1?subject=a&fetchMaxId=true")
    assert (status, answer["maxId"]) == (200, 2)


def test_subjects_with_slashes_and_other_letters_are_kept(registry):
    for subject in ["a/b", "größe value", "a%2Fb", "a?b=c"]:
        client(registry).register_schema(subject, Schema(READING, "AVRO"))
        assert client(registry).get_latest_version(subject).subject == subject


def test_deleted_versions_are_gone_and_their_numbers_not_given_again(registry):
    registry.register("a", READING)
    registry.register("a", WIDER)
    one = client(registry)
    assert one.delete_version("a", 2) == 2
    registry.register("a", WIDER)
    assert one.get_versions("a") == [1, 3]
    assert one.delete_subject("a") == [1, 3]
    with refused(404, 40401):
        one.get_versions("a")


def test_the_compatibility_level_is_kept(registry):
    one = client(registry)
    assert one.get_compatibility() == "BACKWARD"
    one.set_compatibility("a", "NONE")
    assert (one.get_compatibility("a"), one.get_compatibility("b")) == ("NONE", "BACKWARD")
    with refused(422, 42203):
        one.set_compatibility("a", "SIDEWAYS")
    assert one.get_mode("a") == "READWRITE"


def test_schemas_of_other_types_are_kept_with_their_type(registry):
    one = client(registry)
    text = json.dumps({"type": "object"})
    number = one.register_schema("a", Schema(text, "JSON"))
    assert client(registry).get_schema(number).schema_type == "JSON"
    assert one.get_schema_types() == ["AVRO", "JSON", "PROTOBUF"]


def test_a_schema_of_protobuf_is_a_text_that_may_refer_to_others(registry):
    one = client(registry)
    text = 'syntax = "proto3"; import "b.proto"; message A { B b = 1; }'
    registry.register("b", 'syntax = "proto3"; message B {}', "PROTOBUF")
    reference = SchemaReference("b.proto", "b", 1)
    number = one.register_schema("a", Schema(text, "PROTOBUF", references=[reference]))
    found = client(registry).get_schema(number)
    assert (found.schema_type, found.schema_str, found.references) == ("PROTOBUF", text, [reference])
    assert request(registry, "GET", f"/schemas/ids/{number}/schema") == (200, text)
    assert request(registry, "GET", "/subjects/a/versions/1/schema") == (200, text)


def test_the_right_credentials_are_let_in(secured, topic_name):
    context = SerializationContext(topic_name, MessageField.VALUE)
    datum = AvroSerializer(client(secured), READING)({"x": 2.5}, context)
    assert AvroDeserializer(client(secured))(datum, context) == {"x": 2.5}


@pytest.mark.parametrize("wrong", ["ann:wrong", "ann:", "bob:se:cret", "ANN:se:cret", "ann:se:cret "])
def test_wrong_credentials_are_refused_before_anything_is_told(secured, wrong):
    secured.register("hidden", READING)
    with refused(401, 401):
        client(secured, **{"basic.auth.user.info": wrong}).get_subjects()
    with refused(401, 401):
        AvroSerializer(client(secured, **{"basic.auth.user.info": wrong}), READING)(
            {"x": 1.0},
            SerializationContext("t", MessageField.VALUE),
        )
    assert secured.store.answer("GET", ["subjects"], {}, {}) == ["hidden"]


@pytest.mark.parametrize("header", [None, "", "Basic", "Basic !", "Bearer abc", "basic YW5uOnNlOmNyZXQ=x"])
def test_a_missing_or_broken_authorisation_is_refused(secured, header):
    status, answer = request(secured, "GET", "/subjects", headers={} if header is None else {"Authorization": header})
    assert (status, answer) == (401, {"error_code": 401, "message": "Unauthorized"})


def test_the_password_is_not_in_the_repr(secured):
    assert "basic authentication" in repr(secured)
    assert "se:cret" not in repr(secured)


def test_the_keys_for_smlnb_are_the_keys_of_the_client_with_a_prefix(secured):
    assert secured.config == {
        "schema.registry.url": secured.url,
        "schema.registry.basic.auth.user.info": "ann:se:cret",
    }


def test_a_request_that_is_too_large_is_refused_unread(registry):
    status, answer = request(registry, "POST", "/subjects/a/versions", headers={"Content-Length": str(1 << 40)})
    assert (status, answer["error_code"]) == (413, 413)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Length": "many"}, None, 400),
        ({"Content-Length": "-1"}, None, 400),
        ({"Transfer-Encoding": "chunked"}, None, 411),
        ({}, b"not json", 400),
        ({}, b"[1]", 400),
        ({}, b"[" * 100_000, 400),
        ({}, b"\xff\xfe", 400),
    ],
)
def test_a_broken_request_is_refused(registry, headers, body, status):
    assert request(registry, "POST", "/subjects/a/versions", body, headers)[0] == status


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("PUT", "/subjects"),
        ("DELETE", "/subjects"),
        ("GET", "/subjects/a"),
        ("PUT", "/subjects/a/versions"),
        ("GET", "/schemas"),
        ("GET", "/schemas/ids/1/more/yet"),
    ],
)
def test_an_unknown_request_is_refused_with_404(registry, method, path):
    assert request(registry, method, path)[0] == 404


@pytest.mark.parametrize("version", ["0", "-2", "x", "1.5", "%C2%B2", str(2**31)])
def test_a_version_that_can_not_be_is_refused(registry, version):
    registry.register("a", READING)
    assert request(registry, "GET", f"/subjects/a/versions/{version}")[1]["error_code"] == 42202


def test_closing_twice_is_closing_once_and_leaves_no_thread():
    before = threading.active_count()
    registry = SchemaRegistry()
    client(registry).get_subjects()
    registry.close()
    registry.close()
    assert threading.active_count() == before
    assert "closed" in repr(registry)
