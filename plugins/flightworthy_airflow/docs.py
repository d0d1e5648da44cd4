"""What the UI says beside a task: the words of its operator, unless the DAG has its own."""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["documented", "explanation"]


def explanation(operator: type) -> str:
    """The operator's docstring up to its parameters. Name it in ``partial(doc_md=…)``, which asks no constructor."""
    return (inspect.getdoc(operator) or "").split("\n:param")[0].strip()


def documented(operator: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """An operator's constructor arguments with its explanation in them."""
    return {"doc_md": explanation(type(operator)), **arguments}
