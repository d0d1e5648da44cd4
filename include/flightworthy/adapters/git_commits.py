"""The checkout that models live in: its commits, their files, and a second working tree at one of them."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flightworthy.errors import Refused

__all__ = ["GitCommits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GitCommits:
    """``folder`` is somewhere inside a checkout.

    Where git says no, every method raises Refused but ``is_there`` and ``authors``.
    """

    folder: Path

    def is_there(self, commit: str) -> bool:
        """Whether this is a checkout, and has the commit."""
        try:
            self._git("cat-file", "-e", f"{commit}^{{commit}}")
        except Refused:
            return False
        return True

    def prefix(self) -> str:
        """The folder's path inside the checkout."""
        return self._git("rev-parse", "--show-prefix").decode().strip().rstrip("/")

    def file(self, commit: str, path: str) -> bytes | None:
        """A file as the commit has it, its path as the checkout names it; None where it has none."""
        try:
            return self._git("show", f"{commit}:{path}")
        except Refused:
            return None

    def changed(self, one: str, other: str, path: str) -> list[str]:
        """The files under ``path`` (as the checkout names it) that differ between two commits, with A, D or M."""
        told = self._git("diff", "--name-status", "--no-renames", one, other, "--", f":/{path}")
        return told.decode().replace("\t", " ").splitlines()

    def authors(self) -> list[str]:
        """Who last committed to what is in the folder: their name, their address, and the part before its @.

        Empty where nobody can know: no checkout, no git, or a folder that no commit has.
        """
        try:
            told = self._git("log", "-1", "--format=%an%n%ae", "--", ".").decode().split("\n")
        except Refused:
            return []
        return [name for line in told for name in dict.fromkeys((line.strip(), line.partition("@")[0].strip())) if name]

    @contextmanager
    def at(self, commit: str) -> Iterator[Path]:
        """A working tree of the commit in a folder of its own, gone afterwards; yields what ``folder`` is in it."""
        prefix = self.prefix()
        with tempfile.TemporaryDirectory(prefix="flightworthy-commit-") as scratch:
            tree = Path(scratch) / "tree"
            self._git("worktree", "add", "--quiet", "--detach", str(tree), commit)
            try:
                yield tree / prefix
            finally:
                self._git("worktree", "remove", "--force", str(tree))

    def _git(self, *words: str) -> bytes:
        try:
            done = subprocess.run(["git", *words], cwd=self.folder, capture_output=True, check=False)
        except OSError as error:
            raise Refused(f"git could not be run in {self.folder}: {error}", folder=str(self.folder)) from error
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise Refused(f"git {words[0]} in {self.folder} said no: {said}", folder=str(self.folder), said=said)
        return done.stdout
