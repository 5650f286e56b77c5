"""Trees of files: a folder here, or anything that fsspec reaches.

A tree is listed folder by folder, and what is asked of a file is little: its bytes, its size, and
to be replaced at once. Both kinds of trees do the same, and can be sent to other processes.

*Here.* A file is written in a folder of its own for each run, ``DST/.pyjpegml/*.tmp``, synced, and
renamed; then its folder is synced. So under its final name a file is whole at every moment, after a
loss of power too. A run that begins removes the folders that dead ones of the same shard left: what
is left of *their* workers, if anything, can then rename nothing any more.

*Elsewhere.* Object stores show an object when all of it is there. Where that is not so (SFTP, SMB),
a file is written under a name with ``.tmp`` in it, and moved.

*A file that changes while it is read* is known by its size, time or number, which are looked at
before and after.
"""

from __future__ import annotations

import os
import posixpath
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from pyjpegml.files import FileError

#: What a run keeps in the folder of its outputs.
STATE = ".pyjpegml"

#: Where an object appears at once, when all of it is there.
AT_ONCE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory"}

#: How often a file is read again that changed meanwhile.
READS = 3


@dataclass(frozen=True)
class Entry:
    """A file or a folder in a listing.

    Attributes
    ----------
    name : str
        Without its folder.
    is_folder : bool
    size : int
        In bytes; 0 of a folder.
    version : str
        Changes when the file does.
    """

    name: str
    is_folder: bool
    size: int = 0
    version: str = ""


class Tree(Protocol):
    """What :func:`pyjpegml.batch.batch` reads from or writes to. Paths are relative, with ``/``."""

    url: str

    @property
    def in_this_process(self) -> bool:
        """Whether no other process sees its files."""

    def listed(self, folder: str) -> list[Entry]:
        """Files and folders in a folder, by name; raises OSError."""

    def read(self, path: str) -> bytes:
        """The bytes of a file; raises OSError, or FileError if it changes meanwhile."""

    def size(self, path: str) -> int | None:
        """Bytes of a file; None if there is none."""

    def write(self, path: str, data: bytes, like: str | None = None) -> None:
        """Make a file, or replace it, at once.

        `like` is a file of this machine whose times and permissions are taken over.
        """

    def begin(self, shard: str) -> None:
        """Remove what dead runs left, and get ready to write."""

    def end(self) -> None:
        """Remove what is not needed any more."""


def tree_of(url: str, options: dict[str, Any] | None = None, follow_links: bool = False) -> Tree:
    """The tree under a path or a URL.

    Parameters
    ----------
    url : str
        A path, ``file://...``, or a URL that fsspec knows, such as ``s3://bucket/folder``.
    options : dict, optional
        For fsspec's file system.
    follow_links : bool
        Whether symbolic links to folders are entered.

    Raises
    ------
    FileError
        If fsspec is wanted and missing, or does not know the URL.
    """
    if is_local(url):
        return Folder(os.path.abspath(url.removeprefix("file://")), follow_links)
    tree = Remote(url, options or {})
    _ = tree.opened  # now, so that a URL that is wrong is told before any work is done
    return tree


def is_local(url: str) -> bool:
    """Whether a tree is a folder of this machine, by its name."""
    url = url.removeprefix("file://")
    return "://" not in url and "::" not in url


# --- here ----------------------------------------------------------------------------------------


@dataclass
class Folder:
    """A folder of this machine.

    Attributes
    ----------
    url : str
        Its path.
    follow_links : bool
        Whether symbolic links to folders are entered. Those to files are read like files.
    inputs : str or None
        A folder in which nothing may be written, whatever links lead there.
    run : str
        Where files are made before they get their names.
    """

    url: str
    follow_links: bool = False
    inputs: str | None = None
    run: str = ""

    in_this_process = False

    def path(self, relative: str) -> str:
        """Where a file is."""
        return os.path.join(self.url, relative)

    def listed(self, folder: str) -> list[Entry]:
        """Files and folders, by name; sockets, pipes, broken links and loops are left out."""
        found = []
        with os.scandir(self.path(folder)) as entries:
            for entry in entries:
                with suppress(OSError):  # it went away, or leads nowhere
                    if entry.is_dir():
                        if not entry.is_symlink() or self._may_enter(entry.path):
                            found.append(Entry(entry.name, True))
                    elif entry.is_file():
                        status = entry.stat()
                        found.append(Entry(entry.name, False, status.st_size, _version(status)))
        return sorted(found, key=lambda entry: entry.name)

    def _may_enter(self, link: str) -> bool:
        """Whether a link to a folder is to be entered: not if it leads to one that it lies in."""
        return self.follow_links and not is_within(os.path.dirname(link), os.path.realpath(link))

    def read(self, path: str) -> bytes:
        """The bytes of a file."""
        for _ in range(READS):
            with open(self.path(path), "rb") as file:
                before = os.fstat(file.fileno())
                data = file.read()
                after = os.fstat(file.fileno())
            if _version(before) == _version(after) and len(data) == after.st_size:
                return data
        raise FileError(path, f"it changed each of the {READS} times that it was read")

    def size(self, path: str) -> int | None:
        """Bytes of a regular file; None if there is none to be seen, or something else."""
        try:
            status = os.lstat(self.path(path))
        except OSError:
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def write(self, path: str, data: bytes, like: str | None = None) -> None:
        """Make a file, or replace it, at once (see the head of this module)."""
        target = self.path(path)
        folder = os.path.dirname(target)
        if self.inputs and is_within(folder, self.inputs):
            raise FileError(path, f"links lead from there into {self.inputs}, which is only read")
        os.makedirs(folder, exist_ok=True)
        temporary = os.path.join(self.run, f"{secrets.token_hex(8)}.tmp")
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                if like is not None:
                    shutil.copystat(like, temporary)
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_folder(folder)

    def begin(self, shard: str) -> None:
        """Remove the folders that dead runs of this shard left, and make one for this run."""
        state = Path(self.url, STATE)
        state.mkdir(parents=True, exist_ok=True)
        for left in state.glob(f"{shard}-*.tmp"):
            shutil.rmtree(left)
        self.run = str(state / f"{shard}-{secrets.token_hex(8)}.tmp")
        os.mkdir(self.run)

    def end(self) -> None:
        """Remove the folder of this run."""
        shutil.rmtree(self.run, ignore_errors=True)


def _version(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns}"


def is_within(path: str, folder: str) -> bool:
    """Whether a path is, or will be, in a folder, whatever links lead there."""
    return os.path.commonpath([os.path.realpath(path), folder]) == folder


def _sync_folder(folder: str) -> None:
    """Let a renaming outlast a loss of power, where folders can be synced."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# --- elsewhere -----------------------------------------------------------------------------------


@dataclass
class Remote:
    """Whatever fsspec reaches.

    Attributes
    ----------
    url : str
    options : dict
        For fsspec's file system.
    """

    url: str
    options: dict[str, Any] = field(default_factory=dict)
    _sizes: tuple[str | None, dict[str, int]] = (None, {})

    @cached_property
    def opened(self) -> tuple[Any, str]:
        """The file system, and the path of the tree in it."""
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise FileError(self.url, "URLs need fsspec: pip install 'pyjpegml[batch]'") from None
        try:
            system, path = url_to_fs(self.url, **self.options)
        except (ImportError, ValueError, OSError) as error:
            raise FileError(self.url, f"it cannot be opened: {error}") from error
        return system, path.rstrip("/")

    def __reduce__(self) -> tuple[Any, ...]:
        """Without the file system: each process opens its own."""
        return Remote, (self.url, self.options)

    @property
    def in_this_process(self) -> bool:
        """Whether it is fsspec's memory."""
        return "memory" in self._protocols

    @property
    def _protocols(self) -> set[str]:
        protocol = self.opened[0].protocol
        return {protocol} if isinstance(protocol, str) else set(protocol)

    def path(self, relative: str) -> str:
        """Where a file is, for the file system."""
        return posixpath.join(self.opened[1], relative) if relative else self.opened[1]

    def listed(self, folder: str) -> list[Entry]:
        """Files and folders, by name."""
        path = self.path(folder)
        found = {}
        for info in self.opened[0].ls(path, detail=True, refresh=True):
            name = posixpath.basename(info["name"].rstrip("/"))
            if info["name"].strip("/") == path.strip("/") or not name:
                continue  # the marker of the folder itself
            is_folder = info["type"] == "directory"
            size = 0 if is_folder else info["size"]
            found[name] = Entry(name, is_folder, size, "" if is_folder else _version_of(info))
        return [found[name] for name in sorted(found)]

    def read(self, path: str) -> bytes:
        """The bytes of an object."""
        system, place = self.opened[0], self.path(path)
        for _ in range(READS):
            before = _version_of(system.info(place, refresh=True))
            data: bytes = system.cat_file(place)
            info = system.info(place, refresh=True)
            if before == _version_of(info) and len(data) == info["size"]:
                return data
        raise FileError(path, f"it changed each of the {READS} times that it was read")

    def size(self, path: str) -> int | None:
        """Bytes of an object; None if none can be seen. A folder is asked for all at once."""
        folder, name = posixpath.split(path)
        if folder != self._sizes[0]:
            try:
                entries = self.listed(folder)
            except FileNotFoundError:
                entries = []
            except Exception:  # file systems of fsspec raise what their clients do
                return None
            sizes = {entry.name: entry.size for entry in entries if not entry.is_folder}
            self._sizes = folder, sizes
        return self._sizes[1].get(name)

    def write(self, path: str, data: bytes, like: str | None = None) -> None:
        """Make an object, or replace it; `like` is for folders only."""
        assert like is None
        system, place = self.opened[0], self.path(path)
        if self._protocols & AT_ONCE:
            system.pipe_file(place, data)
            return
        system.makedirs(posixpath.dirname(place), exist_ok=True)
        temporary = posixpath.join(posixpath.dirname(place), f".{secrets.token_hex(8)}.tmp")
        try:
            system.pipe_file(temporary, data)
            system.mv(temporary, place)
        except BaseException:
            with suppress(Exception):
                system.rm_file(temporary)
            raise

    def begin(self, shard: str) -> None:
        """Nothing lies about where objects appear at once."""

    def end(self) -> None:
        """As above."""


#: What tells versions of an object apart, by the names that file systems give it.
_TAGS = (
    "ETag", "etag", "VersionId", "generation", "md5Hash", "content_md5", "CRC", "LastModified",
    "last_modified", "updated", "mtime", "created",
)  # fmt: skip


def _version_of(info: dict[str, Any]) -> str:
    tags = [str(info[tag]) for tag in _TAGS if info.get(tag) is not None]
    return " ".join([str(info["size"]), *tags[:2]])


def walk(tree: Tree) -> Iterator[tuple[str, list[Entry] | Exception]]:
    """Each folder and what is in it, or why that cannot be seen; by name, a folder at a time."""
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            entries = tree.listed(folder)
        except Exception as error:  # file systems of fsspec raise what their clients do
            yield folder, error
            continue
        yield folder, entries
        folders += [
            posixpath.join(folder, entry.name)
            for entry in reversed(entries)
            if entry.is_folder and entry.name != STATE
        ]
