"""Text as nobody can use it, in files that hold it in cells of its own: no UTF-8, or with a NUL in it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flightworthy.adapters.partition_files.cells import Cells

__all__ = ["checked"]


def checked(cells: Cells) -> Cells:
    """The cells. Raises `PartitionRefused` for the first of a column that CSV would be refused for too."""
    for name, column in zip(cells.batch.schema.names, cells.batch.columns, strict=True):
        if not pa.types.is_string(column.type):
            continue
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            row = next(row for row, cell in enumerate(column.cast(pa.binary())) if not _is_utf8(cell.as_py() or b""))
            raise cells.refused(name, row, "the text is not UTF-8", "Write it as UTF-8.") from None
        if _may_hold_nul(column) and (row := pc.index(pc.match_substring(column, "\0"), True).as_py()) >= 0:
            raise cells.refused(name, row, "the text holds a NUL", "It is damaged, or not text; export it again.")
    return cells


def _may_hold_nul(column: pa.Array) -> bool:
    """Also where only a missing cell has one beneath it."""
    text = column.buffers()[2]
    return text is not None and not np.frombuffer(text, np.uint8).all()


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
