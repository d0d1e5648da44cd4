"""JSON lines that are taken apart by an expression say what the decoder says of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flightworthy.adapters.partition_files import PartitionFiles, json_lines
from flightworthy.errors import PartitionRefused
from flightworthy.spec import Source

ODD = (
    "01", "1.", ".5", "+1", "-", "-0", "1E5", "1e+5", "1e", "0x1", "1_0", "\u0661", "nul", "null", "True", "true",
    "NaN", "-Infinity", "[1]", "{}", '""', '"x,\\"y"', '"\\u00e4"', '"\\ud800"', '"a\tb"', '"a', "'a'", '"}"', '"null"',
    '"\x7f"', "9007199254740993", "99999999999999999999", "1e400", "",
)  # fmt: skip
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False)).map(json.dumps)
TEXTS = st.text(max_size=5).map(lambda text: json.dumps(text, ensure_ascii=False))
VALUES = st.one_of(st.sampled_from(ODD), NUMBERS, TEXTS, st.sampled_from(["true", "false", "null"]))
GAPS = st.sampled_from(["", " ", "\t", "  ", "\r", "\u00a0"])


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Rows of three columns, mostly alike: some are written with gaps, in another order, or wrong."""
    kinds = draw(st.tuples(*[st.sampled_from([NUMBERS, TEXTS, st.sampled_from(["true", "null"])])] * 3))
    written = []
    for _ in range(draw(st.integers(1, 4))):
        cells = [draw(st.one_of(kind, kind, kind, kind, VALUES)) for kind in kinds]
        gap, keys = draw(GAPS), draw(st.sampled_from(["abc", "abc", "abc", "abc", "bac", "aba", "ab", "abcd"]))
        pairs = (f'"{key}"{gap}:{gap}{cell}' for key, cell in zip(keys, (*cells, "1"), strict=False))
        written.append(
            f"{{{gap}" + f"{gap},{gap}".join(pairs) + f"{gap}}}{draw(st.sampled_from(['', '', '', ',', 'x']))}"
        )
    return "\n".join(written)


def reading(landing: Path, text: str) -> Any:
    """The table, or the sentence of the refusal."""
    (landing / "2026.jsonl").write_bytes(text.encode("utf-8", "surrogatepass"))
    source = PartitionFiles(source=Source(uri=f"{landing}/{{partition}}.jsonl", partition="%Y"), types={})
    try:
        (content,) = source.read(["2026"]).values()
        if isinstance(content, PartitionRefused):
            return content.message
        *_, last = (pa.Table.from_batches(list(attempt)) for attempt in content.attempts())
    except PartitionRefused as refusal:
        return refusal.message
    return last.schema.to_string(), last.to_pylist()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example('{"a":1,"b":"x","c":true}\n{"a":01,"b":"x","c":true}')
@example('{"a":1,"b":"x","c":true}\n{"a":2,"b":"null","c":null}')
@example('{"a":1,"b":"x","c":null}\n{"a":"1","b":"y","c":null}')
@given(text=lines())
def test_a_line_says_the_same_however_it_is_read(tmp_path: Path, text: str) -> None:
    """Taken apart by the expression, and all of them decoded: one table, or one refusal in the same words."""
    quick = reading(tmp_path, text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lines, "_alike", lambda _: re.compile(r"(?!)"))
        decoded = reading(tmp_path, text)
    assert quick == decoded


def test_lines_like_the_first_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands between their values, and whichever they are; one with an escape is."""
    decode, seen = json_lines._decode, []
    monkeypatch.setattr(json_lines, "_decode", lambda text: [seen.append(text), decode(text)][1])
    plain = ['{"a":1,"ä b":"x"}', '{ "a" : -1.5e3 , "ä b" : "ü, \u2028 }" }', '{"a":null,"ä b":null}']
    escaped = '{"a":2,"ä b":"\\n"}'

    _, rows = reading(tmp_path, "\n".join([*plain, escaped]))

    assert seen == [plain[0], escaped]
    assert [row["ä b"] for row in rows] == ["x", "ü, \u2028 }", None, "\n"]


def test_a_line_that_is_almost_like_the_first_costs_no_more_for_its_length(tmp_path: Path) -> None:
    """Nothing in it is tried twice: three megabytes are refused as soon as they are read."""
    long = '"' + "a" * 1_500_000 + '","b":' + "1" * 1_500_000

    assert "line 2 is not JSON" in reading(tmp_path, '{"a":"x","b":1}\n{"a":' + long + "x}")
