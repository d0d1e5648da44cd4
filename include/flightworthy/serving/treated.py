"""What names a person in a request becomes what it is in the rows that were trained on, before anything looks at it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from flightworthy.personal import Treatment, Way, treat

if TYPE_CHECKING:
    from flightworthy.serving.contract import Feature

__all__ = ["Treated"]

Row = tuple[Any, ...]
_PSEUDONYM: Final = Treatment(way=Way.PSEUDONYM)


class Treated:
    """The features that are treated, by their place. Doing it twice does no more: golden requests are treated rows."""

    def __init__(self, features: Sequence[Feature], key: bytes | None) -> None:
        personal = [(place, each) for place, each in enumerate(features) if each.personal is not None]
        self.lacks_key = key is None and any(
            each.personal.way is Way.PSEUDONYM for _, each in personal if each.personal
        )
        """Whether it cannot do its part; a server of such a model does not start."""
        self._changes: dict[int, Callable[[Any], Any]] = {
            place: treat(each.personal, key) for place, each in personal if each.personal and not self.lacks_key
        }
        self._features = dict(personal)
        self._places = tuple(self._features)

    def rows(self, rows: list[Row]) -> list[Row] | tuple[str, str]:
        """The rows as they are scored and kept; or where a value cannot be treated, and why."""
        if not self._places:
            return rows
        kept = [list(row) for row in rows]
        for place in self._places:
            for number, row in enumerate(kept):
                value = self._value(place, row[place])
                if isinstance(value, _Wrong):
                    return f"[{number}].{self._features[place].name}", value.why
                row[place] = value
        return [tuple(row) for row in kept]

    def column(self, place: int, values: NDArray[Any], missing: NDArray[np.bool_] | None) -> NDArray[Any] | str:
        """A whole column; or why a value of it cannot be treated. What is missing stays as it is."""
        if place not in self._features:
            return values
        kept = values.astype(object)
        for at in range(len(kept)) if missing is None else np.flatnonzero(~missing):
            value = self._value(place, values[at].item() if isinstance(values[at], np.generic) else values[at])
            if isinstance(value, _Wrong):
                return value.why
            kept[at] = value
        return kept if values.dtype.kind == "O" else kept.astype(values.dtype)

    def _value(self, place: int, value: Any) -> Any:
        """The value as the contract wants it, once it was treated."""
        if value is None or value != value:  # noqa: PLR0124 - NaN is not itself
            return value
        try:
            changed = self._changes[place](value)
        except ValueError as error:
            return _Wrong(f"The value {error}")
        feature = self._features[place]
        if isinstance(changed, str):
            # Of pseudonyms nobody has written a list.
            is_known = feature.values is None or feature.personal == _PSEUDONYM or changed in feature.values
            return changed if is_known else _Wrong("Invalid category")
        flaw = feature.range_flaw(changed, changed)
        return changed if flaw is None else _Wrong(flaw)


class _Wrong:
    """Why there is no value."""

    __slots__ = ("why",)

    def __init__(self, why: str) -> None:
        self.why = why
