from __future__ import annotations

import numpy as np
import pytest

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.exploration.density import ConditionalDensity, Density, conditional_density, density
from smlnb.stats.histogram import Cells, Histogram
from tests.exploration.making import TYPES, random_frame, random_summary, summary_of


def values_of(frame, name, given, value):
    return frame.loc[frame[given].map(lambda v: f"{v}"[:1]) == value, name].dropna().to_numpy(float)


@pytest.mark.parametrize("given", ["flag", "kind"])
def test_bins_given_a_condition_are_near_those_of_the_rows(given):
    frame, summary = random_summary(rows=20_000)
    found = conditional_density(summary, "x", given, bins=25)
    assert isinstance(found, ConditionalDensity)
    for value, one in found.densities.items():
        rows = values_of(frame, "x", given, value)
        exact, _ = np.histogram(rows, found.edges)
        assert one.edges is not None
        assert np.abs(one.counts - exact).max() < 0.005 * len(rows)
        assert one.counts.sum() + one.below + one.above == pytest.approx(len(rows))


def test_few_different_values_are_exact_in_any_bins():
    frame = random_frame(rows=3000)
    frame["x"] = frame["x"].astype(float).round()
    summary = summary_of(frame, TYPES)
    edges = [0.5, 6.5, 9.5, 11.5, 20.5]
    for value in ("a", "b", "c"):
        one = conditional_density(summary, "x", "kind", value, bins=edges)
        assert isinstance(one, Density)
        exact, _ = np.histogram(values_of(frame, "x", "kind", value), edges)
        np.testing.assert_allclose(one.counts, exact)


def test_the_densities_of_all_values_add_up_to_the_whole():
    _, summary = random_summary(rows=5000)
    edges = np.linspace(0, 20, 11).tolist()
    given = conditional_density(summary, "x", "flag", bins=edges)
    missing = summary.conditional.cells("x", "flag", None).counts_between(edges)
    everywhere = summary.conditional.joint("x", "flag")
    whole = Cells(everywhere[0], everywhere[1], everywhere[2].sum(axis=0)).counts_between(edges)
    assert given["0"].counts + given["1"].counts + missing == pytest.approx(whole)


def test_one_value_has_its_own_range_and_all_have_one():
    frame, summary = random_summary()
    one = conditional_density(summary, "x", "kind", "b", bins=5)
    assert one.edges[0] <= values_of(frame, "x", "kind", "b").min() < one.edges[1]
    together = conditional_density(summary, "x", "kind", bins=5, range=(0.0, 10.0))
    assert together.edges.tolist() == [0, 2, 4, 6, 8, 10]
    assert all(d.edges.tolist() == together.edges.tolist() for d in together.densities.values())
    assert together["b"].above > 0


def test_tables_have_one_column_or_row_per_value_and_names_are_escaped():
    frame = random_frame(rows=4000).replace({"kind": {"a": "<a>"}})
    found = conditional_density(summary_of(frame, TYPES), "x", "kind", bins=8)
    table = found.table
    assert table.shape == (8, 3)
    assert sorted(table.columns) == ["<a>", "b", "c"]
    assert (table * np.diff(found.edges)[:, None]).sum().tolist() == pytest.approx([1, 1, 1])
    medians = frame.dropna(subset=["x", "kind"]).astype({"x": float}).groupby("kind")["x"].median()
    assert found.quartiles["median"].to_dict() == pytest.approx(medians.to_dict(), abs=0.05)
    assert found.quartiles["share"].sum() == pytest.approx(1)
    page = found._repr_html_()
    assert "&lt;a&gt;" in page
    assert "<a>" not in page
    assert "medians" in str(found)


def test_bins_that_are_none_and_values_that_are_not_there_are_refused():
    _, summary = random_summary()
    for bins in (0, [1.0], [2.0, 1.0]):
        with pytest.raises(SchemaError, match="bin"):
            conditional_density(summary, "x", "flag", bins=bins)
    with pytest.raises(SchemaError, match="never seen"):
        conditional_density(summary, "x", "kind", "z")
    with pytest.raises(SchemaError, match="no range"):
        density(summary.cells[0], range=(1.0, np.inf))
    with pytest.raises(NotEnoughDataError):
        conditional_density(summary_of(random_frame(rows=0), TYPES), "x", "flag")


def cells_of(values: list[float]) -> Cells:
    histogram = Histogram(1)
    histogram.update(np.array([values]))
    return histogram.result()[0]


def test_a_density_shows_as_a_sentence_and_a_table_of_its_bins() -> None:
    found = density(cells_of([1.0, 2.0, 2.0, 7.0]), bins=[0.0, 2.0, 4.0])
    assert str(found) == repr(found) == "3 values in 2 bins from 0 to 4, 1 outside"
    assert found.table["count"].tolist() == [1, 2]
    assert found.table["share"].tolist() == [0.25, 0.5]
    assert found.table["density"].tolist() == [0.125, 0.25]
    assert "3 values in 2 bins" in found._repr_html_()


@pytest.mark.parametrize("values", [[-1.7e308, 1.7e308], [5e-324, 0.0], [1e9, np.nextafter(1e9, 2e9)], [3.0]])
def test_bins_are_apart_and_hold_everything_however_wide_or_narrow_the_range(values: list[float]) -> None:
    found = density(cells_of(values), bins=40)
    assert np.isfinite(found.edges).all()
    assert list(found.edges) == sorted(set(found.edges))
    assert len(found.edges) <= 41
    assert found.counts.sum() == pytest.approx(len(values))
    assert np.isfinite(found.mids).all()
    assert not np.isnan(found.heights).any()
