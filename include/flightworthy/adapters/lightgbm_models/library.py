"""LightGBM's C interface, as far as prediction needs it: its package would load SciPy and scikit-learn too."""

from __future__ import annotations

import ctypes
import importlib.util
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_void_p
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flightworthy.errors import Unavailable

__all__ = ["Booster"]

_FLOAT64, _NORMAL = 1, 0
_PARAMETERS: Final = b"num_threads=1"
"""Servers are scaled by processes."""

_SIGNATURES: Final[dict[str, list[Any]]] = {
    "LGBM_BoosterCreateFromModelfile": [c_char_p, POINTER(c_int), POINTER(c_void_p)],
    "LGBM_BoosterFree": [c_void_p],
    "LGBM_BoosterGetNumClasses": [c_void_p, POINTER(c_int)],
    "LGBM_BoosterGetNumFeature": [c_void_p, POINTER(c_int)],
    "LGBM_BoosterPredictForMat": [
        *(c_void_p, c_void_p, c_int, ctypes.c_int32, ctypes.c_int32, c_int, c_int, c_int, c_int),
        *(c_char_p, POINTER(c_int64), c_void_p),
    ],
    "LGBM_BoosterPredictForMatSingleRowFast": [c_void_p, c_void_p, POINTER(c_int64), c_void_p],
    "LGBM_BoosterPredictForMatSingleRowFastInit": [
        *(c_void_p, c_int, c_int, c_int, c_int, ctypes.c_int32, c_char_p, POINTER(c_void_p)),
    ],
    "LGBM_FastConfigFree": [c_void_p],
}


class Booster:
    """A booster from a model file. Raises ValueError, with the library's own words, where LightGBM cannot read it."""

    def __init__(self, path: Path) -> None:
        self._handle, self._fast = c_void_p(), c_void_p()
        self._library = _library()
        self._call("LGBM_BoosterCreateFromModelfile", str(path).encode(), byref(c_int()), byref(self._handle))
        self.features = self._count("LGBM_BoosterGetNumFeature")
        self.classes = self._count("LGBM_BoosterGetNumClasses")
        self._call(
            "LGBM_BoosterPredictForMatSingleRowFastInit",
            *(self._handle, _NORMAL, 0, -1, _FLOAT64, self.features, _PARAMETERS, byref(self._fast)),
        )

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the objective makes of each row; a probability, of a binary one. ``rows`` is C-contiguous."""
        answers, length = np.empty(len(rows)), c_int64()
        if len(rows) == 1:
            self._call(
                "LGBM_BoosterPredictForMatSingleRowFast",
                *(self._fast, rows.ctypes.data, byref(length), answers.ctypes.data),
            )
        else:
            self._call(
                "LGBM_BoosterPredictForMat",
                *(self._handle, rows.ctypes.data, _FLOAT64, len(rows), self.features, 1, _NORMAL, 0, -1),
                *(_PARAMETERS, byref(length), answers.ctypes.data),
            )
        return answers

    def __del__(self) -> None:
        for free, handle in (("LGBM_FastConfigFree", self._fast), ("LGBM_BoosterFree", self._handle)):
            if handle.value:
                getattr(self._library, free)(handle)

    def _count(self, name: str) -> int:
        found = c_int()
        self._call(name, self._handle, byref(found))
        return found.value

    def _call(self, name: str, *arguments: Any) -> None:
        if getattr(self._library, name)(*arguments):
            raise ValueError(f"LightGBM: {self._library.LGBM_GetLastError().decode(errors='replace')}")


@cache
def _library() -> ctypes.CDLL:
    found = importlib.util.find_spec("lightgbm")
    folders = [] if found is None else [Path(place) / "lib" for place in found.submodule_search_locations or ()]
    paths = [path for folder in folders for path in sorted(folder.glob("lib_lightgbm.*"))]
    if not paths:
        raise Unavailable("LightGBM is not installed here: its package has no lib_lightgbm. Install the lock.")
    library = ctypes.CDLL(str(paths[0]))
    for name, arguments in _SIGNATURES.items():
        getattr(library, name).argtypes = arguments
    library.LGBM_GetLastError.restype = c_char_p
    return library
