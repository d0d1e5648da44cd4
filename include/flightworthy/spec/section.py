"""What all sections of model.yaml have in common, and how a section says that it is wrong."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

__all__ = ["Section", "problem", "problems"]


def problem(sentence: str) -> PydanticCustomError:
    """Make the error of a section that is wrong as a whole."""
    return PydanticCustomError("spec", "{sentence}", {"sentence": sentence})


def problems(found: Sequence[tuple[tuple[str | int, ...], str]]) -> PydanticCustomError:
    """Make one error of several, each with its path inside the section."""
    joined = "; ".join(f"{'.'.join(map(str, at))}: {sentence}" for at, sentence in found)
    return PydanticCustomError("spec", "{joined}", {"joined": joined, "problems": tuple(found)})


class Section(BaseModel):
    """A part of a spec: immutable, no unknown keys, no conversions that guess."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )
