"""What names a person: what becomes of it before anything is written, and how it is noticed where nobody declared it.

``pseudonyms`` makes what stands for a value, ``treatment`` is what becomes of a declared column, cell by cell;
``kinds`` are the identifiers that a column may look like (``numbers`` has their check digits), ``naming`` knows them by
a column's name, ``evidence`` decides. The same functions treat the rows of a partition and of a request, so that the
two can be held beside each other.
"""

from flightworthy.personal.evidence import Finding, Tally, refusal_of
from flightworthy.personal.kinds import CERTAIN, LIKELY, Kind
from flightworthy.personal.naming import kind_named, names_an_age
from flightworthy.personal.pseudonyms import KEY, KEY_FILE, Keys, fingerprint, pseudonym, read_keys, text_of
from flightworthy.personal.treatment import Treatment, Way, treat

__all__ = [
    "CERTAIN",
    "KEY",
    "KEY_FILE",
    "LIKELY",
    "Finding",
    "Keys",
    "Kind",
    "Tally",
    "Treatment",
    "Way",
    "fingerprint",
    "kind_named",
    "names_an_age",
    "pseudonym",
    "read_keys",
    "refusal_of",
    "text_of",
    "treat",
]
