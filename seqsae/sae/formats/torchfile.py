"""A file of `torch.save` read without unpickling it: tensors, numbers, text and containers; all else is refused by name.

PyTorch writes a zip of stored (never compressed) entries: `<name>/data.pkl`, a pickle of the structure, and `<name>/data/<key>`, the
bytes of each storage. The pickle goes through `opcodes`, which calls nothing; the sizes it claims are held against the bytes
that are there before anything is made from them.
"""

import struct
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.sae.formats.files import shown
from seqsae.sae.formats.opcodes import LARGEST, Handlers, Name, Record, Refused, key, read

_DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.uint8,
}
_DTYPE_NAMES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
_BROKEN = (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError, EOFError, struct.error)
_LONGEST = 500  # characters of a parameter's dotted name
_MOST = 10_000  # modules, or tensors of a module
_DIMENSIONS = 16
_GETATTR = (("__builtin__", "getattr"), ("builtins", "getattr"))  # how an old pickle names a method
_CALLS = {
    ("collections", "OrderedDict"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch", "device"),
    ("torch", "Size"),
    ("__builtin__", "set"),
    ("builtins", "set"),
}


def load(path: Path, inert: tuple[str, ...] = ()) -> Any:
    """What `torch.save` wrote, tensors on the CPU.

    Args:
        inert: beginnings of module names whose objects may stand in the file; they come as `Record`, never as themselves,
            and what the file would have made by calling them is a `Record` without state.
    Raises:
        SeqsaeError: no whole file of `torch.save`, or one that holds anything else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _Archive(archive, path.stat().st_size, inert).read()
    except Refused as cause:
        raise SeqsaeError(
            f"{path}: {cause}; it is not loaded, ask its author for safetensors or a plain state dict"
        ) from None
    except _BROKEN as cause:
        raise SeqsaeError(
            f"{path}: not a whole file of torch.save ({' '.join(str(cause).split())[:80]}); copy it again, "
            "or save it again with torch 1.6 or newer"
        ) from None


def names(path: Path) -> list[str]:
    """Names at the top of a file's state dict, or the name of the class of its object; none if it cannot be read."""
    if not path.is_file():
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            found = _Outline(archive, path.stat().st_size, ()).read()
    except (Refused, *_BROKEN):
        return []
    if isinstance(found, Record):
        return [str(found.cls)]
    return [name for name in found if isinstance(name, str)] if isinstance(found, dict) else []


class _Archive:
    """One open zip."""

    def __init__(self, archive: zipfile.ZipFile, size: int, inert: tuple[str, ...]):
        self.archive, self.inert = archive, inert
        self.entries = {entry.filename: entry for entry in archive.infolist()}
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in self.entries.values()):
            raise Refused("it is a compressed zip, torch.save compresses nothing")
        if sum(entry.file_size for entry in archive.infolist()) > size:
            raise Refused("its zip claims more bytes than the file has")
        pickles = [name for name in self.entries if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) != 1:
            raise Refused("it is a zip without one data.pkl, no file of torch.save")
        self.root = pickles[0].removesuffix("data.pkl")
        self.storages: dict[str, Tensor] = {}

    def read(self) -> Any:
        order = self.root + "byteorder"
        if order in self.entries and self.start(order, 16) != b"little":
            raise Refused("its numbers are big-endian")
        pickle = self.start(self.root + "data.pkl", LARGEST + 1)
        return read(pickle, Handlers(self.name, self.call, self.stored))

    def start(self, name: str, size: int) -> bytes:
        """The first bytes of an entry."""
        with self.archive.open(name) as file:
            return file.read(size)

    def name(self, name: Name) -> Name:
        if name.module == "torch" and name.name in (*_DTYPES, *_DTYPE_NAMES):
            return name
        if name in _CALLS or self.is_inert(name) or (self.inert and name in _GETATTR):
            return name
        raise Refused(f"its pickle asks for {name}, which is neither a tensor nor a plain container")

    def is_inert(self, name: Any) -> bool:
        return isinstance(name, Name) and any((name.module + ".").startswith(start) for start in self.inert)

    def call(self, called: Any, arguments: tuple) -> Any:
        if called == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor(*arguments[:4])
        if called == ("torch._utils", "_rebuild_parameter") and isinstance(arguments[0], Tensor):
            return arguments[0]
        if called == ("collections", "OrderedDict"):
            return {key(name): value for pairs in arguments for name, value in pairs}
        if called in (("__builtin__", "set"), ("builtins", "set")):
            return {key(item) for items in arguments for item in items}
        if called in (("torch", "device"), ("torch", "Size")):
            return arguments[0] if arguments else ()
        if self.is_inert(called):
            return Record(called)
        if called in _GETATTR and arguments and self.is_inert(arguments[0]):
            return Record(arguments[0])
        raise Refused(f"its pickle calls {called if isinstance(called, Name) else type(called).__name__}")

    def stored(self, token: Any) -> Tensor:
        """[numel] the storage that the pickle names, read once."""
        kind, name, number, _, count = token
        if kind != "storage" or not isinstance(name, Name) or name.name not in _DTYPES:
            raise Refused(f"its pickle names a storage of type {shown(name)}, which is not known")
        if not isinstance(number, str) or not number.isascii() or not number.isdecimal() or len(number) > 9:
            raise Refused(f"its pickle names a storage {shown(number)}, which is no number")
        if number not in self.storages:
            self.storages[number] = self._storage(f"data/{number}", _DTYPES[name.name])
        found = self.storages[number]
        if len(found) != count or found.dtype != _DTYPES[name.name]:
            raise Refused(f"storage {number} holds {len(found):,} numbers where the pickle claims {shown(count)}")
        return found

    def _storage(self, name: str, dtype: torch.dtype) -> Tensor:
        if self.root + name not in self.entries:
            raise Refused(f"the bytes of {name} are missing")
        buffer = bytearray(self.entries[self.root + name].file_size)
        with self.archive.open(self.root + name) as file:
            if file.readinto(buffer) != len(buffer) or len(buffer) % dtype.itemsize:
                raise Refused(f"the bytes of {name} are cut")
        return torch.frombuffer(buffer, dtype=dtype) if buffer else torch.empty(0, dtype=dtype)


class _Outline(_Archive):
    """Structure and names alone: no bytes of a tensor are read, and an empty dict stands for what is not a container."""

    def name(self, name: Name) -> Name:
        return name

    def call(self, called: Any, arguments: tuple) -> Any:
        return {}

    def stored(self, token: Any) -> None:
        return None


def _tensor(storage: Tensor, offset: int, size: tuple, stride: tuple) -> Tensor:
    """A view of a storage. A shape that holds more numbers than the storage is refused: expanding costs memory."""
    numbers = (offset, *size, *stride)
    if (
        len(numbers) > 2 * _DIMENSIONS
        or any(type(number) is not int or number < 0 for number in numbers)
        or len(size) != len(stride)
    ):
        raise Refused("a tensor's shape is no list of whole numbers")
    count, last = 1, offset
    for length, step in zip(size, stride, strict=True):
        count, last = count * length, last + (length - 1) * step
    if count > len(storage) or (count and last >= len(storage)):
        raise Refused(
            f"a tensor of shape {shown(list(size))} claims more than the {len(storage):,} numbers stored for it"
        )
    return storage.as_strided(size, stride, offset)


def state_of(module: Record, path: Path) -> dict[str, Tensor]:
    """The state dict of a pickled `torch.nn.Module`: its parameters and buffers and those of its parts, by dotted name."""
    found, waiting, seen = {}, [("", module)], 0
    while waiting:
        prefix, part = waiting.pop()
        seen += 1
        if len(prefix) > _LONGEST or max(len(found), len(waiting), seen) > _MOST:
            raise SeqsaeError(
                f"{path}: modules within modules without end; it is not loaded, ask its author for a state dict"
            )
        for group in ("_parameters", "_buffers"):
            found |= {name: value for name, value in _group(part, group, prefix) if isinstance(value, Tensor)}
        waiting += [(f"{name}.", one) for name, one in _group(part, "_modules", prefix) if isinstance(one, Record)]
    return found


def _group(module: Record, group: str, prefix: str) -> list[tuple[str, Any]]:
    """Parameters, buffers or parts of a module, by dotted name."""
    kept = module.state.get(group, {})
    kept = kept if isinstance(kept, dict) else {}
    return [(prefix + (name if isinstance(name, str) else shown(name)), value) for name, value in kept.items()]
