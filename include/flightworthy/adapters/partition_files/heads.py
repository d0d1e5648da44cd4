"""What the first bytes of a text file tell before anything is parsed."""

from __future__ import annotations

from flightworthy.adapters.partition_files.cells import refused

__all__ = ["check_head"]

_PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


def check_head(head: bytes, uri: str, *, called: str) -> None:
    """Raises `PartitionRefused` for an empty file, an archive under the name of a plain file, and UTF-16."""
    if not head:
        raise refused(uri, "is empty (0 bytes)", "The upload may have been cut short; land it again.")
    for magic, name in _PACKED.items():
        if head.startswith(magic):
            what = f"is not {called} but a {name} archive"
            raise refused(uri, what, "Land it unpacked, or under a name that says so, such as .gz or .zip.")
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise refused(uri, "is UTF-16, not UTF-8", "Save it as UTF-8 and land it again.")
