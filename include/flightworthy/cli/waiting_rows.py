"""The rows that wait in quarantine, as they may be shown: what names a person is masked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from flightworthy.quarantine import RefusedRows

__all__ = ["reason_lines", "row_documents"]

_MASK = "•••"


def row_documents(
    rows: pa.Table, refused: RefusedRows | None, *, folder: Path, environ: Mapping[str, str], limit: int
) -> list[dict[str, Any]]:
    """The first ``limit`` of them, each with its place and its reasons.

    What a column says is shown where model.yaml can be read and does not call it personal; else all of it is masked.
    """
    hidden = _hidden(rows.column_names, folder, environ)
    shown = rows.slice(0, limit).to_pylist()
    return [
        {
            "place": refused.places[number] if refused else number,
            "reasons": list(refused.reasons[number]) if refused else [],
            "row": {name: _MASK if name in hidden and cell is not None else cell for name, cell in row.items()},
        }
        for number, row in enumerate(shown)
    ]


def reason_lines(refused: RefusedRows | None) -> str:
    """How many rows each reason has, the commonest first; nothing where the whole partition waits."""
    counted = Counter(reason for reasons in refused.reasons for reason in reasons) if refused else Counter()
    return "".join(f"{count} rows: {reason}\n" for reason, count in counted.most_common()) + ("\n" if counted else "")


def _hidden(columns: list[str], folder: Path, environ: Mapping[str, str]) -> set[str]:
    from flightworthy.adapters.spec_files import load
    from flightworthy.errors import SpecError

    try:
        return set(load(folder, environ).personal.columns)
    except SpecError:
        return set(columns)
