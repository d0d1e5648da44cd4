"""XGBoost's C interface, as far as prediction needs it: importing its package would load SciPy and much else too."""

from __future__ import annotations

import ctypes
import importlib.util
import math
from ctypes import POINTER, byref, c_char_p, c_float, c_uint64, c_void_p
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flightworthy.errors import Unavailable

__all__ = ["Booster"]

_CONFIG: Final = (
    b'{"type":0,"training":false,"iteration_begin":0,"iteration_end":0,"missing":NaN,"strict_shape":false,"cache_id":0}'
)
_SIGNATURES: Final[dict[str, list[Any]]] = {
    "XGBoosterCreate": [c_void_p, c_uint64, POINTER(c_void_p)],
    "XGBoosterFree": [c_void_p],
    "XGBoosterGetNumFeature": [c_void_p, POINTER(c_uint64)],
    "XGBoosterLoadModel": [c_void_p, c_char_p],
    "XGBoosterPredictFromDense": [
        *(c_void_p, c_char_p, c_char_p, c_void_p),
        *(POINTER(POINTER(c_uint64)), POINTER(c_uint64), POINTER(POINTER(c_float))),
    ],
    "XGBoosterSetParam": [c_void_p, c_char_p, c_char_p],
}


class Booster:
    """A booster from a model file. Raises ValueError, with the library's own words, where XGBoost cannot read it."""

    def __init__(self, path: Path) -> None:
        self._handle = c_void_p()
        self._library = _library()
        self._call("XGBoosterCreate", None, 0, byref(self._handle))
        self._call("XGBoosterLoadModel", self._handle, str(path).encode())
        # Servers are scaled by processes.
        self._call("XGBoosterSetParam", self._handle, b"nthread", b"1")
        features = c_uint64()
        self._call("XGBoosterGetNumFeature", self._handle, byref(features))
        self.features = features.value

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float32]:
        """What the objective makes of each row; a probability, of a binary one. ``rows`` is C-contiguous.

        XGBoost computes in 32 bits, here as in its own Python package.
        """
        shape, dimensions, answers = POINTER(c_uint64)(), c_uint64(), POINTER(c_float)()
        values = b'{"data":[%d,true],"shape":[%d,%d],"typestr":"<f8","version":3}' % (rows.ctypes.data, *rows.shape)
        self._call(
            "XGBoosterPredictFromDense",
            *(self._handle, values, _CONFIG, None, byref(shape), byref(dimensions), byref(answers)),
        )
        size = math.prod(shape[axis] for axis in range(dimensions.value))
        if size != len(rows):
            raise ValueError(f"XGBoost answered {size} numbers for {len(rows)} rows: it knows more than two classes")
        # The library owns what it points at, until it is asked again.
        return np.ctypeslib.as_array(answers, (len(rows),)).copy()

    def __del__(self) -> None:
        if self._handle.value:
            self._library.XGBoosterFree(self._handle)

    def _call(self, name: str, *arguments: Any) -> None:
        if getattr(self._library, name)(*arguments):
            raise ValueError(f"XGBoost: {self._library.XGBGetLastError().decode(errors='replace')}")


@cache
def _library() -> ctypes.CDLL:
    found = importlib.util.find_spec("xgboost")
    folders = [] if found is None else [Path(place) / "lib" for place in found.submodule_search_locations or ()]
    paths = [path for folder in folders for path in sorted(folder.glob("libxgboost.*"))]
    if not paths:
        raise Unavailable("XGBoost is not installed here: its package has no libxgboost. Install what the lock names.")
    library = ctypes.CDLL(str(paths[0]))
    for name, arguments in _SIGNATURES.items():
        getattr(library, name).argtypes = arguments
    library.XGBGetLastError.restype = c_char_p
    return library
