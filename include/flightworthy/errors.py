"""Every error that Flightworthy raises, in one tree.

::

    FlightworthyError
    ├── Refused              asking again gives the same answer; an operator fails without a retry
    │   ├── SpecError            model.yaml or suite.yaml is wrong; carries file, line and key
    │   ├── PartitionRefused     source data that cannot be read, or that its expectations refuse
    │   ├── PartitionMissing     the data interval has no partition in its source
    │   ├── PartitionTaken       another run has the arrival that woke this one
    │   ├── ModelCodeError       the model author's own train.py failed
    │   ├── ArtifactRefused      a model artifact that is not what was registered, or is not safe to load
    │   ├── ChallengerRefused    the gates objected
    │   ├── ReleaseRefused       a release that was withdrawn, or that cannot be made
    │   ├── Conflict             another decision was made first
    │   └── LedgerBroken         the chain of decisions does not hold
    └── Unavailable          something that should answer did not; worth another try

A message says what happened, why, and what to do next. The facts are keyword fields, so that a test or a program
reads them without parsing prose, and an error survives pickling between Airflow's processes.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ArtifactRefused",
    "ChallengerRefused",
    "Conflict",
    "FlightworthyError",
    "LedgerBroken",
    "ModelCodeError",
    "PartitionMissing",
    "PartitionRefused",
    "PartitionTaken",
    "Refused",
    "ReleaseRefused",
    "SpecError",
    "Unavailable",
]


class FlightworthyError(Exception):
    """The root. ``facts`` holds what the message was made of."""

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.message, self.facts)


def _restore(kind: type[FlightworthyError], message: str, facts: dict[str, Any]) -> FlightworthyError:
    return kind(message, **facts)


class Refused(FlightworthyError):
    """Asking again gives the same answer."""


class SpecError(Refused):
    """``model.yaml:12: release.steps[2]=40: must be greater than the previous step (50)``."""


class PartitionRefused(Refused):
    """Source data that cannot be read without guessing, or that its expectations refuse."""


class PartitionMissing(Refused):
    """The data interval has no partition in its source. An operator skips rather than fails."""


class PartitionTaken(Refused):
    """Another run has the arrival that woke this one. An operator skips rather than fails."""


class ModelCodeError(Refused):
    """The model author's own code failed; the bug is theirs and the message says so."""


class ArtifactRefused(Refused):
    """A model artifact that is not what was registered, or that is not safe to load."""


class ChallengerRefused(Refused):
    """The gates objected; ``facts["objections"]`` names every one."""


class ReleaseRefused(Refused):
    """A release that was withdrawn, or that cannot be made."""


class Conflict(Refused):
    """Another decision was made first; ``facts`` holds the expected and the found generation."""


class LedgerBroken(Refused):
    """A ledger entry was changed, removed or reordered; ``facts["seq"]`` names it."""


class Unavailable(FlightworthyError):
    """Something that should answer did not; worth another try."""
