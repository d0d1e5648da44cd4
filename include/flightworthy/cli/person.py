"""Who asks on the command line, as the ledger names them."""

from __future__ import annotations

import getpass

__all__ = ["actor"]


def actor() -> str:
    """The login's name, and that it was here."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):
        return "somebody (command line)"
