from __future__ import annotations

import numpy as np
import pyarrow as pa

from smlnb.formats.columns import Columns, Piece


def piece(rows, **columns):
    return Piece(pa.record_batch(columns), np.array(rows))


def test_columns_stay_in_the_order_in_which_they_came():
    columns = Columns()
    columns.join([piece([0], b=[1], a=[2])])
    data, _, _ = columns.join([piece([0], c=[3], a=[4])])
    assert data.to_pydict() == {"b": [None], "a": [4], "c": [3]}


def test_a_null_column_takes_the_type_of_its_first_value():
    columns = Columns()
    columns.join([piece([0], a=pa.nulls(1))])
    data, _, unfit = columns.join([piece([0], a=["x"])])
    assert (data.to_pydict(), unfit) == ({"a": ["x"]}, {})


def test_a_piece_with_the_known_columns_is_handed_on_as_it_is():
    columns = Columns()
    columns.join([piece([0], a=[1], b=[0.5])])
    again = piece([0, 1], a=[2, 3], b=[1.0, 2.0])
    data, rows, unfit = columns.join([again])
    assert data is again.data
    assert (rows.tolist(), unfit) == ([0, 1], {})
    assert columns.join([piece([0], b=[1.0], a=[2])])[0].schema.names == ["a", "b"]


def test_no_pieces_are_no_rows():
    data, rows, unfit = Columns().join([])
    assert (data.num_rows, len(rows), unfit) == (0, 0, {})


def test_all_rows_of_a_piece_that_changes_a_type_are_unfit():
    data, rows, unfit = Columns().join([piece([0], a=[1]), piece([1, 2], a=["x", "y"])])
    assert (data.num_rows, rows.tolist(), sorted(unfit)) == (1, [0], [1, 2])
