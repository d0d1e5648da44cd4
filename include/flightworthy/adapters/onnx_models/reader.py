"""Load a sealed ONNX model and predict on plain arrays; needs only numpy and ONNX Runtime, being in the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from flightworthy.adapters.onnx_models.graph import objection_to
from flightworthy.artifact import positive_column, read_contract, verify
from flightworthy.errors import ArtifactRefused

__all__ = ["MISSING_TEXT", "MODEL", "OnnxModel", "load_model", "open_session"]

MODEL = "model.onnx"
MISSING_TEXT = "nan"
"""How a missing category is written: what the converter makes of scikit-learn's own mark, which is NaN."""
_NOT_MISSING = "\x00nan"
"""The text that happens to read like that mark."""

_TYPES: Final[Mapping[str, Any]] = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(string)": object}
_is_missing = np.frompyfunc(lambda value: value is None or value != value, 1, 1)  # noqa: PLR0124 - NaN alone differs
_ERRORS: Final = tuple(
    kind
    for kind in vars(onnxruntime.capi.onnxruntime_pybind11_state).values()
    if isinstance(kind, type) and issubclass(kind, Exception)
)
"""Each kind of failure is an exception of its own; they have no parent in common."""
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxModel:
    """A model that was verified before it was loaded. ``contract`` is the parsed contract.json."""

    contract: Mapping[str, Any]
    digest: str
    session: Any
    inputs: Sequence[tuple[str, int, int, Any]]
    """Name, first and last column, and type of each input; in the contract's order they take all columns."""
    outputs: list[str]
    column: int

    def predict(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """P(positive) of each row.

        ``rows`` is 2-D with the features in the contract's order: float if all are numbers, else object, where
        None and NaN both mean missing.
        """
        if len(self.inputs) == 1:
            name, _, _, kind = self.inputs[0]
            feed = {name: _typed(rows, kind)}
        else:
            feed = {name: _typed(rows[:, first:last], kind) for name, first, last, kind in self.inputs}
        return _rounded(self.session.run(self.outputs, feed)[0][:, self.column].astype(np.float64))


def load_model(folder: Path, *, digest: str | None = None) -> OnnxModel:
    """Verify ``folder`` against its manifest (and ``digest``), then load its model, which runs no code of its own.

    Raises ArtifactRefused when a file was changed, added or removed, or when the graph asks for operators that are not
    ONNX's own, or for other files.
    """
    found = verify(folder, digest=digest)
    contract = read_contract(folder)
    path = folder / MODEL
    try:
        content = path.read_bytes()
        objection = objection_to(content)
    except (OSError, ValueError, RecursionError) as error:
        raise _refusal(path, f"cannot be read as an ONNX file ({type(error).__name__}: {error})") from error
    if objection:
        raise _refusal(path, objection)
    try:
        session = open_session(content)
    except _ERRORS as error:
        raise _refusal(path, f"is refused by ONNX Runtime ({error})") from error
    inputs = _inputs(session)
    if not inputs or inputs[-1][2] != len(contract["features"]):
        raise _refusal(path, f"takes other columns than the {len(contract['features'])} features of the contract")
    return OnnxModel(
        contract=contract,
        digest=found,
        session=session,
        inputs=inputs,
        outputs=[session.get_outputs()[-1].name],
        column=positive_column(folder, contract),
    )


def open_session(content: bytes) -> Any:
    """A session on one thread: servers are scaled by processes, and a spinning thread would steal another's core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 4  # what is refused is raised; the rest is of no use to who serves
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _inputs(session: Any) -> list[tuple[str, int, int, Any]]:
    found, column = [], 0
    for each in session.get_inputs():
        width = each.shape[1]
        found.append((each.name, column, column + width, _TYPES[each.type]))
        column += width
    return found


def _typed(columns: NDArray[Any], kind: Any) -> NDArray[Any]:
    if kind is not object:
        return columns.astype(kind)
    columns = np.where(columns == MISSING_TEXT, _NOT_MISSING, columns)
    columns[_is_missing(columns).astype(bool)] = MISSING_TEXT
    return columns


def _rounded(predictions: NDArray[np.float64]) -> NDArray[np.float64]:
    """A hundred trees that all say yes add up to 1.0000007 in 32 bits; what is further out than that stays as it is."""
    if np.minimum.reduce(predictions) >= 0.0 and np.maximum.reduce(predictions) <= 1.0:
        return predictions
    nearest = predictions.clip(0.0, 1.0)
    return np.where(np.abs(nearest - predictions) <= _ROUNDING, nearest, predictions)


def _refusal(path: Path, why: str) -> ArtifactRefused:
    return ArtifactRefused(
        f"{path} {why}. It was not loaded; train and register the model again.",
        folder=str(path.parent),
        file=path.name,
        why=why,
    )
