from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.preprocessing import TargetEncoder as JudgeEncoder

from smlnb.encoders.target import TargetEncoder
from smlnb.errors import MergeError, SchemaError, UnknownAttributeError
from smlnb.schema import Schema
from smlnb.stats.checks import check_accumulator
from tests.stats.laws import law_settings
from tests.strategies import record_blocks, texts

NAN = float("nan")


def frame(n: int = 2000, seed: int = 0, *, binary: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    city = np.array([f"c{i}" for i in range(29)] + [""])[rng.zipf(1.3, n).clip(1, 30) - 1]
    price = rng.normal(100, 20, n) + np.array([len(c) for c in city])
    return pd.DataFrame({"city": city, "price": (price > 100).astype(int) if binary else price})


def learned(data: Any, **options: Any) -> TargetEncoder:
    encoder = TargetEncoder("city", target="price", **options)
    encoder.learn(data)
    return encoder


@law_settings
@given(record_blocks())
def test_every_law_holds_for_any_records(blocks: Any) -> None:
    check_accumulator(lambda: TargetEncoder("kind", target="flag", limit=3), blocks)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 1.0, 10.0, 1e6])
def test_encodings_are_those_of_scikit_learn_in_any_number_of_parts(binary: bool, smoothing: float) -> None:
    data, fresh = frame(binary=binary), frame(300, seed=1)
    fresh.loc[::7, "city"] = "never seen"
    judge = JudgeEncoder(smooth=smoothing, target_type="binary" if binary else "continuous")
    expected = judge.fit(data[["city"]], data["price"]).transform(fresh[["city"]])[:, 0]
    encoder = TargetEncoder("city", target="price", smoothing=smoothing)
    for start in range(0, len(data), 300):
        part = encoder.empty()
        part.learn(data[start : start + 300])
        encoder.merge(part)
    assert_allclose(encoder.transform(fresh)[0], expected, rtol=1e-9)


@law_settings
@given(
    st.lists(st.tuples(st.none() | st.lists(texts, max_size=3), st.floats(-100, 100)), max_size=12),
    st.lists(st.none() | st.lists(texts, max_size=3), max_size=6),
    st.sampled_from([0.0, 2.0]),
    st.sampled_from([1, 2]),
)
def test_a_list_is_the_mean_over_its_items(
    rows: list[tuple[Any, float]], asked: list[Any], smoothing: float, min_count: int
) -> None:
    kind = pa.list_(pa.string())
    encoder = TargetEncoder("tags", target="y", smoothing=smoothing, min_count=min_count)
    encoder.learn(
        pa.record_batch(
            {"tags": pa.array([t for t, _ in rows], kind), "y": pa.array([y for _, y in rows], pa.float64())}
        )
    )
    seen = [(item, y) for tags, y in rows for item in tags or [] if item is not None]
    prior = sum(y for _, y in seen) / len(seen) if seen else NAN

    def one(item: str) -> float:
        ys = [y for other, y in seen if other == item]
        return (sum(ys) + smoothing * prior) / (len(ys) + smoothing) if len(ys) >= min_count else prior

    def whole(tags: Any) -> float:
        if tags is None:
            return NAN
        encodings = [one(item) for item in tags if item is not None]
        return sum(encodings) / len(encodings) if encodings else prior

    got = encoder.transform(pa.record_batch({"tags": pa.array(asked, kind)}))
    assert_allclose(got, [[whole(tags) for tags in asked]], rtol=1e-9, atol=1e-9)


def test_nothing_is_known_before_anything_was_learned() -> None:
    encoder = TargetEncoder("city", target="price")
    assert np.isnan(encoder.transform({"city": ["a", None]})).all()
    assert encoder.table()["value"].tolist() == ["(other)", "(prior)"]
    assert encoder.table()["encoded"].isna().all()


def test_missing_stays_missing_and_an_absent_column_is_missing() -> None:
    encoder = learned({"city": ["a", None, "b"], "price": [1.0, 2.0, None]})
    assert np.isnan(encoder.transform({"city": [None, "a"]})).tolist() == [[True, False]]
    assert np.isnan(encoder.transform({"other": [1, 2, 3]})).tolist() == [[True] * 3]
    encoder.learn({"price": [5.0]})
    encoder.learn({"city": ["a"]})
    encoder.learn({"other": ["a"]})
    assert encoder.n == 6
    assert encoder.table()["count"].tolist() == [1, 0, 1]


def test_a_constant_target_is_encoded_as_that_constant() -> None:
    encoder = learned({"city": ["a", "b", "b"] * 9, "price": [0.1] * 27}, smoothing=3)
    assert encoder.transform({"city": ["a", "b", "c"]}).tolist() == [[0.1] * 3]
    assert encoder.table()["std"].tolist()[:2] == [0.0, 0.0]


def test_values_seen_too_rarely_are_encoded_as_the_prior() -> None:
    encoder = learned({"city": ["a", "a", "b"], "price": [1.0, 2.0, 9.0]}, smoothing=0, min_count=2)
    assert encoder.transform({"city": ["a", "b", "c"]}).tolist() == [[1.5, 4.0, 4.0]]
    assert encoder.table()["source"].tolist() == ["learned", "rare", "prior", "prior"]


def test_values_beyond_the_limit_share_a_row_and_are_encoded_as_the_prior() -> None:
    data = frame()
    encoder = learned(data, limit=5)
    table = encoder.table()
    assert len(table) == 7
    assert table["count"][:6].sum() == table["count"][6] == len(data)
    others = sorted(set(data["city"]) - set(table["value"]))
    assert_allclose(encoder.transform({"city": others})[0], data["price"].mean())


def test_the_table_is_that_of_pandas_and_of_transform() -> None:
    data = frame()
    encoder = learned(data, smoothing=5)
    table = encoder.table()
    assert table["count"][:-2].is_monotonic_decreasing
    values = table[:-2].set_index("value").sort_index()
    expected = data.groupby("city")["price"].agg(["count", "mean", "std"])
    assert_allclose(values[["count", "mean", "std"]].astype(float), expected, rtol=1e-9)
    assert_allclose(encoder.transform({"city": values.index.tolist()})[0], values["encoded"])
    assert_allclose(table.iloc[-1][["count", "mean", "std"]].tolist(), data["price"].agg(["count", "mean", "std"]))


def test_the_probability_of_a_value_can_be_the_target() -> None:
    data = {"city": ["a", "a", "b", "b", "b"], "price": ["low", "high", "low", None, "low"]}
    encoder = learned(data, pos_label="low", smoothing=0)
    assert encoder.outputs == ("city~price=low",)
    assert encoder.transform({"city": ["a", "b"]}).tolist() == [[0.5, 1.0]]
    numbers = learned({"city": ["a", "a", "a"], "price": [7.0, 1.0, NAN]}, pos_label=7, smoothing=0)
    assert numbers.transform({"city": ["a"]}).tolist() == [[0.5]]


def test_a_target_of_text_is_refused_and_nothing_is_learned() -> None:
    encoder = learned({"city": ["a"], "price": ["1.5"]})
    with pytest.raises(SchemaError, match=r"holds 'dear'.*pos_label"):
        encoder.learn({"city": ["a", "b"], "price": ["2", "dear"]})
    assert encoder.n == 1
    assert encoder.table()["mean"][0] == 1.5


def test_values_of_any_alphabet_and_the_empty_one_are_values() -> None:
    encoder = learned(
        {"city": ["", "Ä", "東京", "(prior)", "a$b", "<b>"], "price": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}, smoothing=0
    )
    assert encoder.transform({"city": ["", "Ä", "東京", "(prior)"]}).tolist() == [[1.0, 2.0, 3.0, 4.0]]
    table = encoder.table()
    assert table[table["value"] == "(prior)"]["source"].tolist() == ["learned", "prior"]


def test_an_encoding_set_by_hand_stays_whatever_is_learned() -> None:
    encoder = learned({"city": ["a", "b"], "price": [1.0, 3.0]}, smoothing=0)
    encoder.set("a", encoded=-7)
    encoder.set("new", encoded=0.5)
    encoder.learn({"city": ["a", "new"], "price": [5.0, 3.0]})
    assert encoder.transform({"city": ["a", "new", "b"]}).tolist() == [[-7.0, 0.5, 3.0]]
    row = encoder.table().set_index("value").loc["a"]
    assert (row["count"], row["mean"], row["encoded"], row["source"]) == (2, 3.0, -7.0, "set")
    encoder.set("a", encoded=None)
    assert encoder.transform({"city": ["a"]}).tolist() == [[3.0]]
    assert encoder.transform({"city": ["never"]}).tolist() == [[3.0]]  # what is set by hand is no part of the prior


def test_figures_edited_by_hand_are_learned_on() -> None:
    encoder = learned({"city": ["a"], "price": [100.0]}, smoothing=0)
    encoder.edit("a", count=3, mean=2.0, std=1.0)
    encoder.edit("b", count=1, mean=0.0)
    assert encoder.table()[["count", "mean", "std"]].iloc[0].tolist() == [3, 2.0, 1.0]
    encoder.learn({"city": ["a"], "price": [6.0]})
    assert encoder.transform({"city": ["a", "b", "c"]}).tolist() == [[3.0, 0.0, 2.4]]


def test_a_discarded_value_is_as_if_never_seen() -> None:
    encoder = learned({"city": ["a", "b"], "price": [1.0, 3.0]}, smoothing=0)
    encoder.set("a", encoded=9)
    encoder.discard("a")
    assert encoder.transform({"city": ["a", "b"]}).tolist() == [[3.0, 3.0]]
    assert "a" not in encoder.table()["value"].tolist()
    with pytest.raises(SchemaError, match="'a' is not in the table"):
        encoder.discard("a")


def test_a_frozen_encoder_learns_nothing_until_unfrozen_and_so_do_its_copies() -> None:
    encoder = learned({"city": ["a"], "price": [1.0]})
    encoder.freeze()
    for frozen in (encoder, encoder.copy(), TargetEncoder.from_state(encoder.state())):
        frozen.learn({"city": ["a"], "price": [7.0]})
        assert (frozen.n, frozen.frozen) == (1, True)
    encoder.unfreeze()
    encoder.learn({"city": ["a"], "price": [7.0]})
    assert encoder.n == 2


def test_edits_are_stored_copied_and_merged() -> None:
    encoder = learned(frame())
    encoder.set("c1", encoded=4.0)
    other = learned(frame(seed=2))
    other.set("c2", encoded=5.0)
    other.merge(encoder)
    for again in (other.copy(), TargetEncoder.from_state(other.state())):
        assert again.state()["sha256"] == other.state()["sha256"]
        assert again.transform({"city": ["c1", "c2"]}).tolist() == [[4.0, 5.0]]


def test_two_encodings_of_one_value_are_not_merged() -> None:
    first, second = learned(frame()), learned(frame())
    first.set("c1", encoded=4.0)
    second.set("c1", encoded=5.0)
    with pytest.raises(MergeError, match=r"'c1' was set to 4\.0 here and to 5\.0 there"):
        first.merge(second)
    assert first.n == 2000


def test_encoders_of_other_parameters_are_not_merged() -> None:
    with pytest.raises(MergeError, match="smoothing"):
        learned(frame()).merge(learned(frame(), smoothing=2))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"smoothing": -1}, "smoothing"),
        ({"smoothing": NAN}, "smoothing"),
        ({"smoothing": "10"}, "smoothing"),
        ({"min_count": 0}, "minimum count"),
        ({"min_count": 1.5}, "minimum count"),
        ({"limit": 0}, "limit"),
        ({"limit": True}, "limit"),
        ({"target": ""}, "name of its target"),
        ({"target": "city"}, "its own mean"),
        ({"column": ""}, "name of the attribute"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        TargetEncoder(**{"column": "city", "target": "price", **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        lambda e: e.set("a", encoded=NAN),
        lambda e: e.set("a", encoded="3"),
        lambda e: e.set(None, encoded=3),
        lambda e: e.edit("a", count=0, mean=1.0),
        lambda e: e.edit("a", count=2, mean=float("inf")),
        lambda e: e.edit("a", count=2, mean=1.0, std=-1.0),
    ],
)
def test_edits_that_make_no_sense_change_nothing(wrong: Any) -> None:
    encoder = learned(frame())
    before = encoder.state()["sha256"]
    with pytest.raises(SchemaError):
        wrong(encoder)
    assert encoder.state()["sha256"] == before


def test_a_schema_that_does_not_fit_is_refused() -> None:
    schema = Schema.of(["city", "price", "kind", "n~price"], "S,C,T,C")
    TargetEncoder("city", target="price").check(schema)
    TargetEncoder("city", target="kind", pos_label="a").check(schema)
    with pytest.raises(UnknownAttributeError, match="Did you mean 'city'"):
        TargetEncoder("citi", target="price").check(schema)
    with pytest.raises(UnknownAttributeError, match="Did you mean 'price'"):
        TargetEncoder("city", target="prize").check(schema)
    with pytest.raises(SchemaError, match=r"has the type T.*pos_label"):
        TargetEncoder("city", target="kind").check(schema)
    with pytest.raises(SchemaError, match="'n~price', which are taken"):
        TargetEncoder("n", target="price").check(schema.with_attributes(Schema.of(["n"], "S")))


def test_what_a_notebook_shows_is_short_and_escaped() -> None:
    encoder = TargetEncoder("<city>", target="price")
    encoder.learn({"<city>": ["<script>"] * 50 + [f"v{i}" for i in range(50)], "price": np.arange(100.0)})
    shown = encoder._repr_html_()
    assert "<script>" not in shown
    assert "<city>" not in shown
    assert "&lt;script&gt;" in shown
    assert "33 more rows" in shown
    assert shown.count("<tr") < 30
