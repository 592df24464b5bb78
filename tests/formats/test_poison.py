"""Every record of the poison corpus, in every format, amid good ones."""

from __future__ import annotations

import pytest

from smlnb.cluster.config import KafkaConfig
from smlnb.formats.decode import decoder
from smlnb.testing import SchemaRegistry
from tests.ingest.poison import FORMATS, corpus, good, options, register

ALL = corpus()
COLUMN = {"number": "value", "double": "value", "long": "value"}


@pytest.fixture(scope="module")
def config():
    with SchemaRegistry() as registry:
        register(registry)
        yield KafkaConfig.of("a:1", registry.config)


def decoder_of(name, config):
    return decoder("avro" if name == "avro-rich" else name, config, **options(name))


def test_the_corpus_is_large_and_names_each_record_once():
    assert len(ALL) >= 300
    assert len({(p.format, p.kind) for p in ALL}) == len(ALL)


@pytest.mark.parametrize("poison", ALL, ids=lambda p: f"{p.format}: {p.kind}".replace("\0", "NUL"))
@pytest.mark.parametrize("warm", [False, True], ids=["first batch", "later batch"])
def test_poison_is_refused_by_itself_with_a_reason(config, poison, warm):
    one = decoder_of(poison.format, config)
    values = [good(poison.format, i) for i in range(20)]
    if warm:
        one.decode(values)
    mixed = [*values[:10], poison.value, *values[10:]]
    decoded = one.decode(mixed)
    ((index, reason),) = decoded.refused
    assert index == 10
    assert 5 < len(reason) < 600
    assert "\n" not in reason
    assert decoded.rows.tolist() == [i for i in range(21) if i != 10]
    assert decoded.data[COLUMN.get(poison.format, "n")].to_pylist() == list(range(20))
    assert mixed[10] is poison.value
    assert one.decode(values).refused == ()


@pytest.mark.parametrize("name", FORMATS)
def test_all_poison_of_a_format_in_one_batch_is_refused_and_nothing_else(config, name):
    bad = corpus(name)
    values = [v for i, p in enumerate(bad) for v in (good(name, i), p.value)]
    decoded = decoder_of(name, config).decode(values)
    assert [i for i, _ in decoded.refused] == list(range(1, len(values), 2))
    assert decoded.data[COLUMN.get(name, "n")].to_pylist() == list(range(len(bad)))
