"""A suggested suite as the text of a suite.yaml, with what each bound rests on beside it."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from flightworthy.expectations.suggesting import Suggested, Suggestion
from flightworthy.expectations.suite import COMPARISONS, CRITICAL, FailedExpectation

__all__ = ["suite_text"]

_WIDE: Final = 120
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS: Final = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
"""Some are text in YAML 1.2 and were not in 1.1."""
_APART: Final = ("distribution", "leak")
"""Comparisons that can leave a column alone."""


def suite_text(found: Suggested, objections: Sequence[FailedExpectation]) -> str:
    """``objections`` are what the usual comparisons had against these very partitions, which stand."""
    return "\n".join(_lines(found, objections)) + "\n"


def _lines(found: Suggested, objections: Sequence[FailedExpectation]) -> Iterator[str]:
    yield f"# Suggested from {found.partitions} partitions with {found.rows} rows. Each bound keeps what was seen, and"
    yield "# what chance may add to it. What is merely usual is not yet right: read it, and edit it."
    yield f"rows: {{minimum: {found.minimum_rows}, maximum: {found.maximum_rows}}}  # {found.why_rows}"
    if found.other_columns:
        yield "\n# In the source, and neither feature, target nor entity."
        yield f"other_columns: [{', '.join(map(_scalar, found.other_columns))}]"
    yield from _comparisons(objections)
    yield "\nexpectations:" if found.expectations else "\nexpectations: []"
    for each in found.expectations:
        yield from _expectation(each)
    if found.unlisted:
        yield f"\n# Too many values to list, so that nothing is said of them: {', '.join(found.unlisted)}."


def _comparisons(objections: Sequence[FailedExpectation]) -> Iterator[str]:
    critical = [each for each in objections if each.severity == CRITICAL]
    names = [name for name in COMPARISONS if any(each.expectation == name for each in critical)]
    if not names:
        return
    yield "\n# These partitions stand, and would have been refused otherwise: see whether each is as it should be."
    yield "comparisons:"
    for name in names:
        columns = dict.fromkeys(each.column for each in critical if each.expectation == name and each.column)
        said = f"apart: [{', '.join(map(_scalar, columns))}]" if name in _APART else "severity: warning"
        why = next(each.told for each in critical if each.expectation == name)
        yield f"  {name}: {{{said}}}  # {why}"


def _expectation(each: Suggestion) -> Iterator[str]:
    yield f"  # {each.kwargs['column']}: {each.why}"
    yield f"  - type: {each.type}"
    line = f"    kwargs: {{{', '.join(_pairs(each.kwargs))}}}"
    if len(line) <= _WIDE:
        yield line
    else:
        yield "    kwargs:"
        for pair in _pairs(each.kwargs):
            yield from textwrap.wrap(
                pair, _WIDE, initial_indent=" " * 6, subsequent_indent=" " * 8, break_long_words=False,
                break_on_hyphens=False,
            )  # fmt: skip
    if each.severity != CRITICAL:
        yield f"    severity: {each.severity}"


def _pairs(kwargs: Mapping[str, Any]) -> Iterator[str]:
    for name, said in kwargs.items():
        yield f"{name}: {_listed(said)}" if isinstance(said, list) else f"{name}: {_scalar(said)}"


def _listed(values: Iterable[object]) -> str:
    return f"[{', '.join(map(_scalar, values))}]"


def _scalar(said: object) -> str:
    """JSON is YAML; a plain word needs no quotes."""
    if isinstance(said, str) and _PLAIN.fullmatch(said) and said.lower() not in _WORDS:
        return said
    return json.dumps(said, ensure_ascii=False, default=str)
