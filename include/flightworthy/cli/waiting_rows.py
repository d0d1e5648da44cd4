"""What waits in quarantine or was given up, as it may be shown: what names a person is masked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flightworthy.ledger import instant

if TYPE_CHECKING:
    import pyarrow as pa

    from flightworthy.quarantine import Discard, WaitingRow

__all__ = ["discard_document", "reason_lines", "row_documents"]

_MASK = "•••"


def row_documents(
    rows: pa.Table, apart: Sequence[WaitingRow], *, folder: Path, environ: Mapping[str, str], limit: int
) -> list[dict[str, Any]]:
    """The first ``limit`` of them, each with its number, its reasons and whether it still waits.

    What a column says is shown where model.yaml can be read and does not call it personal; else all of it is masked.
    """
    hidden = _hidden(rows.column_names, folder, environ)
    shown = rows.slice(0, limit).to_pylist()
    return [
        {
            "number": apart[place].number if apart else place,
            "state": apart[place].state if apart else "waits",
            "reasons": list(apart[place].reasons) if apart else [],
            "row": {name: _MASK if name in hidden and cell is not None else cell for name, cell in row.items()},
        }
        for place, row in enumerate(shown)
    ]


def reason_lines(apart: Sequence[WaitingRow]) -> str:
    """How many rows each reason has, the commonest first; nothing where the whole partition waits."""
    counted = Counter(reason for row in apart for reason in row.reasons)
    return "".join(f"{count} rows: {reason}\n" for reason, count in counted.most_common()) + ("\n" if counted else "")


def discard_document(discard: Discard | None) -> dict[str, Any] | None:
    """Who gave it up and why, as JSON types; None where nobody has."""
    if discard is None:
        return None
    return {"actor": discard.actor, "reason": discard.reason, "at": instant(discard.at)}


def _hidden(columns: list[str], folder: Path, environ: Mapping[str, str]) -> set[str]:
    from flightworthy.adapters.spec_files import load
    from flightworthy.errors import SpecError

    try:
        return set(load(folder, environ).personal.columns)
    except SpecError:
        return set(columns)
