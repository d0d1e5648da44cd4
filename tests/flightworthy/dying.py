"""A process that is killed before its n-th effect on files, and what is left there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyarrow import parquet


def tree(root: Path, *, without: str = "") -> dict[str, bytes]:
    found = (path for path in root.rglob("*") if path.is_file() and without not in path.parent.parts)
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def dying_at(count: int, work: Callable[[], None], *more: tuple[Any, str]) -> Callable[[], None]:
    """``work`` with the process killed before its n-th effect on files, or before the n-th call of what is named."""

    def killed() -> None:
        steps = iter(range(1_000))

        def dies(call: Callable[..., Any]) -> Callable[..., Any]:
            def called(*args: Any, **kwargs: Any) -> Any:
                if next(steps) == count:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **kwargs)

            return called

        for owner, name in (
            (os, "fsync"), (os, "unlink"), (os, "rmdir"), (Path, "rename"), (Path, "replace"), (Path, "mkdir"),
            (Path, "write_text"), (parquet, "write_table"), *more,
        ):  # fmt: skip
            setattr(owner, name, dies(getattr(owner, name)))
        work()

    return killed
