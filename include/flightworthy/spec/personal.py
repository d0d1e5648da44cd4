"""The section of model.yaml that says which columns name a person, and which only look so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from flightworthy.personal import Treatment, Way
from flightworthy.spec.quantities import ColumnName
from flightworthy.spec.section import Section, problem

__all__ = ["Personal", "PersonalColumn"]

_WORDS = ("pseudonym", "drop", "zip3")


class PersonalColumn(Section):
    """What becomes of one column; ``email: drop`` is short for ``email: {drop: true}``."""

    pseudonym: bool = False
    """A keyed pseudonym stands for each value."""
    drop: bool = False
    """The column is left out."""
    bucket: Annotated[int, Field(ge=2)] | None = None
    """A number becomes the largest multiple of this that is not above it."""
    at_most: int | None = None
    """Numbers above this become this."""
    prefix: Annotated[int, Field(ge=1)] | None = None
    """A text becomes its first so many characters."""
    zip3: bool = False
    """A US ZIP code becomes its first three digits."""
    date: Literal["year", "month"] | None = None
    """A date becomes its year or its month."""

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, written: Any) -> Any:
        if isinstance(written, str) and written in _WORDS:
            return {written: True}
        if isinstance(written, str):
            raise problem(f"must be one of {', '.join(_WORDS)}, or a mapping of bucket, at_most, prefix or date")
        return written

    @model_validator(mode="after")
    def _say_one_thing(self) -> PersonalColumn:
        said = [self.pseudonym, self.drop, self.zip3, self.prefix is not None, self.date is not None]
        said += [self.bucket is not None or self.at_most is not None]
        if sum(said) != 1:
            raise problem("must say one thing: pseudonym, drop, zip3, prefix, date, or bucket and at_most")
        return self

    @property
    def treatment(self) -> Treatment:
        """The same as a function's argument."""
        if self.bucket is not None or self.at_most is not None:
            return Treatment(way=Way.BUCKET, size=self.bucket, most=self.at_most)
        if self.prefix is not None:
            return Treatment(way=Way.PREFIX, size=self.prefix)
        if self.date is not None:
            return Treatment(way=Way.DATE, month=self.date == "month")
        return Treatment(way=Way.PSEUDONYM if self.pseudonym else Way.DROP if self.drop else Way.ZIP3)


class Personal(Section):
    """What names a person, wherever it is written; and what does not, though it looks so."""

    columns: Mapping[ColumnName, PersonalColumn] = Field(default_factory=dict)
    """What becomes of each, before anything is written."""
    not_personal: Mapping[ColumnName, Annotated[str, Field(min_length=3)]] = Field(default_factory=dict)
    """Columns that look like a person's and are not, each with the reason."""
