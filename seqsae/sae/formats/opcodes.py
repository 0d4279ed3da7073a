"""A pickle read as data: a stack machine for the opcodes that checkpoints are made of, which imports nothing and calls nothing.

Python's own unpickler imports whatever a file names and calls it; a file can so run any code. Here a name stays a `Name`, an object a
`Record` of what it would have been made from, and a call is handed to `meaning`, which knows a few by heart and refuses
the rest. The opcodes are those of the standard library's `pickletools`, protocols 2 to 5.
"""

import pickletools
from collections.abc import Callable
from typing import Any, NamedTuple

LARGEST = 4 * 2**20  # bytes; a checkpoint's pickle holds names and shapes, its numbers lie elsewhere
_STEPS = 250_000  # opcodes, and items that an opcode copies; a tensor takes about 25
_KEY_PARTS = 16


class Name(NamedTuple):
    """Something that a pickle asks to be imported. It is not."""

    module: str
    name: str

    def __str__(self) -> str:
        text = f"{self.module}.{self.name}"[:80]
        return text if text.isprintable() else ascii(text)


class Record:
    """An object that a pickle holds: its class by name, and its state. No class is imported for it."""

    def __init__(self, cls: Name):
        self.cls = cls
        self.state: dict = {}


class Refused(Exception):
    """Why a pickle is not read, in words that go on after the file's name."""


class Handlers(NamedTuple):
    """What the machine asks about what it finds."""

    name: Callable[[Name], Any]
    """What stands for a name; raises Refused if it is not known."""
    call: Callable[[Any, tuple], Any]
    """What a call of a named thing gives; raises Refused if it is not known."""
    stored: Callable[[Any], Any]
    """What stands for something that the pickle says lies outside of it."""


def read(pickle: bytes, handlers: Handlers) -> Any:
    """The object that a pickle describes.

    Raises:
        Refused: it is cut, or holds anything but plain containers, numbers, text and what `handlers` know.
    """
    if len(pickle) > LARGEST:
        raise Refused(f"its pickle takes more than {LARGEST:,} bytes, which no checkpoint needs")
    machine = _Machine(handlers)
    try:
        for opcode, argument, _ in pickletools.genops(pickle):
            machine.step(opcode.name, argument)
        return machine.stack.pop()
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as cause:
        raise Refused(f"its pickle is cut or broken ({ascii(str(cause)[:80])})") from None


def key(found: Any) -> Any:
    """A key of a dict or an item of a set. Tuples of tuples are refused: each twice the last, they take forever to hash."""
    if isinstance(found, tuple) and (len(found) > _KEY_PARTS or any(isinstance(part, tuple) for part in found)):
        raise Refused("its pickle holds tuples within tuples as keys, which no checkpoint needs")
    return found


class _Machine:
    """Stack, marked stacks below it, and the memo."""

    def __init__(self, handlers: Handlers):
        self.handlers = handlers
        self.stack: list = []
        self.below: list[list] = []
        self.memo: dict[int, Any] = {}
        self.left = _STEPS

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise Refused(f"its pickle takes more than {_STEPS:,} steps, which no checkpoint needs")

    def step(self, opcode: str, argument: Any) -> None:
        self.spend(1)
        if opcode in _PUSH_ARGUMENT:
            self.stack.append(argument)
        elif opcode in _PUSH:
            self.stack.append(_PUSH[opcode]())
        elif opcode not in _SILENT:
            act = _ACTS.get(opcode)
            if act is None:
                raise Refused(f"its pickle holds the opcode {opcode}, which no checkpoint needs")
            act(self, argument)

    def marked(self) -> list:
        """What was pushed since the last mark."""
        items, self.stack = self.stack, self.below.pop()
        return items

    def mark(self, _) -> None:
        self.below.append(self.stack)
        self.stack = []

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def memoize(self, _) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    def tuple_of(self, n: int) -> None:
        items = self.stack[len(self.stack) - n :]
        if len(items) < n:
            raise ValueError("too few items for a tuple")
        self.stack[len(self.stack) - n :] = [tuple(items)]

    def marked_tuple(self, _) -> None:
        items = tuple(self.marked())
        self.stack.append(items)

    def append(self, _) -> None:
        item = self.stack.pop()
        _list(self.stack[-1]).append(item)

    def appends(self, _) -> None:
        items = self.marked()
        _list(self.stack[-1]).extend(items)

    def setitem(self, _) -> None:
        value, name = self.stack.pop(), self.stack.pop()
        _dict(self.stack[-1])[key(name)] = value

    def setitems(self, _) -> None:
        items = self.marked()
        _dict(self.stack[-1]).update(zip(map(key, items[::2]), items[1::2], strict=True))

    def additems(self, _) -> None:
        items = self.marked()
        if not isinstance(self.stack[-1], set):
            raise ValueError("items for a set where none is")
        self.stack[-1].update(map(key, items))

    def glob(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.stack.append(self.handlers.name(Name(module, name)))

    def stack_global(self, _) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("a name that is no text")
        self.stack.append(self.handlers.name(Name(module, name)))

    def reduce(self, _) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        self.spend(sum(len(each) for each in (arguments, *arguments) if isinstance(each, _CONTAINERS)))
        self.stack.append(self.handlers.call(called, tuple(arguments)))

    def newobj(self, _) -> None:
        self.stack.pop()
        cls = self.stack.pop()
        if not isinstance(cls, Name):
            raise ValueError("an object of no class")
        self.stack.append(Record(cls))

    def build(self, _) -> None:
        """State for an object. A dict's own attributes (a state dict's versions) are of no use."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Record):
            if isinstance(state, dict):
                self.spend(len(state))
                target.state.update(state)
        elif not isinstance(target, dict):
            raise Refused(f"its pickle sets attributes of a {type(target).__name__}")

    def stored(self, _) -> None:
        self.stack.append(self.handlers.stored(self.stack.pop()))


def _list(found: Any) -> list:
    if not isinstance(found, list):
        raise ValueError("an item for a list where none is")
    return found


def _dict(found: Any) -> dict:
    if isinstance(found, Record):  # an object that is a kind of dict: its entries are its state
        return found.state
    if not isinstance(found, dict):
        raise ValueError("an item for a dict where none is")
    return found


_CONTAINERS = (tuple, list, dict, set)
_SILENT = {"PROTO", "FRAME", "STOP"}
_PUSH_ARGUMENT = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES"),
}
_PUSH: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
}
_ACTS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.memoize,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "TUPLE": _Machine.marked_tuple,
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "SETITEM": _Machine.setitem,
    "SETITEMS": _Machine.setitems,
    "ADDITEMS": _Machine.additems,
    "GLOBAL": _Machine.glob,
    "STACK_GLOBAL": _Machine.stack_global,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.newobj,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.stored,
}
