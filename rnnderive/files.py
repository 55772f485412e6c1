"""Files that are written whole or not at all, and whether they can be written where they were asked for."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rnnderive.errors import InputError

__all__ = ["check_folder", "check_place", "whole", "why_not"]


def why_not(error: OSError) -> str:
    """Why something could not be written, and what to do about it."""
    return {
        errno.ENOSPC: "there is no space left on the device; free some, and write it again",
        errno.EDQUOT: "the disk quota is used up; free some space, and write it again",
        errno.EACCES: "this folder may not be written to; choose another",
        errno.EROFS: "this file system may not be written to; choose another folder",
    }.get(error.errno or 0, error.strerror or str(error))


def check_folder(folder: str | os.PathLike[str], told: str = "") -> None:
    """Refuse a folder in which nothing can be written, before there is anything to write; it need not be there yet.

    Parameters
    ----------
    folder : path
    told : str
        What the message says of it: ``cannot write FOLDER`` unless given.

    Raises
    ------
    InputError
        Where it or what is above it is a file, and where no file can be made in it.
    """
    told = told or f"cannot write {folder}"
    place = Path(folder).absolute()
    there = next(p for p in (place, *place.parents) if os.path.lexists(p))
    if not there.is_dir():
        raise InputError(f"{told}: {there} is no folder")
    try:  # asked, not read off the permissions, which are not all that counts
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise InputError(f"{told}: no file can be made in {there} ({error.strerror or error})") from None


def check_place(path: str | os.PathLike[str]) -> None:
    """Refuse a path at which no file can be written, before there is anything to write.

    Raises
    ------
    InputError
        For a folder, and where :func:`check_folder` refuses the one that the path is in.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise InputError(f"cannot write {path}: it is a folder; expected the name of a file")
    if not _device(target):
        check_folder(target.parent, f"cannot write {path}")


@contextmanager
def whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """The name to write a file under; it is moved to its place when it is whole, and gone when it is not.

    The folder is made where there is none. The file behind a link is replaced and not the link; a device
    or a pipe is written to as it is.

    Raises
    ------
    InputError
        When it cannot be written: it names the path that was asked for.
    """
    target = Path(os.path.realpath(path))
    draft = target if _device(target) else target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder; expected the name of a file")
        target.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        if draft != target:
            os.replace(draft, target)
    except OSError as error:
        raise InputError(f"cannot write {path}: {why_not(error)}") from None
    finally:
        if draft != target:
            with suppress(OSError):
                draft.unlink(missing_ok=True)


def _device(target: Path) -> bool:
    return target.exists() and not target.is_file() and not target.is_dir()
