"""Treats a partition's rows before anything of them is written: declared columns, undeclared ones, the erased.

`Protection` is what a model's spec, the keys and the list of the erased come to. For each partition it gives a function
of its batches, in their order: columns that the spec declares are replaced or dropped, rows of people who were erased
are left out, and a partition that names people in columns nobody declared is refused, by column and never by value.
"""

from flightworthy.adapters.personal_columns.protection import Protect, Protection
from flightworthy.adapters.personal_columns.source import ProtectedSource

__all__ = ["Protect", "ProtectedSource", "Protection"]
