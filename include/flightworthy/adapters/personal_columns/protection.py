"""What a model's rows go through on their way in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from flightworthy.adapters.personal_columns.looking import Look
from flightworthy.errors import PartitionRefused, Refused
from flightworthy.personal import KEY_FILE, Keys, Treatment, Way, pseudonym, refusal_of, treat
from flightworthy.spec import Spec

__all__ = ["Protect", "Protection"]

Protect = Callable[[pa.Table], pa.Table]
"""A typed batch of one partition in, what may be written of it out. Raises `PartitionRefused`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """``erased`` are the pseudonyms of those who were erased, by the fingerprint of the key that made them."""

    treatments: Mapping[str, Treatment]
    not_personal: frozenset[str]
    entity: str
    keys: Keys | None = field(repr=False)
    erased: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: Spec, keys: Keys | None, erased: Mapping[str, frozenset[str]]) -> Self:
        """Raises Refused, before a row is read, where a key is needed that is not at hand."""
        treatments = {name: column.treatment for name, column in spec.personal.columns.items()}
        needed = [name for name, each in treatments.items() if each.way is Way.PSEUDONYM]
        if keys is None and (needed or erased):
            raise _no_key(spec.model, needed)
        if lost := sorted(erased.keys() - (keys.known.keys() if keys else set())):
            raise _lost_key(spec.model, lost)
        return cls(
            treatments=treatments,
            not_personal=frozenset(spec.personal.not_personal),
            entity=spec.entity,
            keys=keys,
            erased=erased,
        )

    @property
    def makes_pseudonyms(self) -> bool:
        """Whether what it lets through holds pseudonyms, which go with one key alone."""
        return any(each.way is Way.PSEUDONYM for each in self.treatments.values())

    def begin(self) -> Protect:
        """A partition's own function: what it saw of the batches before counts for the next."""
        look = Look(leave_out={*self.treatments, *self.not_personal})

        def protect(table: pa.Table) -> pa.Table:
            self._see_declared(table)
            if findings := look.at(table):
                raise refusal_of(findings)
            return self._treated(self._without_erased(table))

        return protect

    def _see_declared(self, table: pa.Table) -> None:
        if absent := [name for name in self.treatments if name not in table.column_names]:
            raise PartitionRefused(
                f"personal.columns declares {', '.join(absent)}, and the partition has no such column; it has "
                f"{', '.join(table.column_names)}. Under another name it would be written as it is: correct "
                "model.yaml, or the source.",
                columns=absent,
            )

    def _treated(self, table: pa.Table) -> pa.Table:
        columns = {}
        for name in table.column_names:
            treatment = self.treatments.get(name)
            if treatment is None:
                columns[name] = table[name]
            elif treatment.way is not Way.DROP:
                columns[name] = self._changed(name, treatment, table[name])
        return pa.table(columns)

    def _changed(self, name: str, treatment: Treatment, column: pa.ChunkedArray) -> pa.Array:
        """Each different value once; the cells follow it."""
        change = treat(treatment, self.keys.current if self.keys else None)
        encoded = column.combine_chunks().dictionary_encode()
        is_same_kind = treatment.way is Way.BUCKET or pa.types.is_temporal(column.type)
        kind = column.type if is_same_kind else pa.string()
        try:
            changed = pa.array([change(value) for value in encoded.dictionary.to_pylist()], type=kind)
        except ValueError as error:
            raise PartitionRefused(
                f"column {name!r}: a cell {error}, and personal.columns wants it as {treatment.way}. "
                "Correct the source, or say in model.yaml what else becomes of it.",
                column=name,
            ) from None
        return changed.take(encoded.indices)

    def _without_erased(self, table: pa.Table) -> pa.Table:
        if not any(self.erased.values()) or self.entity not in table.column_names or self.keys is None:
            return table
        encoded = table[self.entity].combine_chunks().dictionary_encode()
        gone = [self._is_erased(value) for value in encoded.dictionary.to_pylist()]
        if not any(gone):
            return table
        return table.filter(pc.invert(pc.fill_null(pa.array(gone).take(encoded.indices), False)))

    def _is_erased(self, entity: Any) -> bool:
        known = self.keys.known if self.keys else {}
        return any(pseudonym(known[made_with], entity) in gone for made_with, gone in self.erased.items())


def _no_key(model: str, needed: Sequence[str]) -> Refused:
    what = f"pseudonyms of {', '.join(needed)}" if needed else "to know those who were erased"
    return Refused(
        f"{model} was not read: it needs {what}, and there is no key. Nothing was written. Name the file of the key in "
        f"{KEY_FILE}, or put the key into the password of the connection flightworthy_default.",
        model=model,
        columns=list(needed),
    )


def _lost_key(model: str, lost: Sequence[str]) -> Refused:
    return Refused(
        f"{model} was not read: people were erased whose pseudonyms were made with another key ({', '.join(lost)}), "
        f"and their rows could come back. Name that key's file too, behind the current one, in {KEY_FILE}.",
        model=model,
        keys=list(lost),
    )
