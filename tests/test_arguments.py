from __future__ import annotations

import pytest

from smlnb._arguments import format_options
from smlnb.errors import ConfigError


def test_options_of_a_format_are_read_as_they_are_written():
    assert format_options("csv", None) == {}
    assert format_options("csv", ["columns=a=b,c", "delimiter=@"]) == {"columns": "a=b,c", "delimiter": "@"}


def test_the_value_of_an_option_may_be_in_a_file(tmp_path):
    schema = tmp_path / "readings.avsc"
    schema.write_text('{"type": "record"}\n', encoding="utf-8-sig")
    assert format_options("avro-plain", [f"schema=@{schema}"]) == {"schema": '{"type": "record"}'}
    schema.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"schema=@.*readings\.avsc: the file can't be read: it is not UTF-8 text"):
        format_options("avro-plain", [f"schema=@{schema}"])


@pytest.mark.parametrize(
    ("value_format", "given", "message"),
    [
        ("csv", ["columns"], "is 'columns'. Write KEY=VALUE"),
        ("csv", ["=x"], "Write KEY=VALUE"),
        ("csv", ["columns=x", "columns=y"], "gives 'columns' twice"),
        ("csv", ["columns=x", "sep=;"], "'csv' has no format option 'sep'. It has columns, delimiter"),
        ("json", ["columns=x"], "'json' has no format option 'columns'. It has none"),
        ("avro", ["known=x"], "'avro' has no format option 'known'. It has schema"),
        ("csv", ["delimiter=;"], "'csv' needs the format option 'columns'"),
        ("cvs", ["columns=x"], "Did you mean 'csv'"),
        ("avro-plain", ["schema=@nowhere"], "schema=@nowhere: the file can't be read: No such file"),
    ],
)
def test_a_wrong_option_is_refused_with_what_to_write(value_format, given, message):
    with pytest.raises(ConfigError, match=message):
        format_options(value_format, given)
