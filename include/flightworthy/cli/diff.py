"""``flightworthy diff``: what differs between two versions of a model, from the data to the decision."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict

from flightworthy.cli.answers import Answer, Exit, table
from flightworthy.cli.origins import Origins
from flightworthy.cli.settings import Settings
from flightworthy.cli.words import count, json_flag
from flightworthy.difference import Difference, difference

__all__ = ["arguments", "run"]

_SHOWN = 20


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    command.add_argument("model", metavar="MODEL")
    command.add_argument("one", type=count, metavar="V1")
    command.add_argument("other", type=count, metavar="V2")
    json_flag(command)


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Compare; exit code 0 whatever differs."""
    origins = Origins(model=asked.model, settings=settings)
    one, other = origins.origin(asked.one), origins.origin(asked.other)
    found = difference(one, other, files=origins.files_between(one, other))
    document = {
        "model": asked.model, "one": asked.one, "other": asked.other, "same_work": found.same_work, **asdict(found),
    }  # fmt: skip
    heads = ("WHAT", f"VERSION {asked.one}", f"VERSION {asked.other}")
    said = [f"not known: {each}" for each in found.unknown]
    if found.same_work:
        said.append("Both were made of the same data, parameters, code and environment.")
    return Answer(document=document, text="\n".join([table(heads, _rows(found)), *said]), exit=Exit.DONE)


def _rows(found: Difference) -> Iterator[tuple[object, ...]]:
    yield "data", *_digests(found.dataset)
    yield "  rows", *found.rows
    yield from _partitions(found)
    yield "parameters", *_sameness(bool(found.params))
    yield from ((f"  {name}", *values) for name, values in found.params.items())
    yield "code", *_digests(found.commit)
    yield "  of the model's folder", *_sameness(found.code_differs or found.config_differs)
    yield from ((f"  {line}", "", "") for line in found.files[:_SHOWN])
    yield "environment", *_digests(found.lock)
    yield from ((f"  {name}", *values) for name, values in list(found.packages.items())[:_SHOWN])
    yield "metrics, on the validation rows", "", ""
    yield from ((f"  {name}", *_measured(values)) for name, values in sorted(found.metrics.items()))
    yield "decision", *found.decision
    yield from (("  objection", each, "") for each in found.objections[0])
    yield from (("  objection", "", each) for each in found.objections[1])


def _partitions(found: Difference) -> Iterator[tuple[object, ...]]:
    for word, keys in (
        ("added", found.partitions_added),
        ("removed", found.partitions_removed),
        ("changed", found.partitions_changed),
    ):
        if keys:
            shown = ", ".join(keys[:_SHOWN]) + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")
            yield f"  partitions {word}", len(keys), shown


def _digests(pair: tuple[str, str] | None) -> tuple[str, str]:
    return ("the same", "") if pair is None else (pair[0][:12] or "none", pair[1][:12] or "none")


def _sameness(differs: bool) -> tuple[str, str]:
    return ("differs" if differs else "the same", "")


def _measured(values: tuple[float | None, float | None]) -> tuple[str, str]:
    one, other = values
    if one is None or other is None:
        return tuple("-" if value is None else f"{value:.5g}" for value in values)  # type: ignore[return-value]
    return f"{one:.5g}", f"{other:.5g} ({other - one:+.3g})"
