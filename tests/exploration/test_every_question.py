"""Every question put to a project of any data, with any attributes: a value or an error for people, never a warning.

Questions are found by looking at :class:`Explorable`, and asked with every kind of attribute in every place. A question
with a parameter of a new name needs a line in ``CANDIDATES``.
"""

from __future__ import annotations

import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from smlnb.errors import MergeError, SchemaError, SmlnbError, UnknownAttributeError
from smlnb.explorable import Explorable
from smlnb.exploration.result import TestResult
from smlnb.project import Project

TYPES = {"x": "C", "y": "C", "flag": "B", "kind": "T", "size": "T", "note": "S", "tags": "L", "id": "X"}
ROWS = 40


def ordinary(seed: int = 0, rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(10, 2, rows)
    frame = pd.DataFrame(
        {
            "x": np.where(rng.random(rows) < 0.1, np.nan, x),
            "y": 0.5 * x + rng.normal(size=rows),
            "flag": (rng.random(rows) < 0.4).astype(float),
            "kind": rng.choice(["a", "b", "c"], rows),
            "size": rng.choice(["big", "small"], rows),
            "note": [f"note {i % 7}" for i in range(rows)],
            "tags": [["p", "q"][: i % 3] for i in range(rows)],
            "id": np.arange(rows),
        }
    )
    return frame.astype({"kind": object, "size": object, "note": object})


def project(frame: pd.DataFrame | None = None, types: dict[str, str] | None = None, **options: Any) -> Project:
    made = Project("p", types=types or TYPES, **options)
    if frame is not None:
        made.learn(frame, on_bad="refuse")
    return made


def renamed(names: dict[str, str]) -> Project:
    """Give attributes and the values of categories other names."""
    frame = ordinary().rename(columns=names)
    for old in ("kind", "size"):
        frame[names[old]] = [f"{v}{names['x']}" for v in frame[names[old]]]
    return project(frame, {names.get(k, k): v for k, v in TYPES.items()})


def of_values(*values: Any) -> Project:
    """Let the numbers be these, in turn."""
    column = [values[i % len(values)] for i in range(ROWS)]
    return project(ordinary().assign(x=column, y=column[::-1]))


def forgotten() -> Project:
    made = project(ordinary())
    made.forget(ordinary().head(5))
    return made


NOTHING: dict[str, Any] = {"x": np.nan, "y": np.nan, "flag": np.nan}
DATA: dict[str, Callable[[], Explorable]] = {
    "ordinary": lambda: project(ordinary()),
    "nothing learned": project,
    "no rows": lambda: project(ordinary().head(0)),
    "one row": lambda: project(ordinary().tail(1)),
    "two rows": lambda: project(ordinary().head(2)),
    "all missing": lambda: project(ordinary().assign(**NOTHING, kind=None, size=None, note=None, tags=None)),
    "numbers missing": lambda: project(ordinary().assign(**NOTHING)),
    "no variance": lambda: of_values(3.0),
    "constant target": lambda: project(ordinary().assign(flag=1.0, kind="a")),
    "other constant target": lambda: project(ordinary().assign(flag=0.0, kind="a", size="b")),
    "all constant": lambda: project(ordinary().assign(x=1.5, y=1e9, flag=0.0, kind="a", size="b", note="c")),
    "infinities": lambda: of_values(np.inf, -np.inf, 1.0),
    "nothing but infinities": lambda: of_values(np.inf, -np.inf),
    "2^63": lambda: of_values(2**63, 2**63 + 2**12, 2**64 - 2**12),
    "-2^63": lambda: of_values(-(2**63), 2**63 - 1, 0),
    "beyond squares": lambda: of_values(1e200, -1e200, 3e200),
    "beyond sums": lambda: of_values(1.7e308, -1.7e308),
    "neighbouring numbers": lambda: of_values(1e9, np.nextafter(1e9, 2e9)),
    "denormal": lambda: of_values(5e-324, 0.0, -5e-324),
    "mixed types": lambda: project(ordinary().assign(x=["1", "up", None, "2.5"] * 10)),
    "never together": lambda: project(
        ordinary().assign(
            x=lambda f: f["x"].where(f["id"] % 2 == 0),
            kind=lambda f: f["kind"].where(f["id"] % 2 == 0),
            y=lambda f: f["y"].where(f["id"] % 2 == 1),
            flag=lambda f: f["flag"].where(f["id"] % 2 == 1),
        )
    ),
    "many values": lambda: project(ordinary(rows=300).assign(kind=[f"v{i}" for i in range(300)])),
    "unicode": lambda: renamed({"x": "größe 📏", "y": "é", "flag": "旗", "kind": "色", "size": "ж"}),
    "dollars": lambda: renamed({"x": "kind$", "y": "$", "flag": "kind$a", "kind": "kind", "size": "kind$a$"}),
    "markup": lambda: renamed({"x": "<b>x</b>", "y": "<i>&", "flag": "<u>", "kind": "<s>k", "size": "</td>"}),
    "forgotten": forgotten,
    "no distributions": lambda: project(ordinary(), histogram=False, quantiles=False),
    "window": lambda: project(ordinary(), window=20).window(),
    "interval": lambda: project(ordinary(), history=True).between(),
    "sketches only": lambda: project(ordinary(), histogram=False),
}

NOT_ASKED = {"reading", "summary"}
QUESTIONS = [name for name, f in inspect.getmembers(Explorable, inspect.isfunction) if name[0] != "_"]
CANDIDATES: dict[str, Callable[[Explorable, list[str]], list[Any]]] = {
    **dict.fromkeys(("x", "y", "name", "attribute", "by", "target", "a", "b", "given"), lambda _, names: names),
    "q": lambda _, __: [0.5, [0.0, 1.0]],
    "after": lambda made, _: [made, project(ordinary(1))],
    "kind": lambda _, __: ["hba"],
}
BESIDES: dict[str, Callable[[list[str]], list[dict[str, Any]]]] = {
    "ztest": lambda names: [{"x": x, **w} for x in names for w in two_samples(names, {"mu": 1.0})],
    "ttest": lambda names: [{"x": x, **w} for x in names for w in two_samples(names, {"mu": 1.0})],
    "ftest": lambda names: [{"x": x, **w} for x in names for w in two_samples(names, {"sigma": 1.0})],
    "proportions": lambda names: [{"x": x, **w} for x in names for w in two_samples(names, {"p": 0.3})],
    "anova": lambda names: [
        *({"x": x, "by": by} for x in names for by in names),
        *({"x": list(p)} for p in itertools.pairwise(names)),
    ],
    "ks": lambda names: [{"x": x, "y": y} for x in names for y in names],
    "mann_whitney": lambda names: [{"x": x, "y": y} for x in names for y in names],
    "univariate": lambda names: [{"ddof": 0}, *({"attributes": [name]} for name in names)],
    "histogram": lambda names: [{"name": names[0], "bins": 1}, {"name": names[0], "range": (0.0, 1.0)}],
    "pca": lambda names: [{"covariance": True}, {"components": 0.5}, {"attributes": names[:2]}],
    "vif": lambda names: [{"repair": True}, {"attributes": names[:3]}],
}


def two_samples(names: list[str], known: dict[str, float]) -> Iterator[dict[str, Any]]:
    yield known
    yield from ({"y": y} for y in names)
    yield from ({"by": by} for by in (*names, names[:2]))


def names_of(made: Explorable) -> list[str]:
    """Return all attributes, a value of a category, and a name that is none."""
    summary = made.summary()
    known = [n for n in summary.pair_names if n not in summary.schema.numeric]
    return [*(summary.schema.names or ("x", "kind")), *known[:1], "nonesuch"]


def calls(question: str, made: Explorable) -> Iterator[dict[str, Any]]:
    signature = inspect.signature(getattr(Explorable, question))
    needed = [
        p
        for p in list(signature.parameters.values())[1:]
        if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]
    strange = [p.name for p in needed if p.name not in CANDIDATES]
    assert not strange, f"say in CANDIDATES what {question}() can be given for {strange}"
    names = names_of(made)
    for values in itertools.product(*(CANDIDATES[p.name](made, names) for p in needed)):
        yield dict(zip((p.name for p in needed), values, strict=True))
    yield from BESIDES.get(question, lambda _: [])(names)


def ask(made: Explorable, question: str, arguments: dict[str, Any]) -> Any:
    """Ask, and let positional-only parameters be positional."""
    parameters = inspect.signature(getattr(Explorable, question)).parameters
    first = [arguments[n] for n, p in parameters.items() if n in arguments and p.kind is p.POSITIONAL_ONLY]
    rest = {n: v for n, v in arguments.items() if parameters[n].kind is not inspect.Parameter.POSITIONAL_ONLY}
    return getattr(made, question)(*first, **rest)


def check_shown(answer: Any) -> None:
    """An answer shows as text and, if it has a table for notebooks, as one that is escaped and has no fixed colours."""
    assert str(answer)
    assert repr(answer)
    if hasattr(answer, "_repr_html_"):
        shown = answer._repr_html_()
        assert not [tag for tag in ("<b>x", "<i>&", "<u>", "<s>k", "</td>a") if tag in shown]
        assert "color" not in shown  # the notebook's theme decides
    elif not isinstance(answer, float | int | np.ndarray):
        raise AssertionError(f"{type(answer).__name__} has no notebook representation")


@pytest.mark.parametrize("what", DATA)
def test_every_question_gets_a_value_or_an_error_for_people(what: str) -> None:
    made = DATA[what]()
    failures = []
    shown: set[tuple[str, type]] = set()
    for question in (q for q in QUESTIONS if q not in NOT_ASKED):
        for arguments in calls(question, made):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    answer = ask(made, question, arguments)
                    if isinstance(answer, TestResult):
                        assert not np.isnan([answer.statistic, answer.pvalue]).any(), "NaN without a reason"
                    if (question, type(answer)) not in shown:
                        shown.add((question, type(answer)))
                        check_shown(answer)
            except SmlnbError as error:
                if len(str(error)) < 20 or "nan" in str(error).split():
                    failures.append(f"{question}({arguments}): says only {error}")
            except Exception as error:  # noqa: BLE001 - whatever it is, it is to be told with its question
                failures.append(f"{question}({arguments}): {type(error).__name__}: {error}")
    assert not failures, f"{len(failures)} failures:\n" + "\n".join(failures[:40])


PLANTS = {"x": "sepal_length", "y": "petal_width", "flag": "flowering", "kind": "species", "size": "habitat"}


def test_a_misspelt_attribute_anywhere_gets_the_nearest_one() -> None:
    made = renamed(PLANTS)
    asked, failures = set(), []
    for question in (q for q in QUESTIONS if q not in NOT_ASKED):
        for arguments in calls(question, made):
            spelt = [name for name, value in arguments.items() if value in PLANTS.values()]
            if not spelt or not answers(made, question, arguments):
                continue
            for name in spelt:
                if (question, name) in asked:
                    continue
                asked.add((question, name))
                wrong = arguments[name][:-2] + arguments[name][:-3:-1]  # the last two letters swapped
                try:
                    ask(made, question, {**arguments, name: wrong})
                    failures.append(f"{question}: {name}={wrong!r} was accepted")
                except UnknownAttributeError as error:
                    if f"Did you mean {arguments[name]!r}?" not in str(error):
                        failures.append(f"{question}: {name}={wrong!r}: {error}")
    assert {q for q, _ in asked} >= {"ttest", "histogram", "quantile", "crosstab", "categories", "frequent", "ks"}
    assert not failures, "\n".join(failures)


def answers(made: Explorable, question: str, arguments: dict[str, Any]) -> bool:
    try:
        ask(made, question, arguments)
    except SmlnbError:
        return False
    return True


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pd.DataFrame({"x": [1, "up", [3]]}), "columns of one type"),
        (pd.DataFrame([[1.0, 2.0]], columns=["x", "x"]), "[Dd]uplicate column names found: .'x', 'x'"),
        ([{"x": 2**64}], "columns of one type"),
        ({"x": [1.0], "y": [1.0, 2.0]}, "equal length"),
        (7, "not tabular"),
    ],
)
def test_what_is_no_table_is_refused_in_words_and_nothing_is_learned(frame: Any, words: str) -> None:
    made = project()
    with pytest.raises(SchemaError, match=words):
        made.learn(frame, on_bad="refuse")
    assert made.n == 0


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (lambda: project(ordinary(), histogram=False), "histogram"),
        (lambda: project(ordinary(), {**TYPES, "x": "X"}), "x:C.*x:X"),
        (lambda: project(ordinary()[["x"]], {"x": "C"}), "attributes"),
    ],
)
def test_projects_that_can_not_be_merged_say_what_differs(other: Callable[[], Project], words: str) -> None:
    with pytest.raises(MergeError, match=words):
        project(ordinary()).merge(other())


def test_every_question_is_documented_with_what_it_answers() -> None:
    short = [q for q in QUESTIONS if len(inspect.getdoc(getattr(Explorable, q)) or "") < 40]
    assert not short
