"""Row filters: a condition in words, parsed into a tree of column operations; nothing is ever executed as code."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smlnb.errors import SchemaError, UnknownAttributeError

__all__ = ["RowFilter"]

Columns: TypeAlias = pa.RecordBatch
Evaluate = Callable[[Columns], Any]

COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
}
GRAMMAR = (
    "Use names, numbers, texts in quotes, true, false, == != < <= > >=, in [...], and, or, not and parentheses, "
    "such as: sepal_width >= 1 and kind == 'a'."
)


class RowFilter:
    """A condition on the columns of a record batch; a comparison with a missing value does not hold.

    Parameters
    ----------
    text : str
        The condition, in the notation of Python's comparisons.

    Raises
    ------
    SchemaError
        If the text is no condition; the message says where it stops being one.

    Examples
    --------
    >>> keep = RowFilter("x >= 1 and kind in ['a', 'b']")
    >>> keep(pa.record_batch({"x": [0.5, 1.0, 2.0, None], "kind": ["a", "a", "c", "a"]})).tolist()
    [False, True, False, False]
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            tree = ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise SchemaError(f"The row filter {text!r} can't be read: {error}. {GRAMMAR}") from None
        self._holds = self._condition(tree.body)

    def __call__(self, batch: pa.RecordBatch) -> NDArray[np.bool_]:
        """Return for each row whether the condition holds.

        Raises
        ------
        UnknownAttributeError
            If a column that the condition names is not there.
        SchemaError
            If a column can't be compared with what it is compared with.
        """
        try:
            mask = self._holds(batch)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise SchemaError(f"The row filter {self.text!r} does not fit the data: {error}.") from error
        return np.asarray(mask.to_numpy(zero_copy_only=False), dtype=bool)

    def _refuse(self, node: ast.AST) -> SchemaError:
        part = ast.get_source_segment(self.text.strip(), node) or type(node).__name__
        return SchemaError(f"The row filter {self.text!r} has a part that is no condition: {part!r}. {GRAMMAR}")

    def _condition(self, node: ast.expr) -> Evaluate:
        match node:
            case ast.BoolOp(op=op, values=values):
                parts = [self._condition(value) for value in values]
                combine = pc.and_ if isinstance(op, ast.And) else pc.or_

                def combined(batch: Columns) -> Any:
                    mask = parts[0](batch)
                    for part in parts[1:]:
                        mask = combine(mask, part(batch))
                    return mask

                return combined
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._condition(operand)
                return lambda batch: pc.invert(inner(batch))
            case ast.Compare(left=left, ops=ops, comparators=rights):
                sides = [left, *rights]
                tests = [self._comparison(a, op, b, node) for a, op, b in zip(sides, ops, rights, strict=False)]

                def chained(batch: Columns) -> Any:
                    mask = tests[0](batch)
                    for test in tests[1:]:
                        mask = pc.and_(mask, test(batch))
                    return mask

                return chained
            case _:
                raise self._refuse(node)

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr, whole: ast.AST) -> Evaluate:
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(right, ast.List | ast.Tuple | ast.Set):
                raise self._refuse(whole)
            values = pa.array([self._constant(item) for item in right.elts])
            column = self._operand(left)

            def within(batch: Columns) -> Any:
                found = pc.is_in(column(batch), value_set=values)
                return found if isinstance(op, ast.In) else pc.and_(pc.invert(found), pc.is_valid(column(batch)))

            return within
        if type(op) not in COMPARISONS:
            raise self._refuse(whole)
        compare = COMPARISONS[type(op)]
        if not any(isinstance(side, ast.Name) for side in (left, right)):
            raise self._refuse(whole)
        a, b = self._operand(left), self._operand(right)
        return lambda batch: pc.fill_null(pc.call_function(compare, [a(batch), b(batch)]), fill_value=False)

    def _operand(self, node: ast.expr) -> Evaluate:
        if isinstance(node, ast.Name):
            name = node.id
            if name in ("true", "false"):
                value = name == "true"
                return lambda _: pa.scalar(value)

            def column(batch: Columns) -> Any:
                if name not in batch.schema.names:
                    raise UnknownAttributeError.of(name, batch.schema.names)
                return batch.column(name)

            return column
        constant = pa.scalar(self._constant(node))
        return lambda _: constant

    def _constant(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=bool() | int() | float() | str() as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return -value
            case _:
                raise self._refuse(node)

    def __repr__(self) -> str:
        return f"RowFilter({self.text!r})"
