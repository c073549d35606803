"""Messages between the grader and an answer: JSON and tensors, never a pickle.

A message is two lengths of four bytes, JSON, and tensors in the format of safetensors.
In the JSON, what JSON lacks is a list with a mark in front: ``["tensor", 0]`` is the
first of the tensors, ``["tuple", ...]`` a tuple. What comes from an answer is
untrusted, so reading it can only give numbers, texts, tensors and collections of these.
"""

import json
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor

LENGTHS = struct.Struct(">II")
LIMIT = 64 * 2**20  # bytes of a message
SINGLES = {"none": None, "ellipsis": ..., "notimplemented": NotImplemented}
COLLECTIONS: dict[str, Callable[[list[Any]], Any]] = {
    "tuple": tuple, "list": list, "set": set, "frozenset": frozenset,
}  # fmt: skip


class BrokenMessage(Exception):  # noqa: N818  (a state, not somebody's error)
    """The other end closed the channel, or sent what is no message."""


class TooLate(Exception):  # noqa: N818
    """Nothing came within the time given."""


class Stranger:
    """What came back was none of the types that a message can hold."""

    def __repr__(self) -> str:
        return f"a {type(self).__name__}"


def stranger(name: str) -> Any:
    """An object of a class of that name, which can do nothing."""
    plain = name if name.isidentifier() else "object"
    return type(plain, (Stranger,), {})()


def encode(value: Any, tensor: Callable[[Tensor], Any]) -> Any:
    """A value as JSON; `tensor` says what stands for a tensor.

    Subclasses of numbers and texts are sent as what they are made of, so that none
    arrives with an ``__eq__`` of its own.
    """
    if isinstance(value, Tensor):
        return tensor(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        return ["array", tensor(torch.from_numpy(np.array(value)))]
    if isinstance(value, (bool, int, float, str)):
        return _scalar(value)
    for mark, kind in COLLECTIONS.items():
        if isinstance(value, kind):  # type: ignore[arg-type]
            return [mark, *(encode(item, tensor) for item in value)]
    if isinstance(value, dict):
        pairs = ([str(key), encode(item, tensor)] for key, item in value.items())
        return ["dict", *pairs]
    return _mark(value)


def _scalar(value: float | str) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= 2**60 else ["number", str(int(value))]
    return float(value) if isinstance(value, float) else str(value)


def _mark(value: Any) -> list[str]:
    for mark, single in SINGLES.items():
        if value is single:
            return [mark]
    if isinstance(value, (torch.dtype, torch.layout, torch.memory_format)):
        return ["torch", str(value).removeprefix("torch.")]
    if isinstance(value, torch.device):
        return ["device"]
    return ["stranger", type(value).__name__]


def decode(value: Any, tensor: Callable[[Any], Tensor]) -> Any:
    """What `encode` wrote; a mark that is not known is refused.

    Raises:
        BrokenMessage: no such value is ever written.
    """
    if not isinstance(value, list):
        return value
    mark, *rest = value or [""]
    if mark == "tensor":
        return tensor(rest[0])
    if mark == "array":
        return decode(rest[0], tensor).detach().numpy()
    if mark in COLLECTIONS:
        return COLLECTIONS[mark]([decode(item, tensor) for item in rest])
    if mark == "dict":
        return {str(key): decode(item, tensor) for key, item in rest}
    return _marked(mark, *map(str, rest[:1]))


def _marked(mark: str, name: str = "") -> Any:
    if mark in SINGLES:
        return SINGLES[mark]
    if mark == "number":
        return int(name[:4000])
    if mark == "device":
        return torch.device("cpu")
    if mark == "stranger":
        return stranger(name)
    found = getattr(torch, name, None) if mark == "torch" else None
    if isinstance(found, (torch.dtype, torch.layout, torch.memory_format)):
        return found
    raise BrokenMessage(f"a value marked {mark!r}")


def write(channel: socket.socket, header: Any, tensors: Sequence[Tensor] = ()) -> None:
    """Sends one message."""
    text = json.dumps(header).encode()
    blob = save({str(i): plain(x) for i, x in enumerate(tensors)}) if tensors else b""
    channel.sendall(LENGTHS.pack(len(text), len(blob)) + text + blob)


def read(
    channel: socket.socket, deadline: float | None = None
) -> tuple[Any, list[Tensor]]:
    """Receives one message: its header and its tensors.

    Raises:
        BrokenMessage: the channel is closed, or this is no message.
        TooLate: the deadline, in seconds of `time.monotonic`, has passed.
    """
    lengths = LENGTHS.unpack(_exactly(channel, LENGTHS.size, deadline))
    if sum(lengths) > LIMIT:
        raise BrokenMessage(f"a message of {sum(lengths)} bytes")
    text, blob = (_exactly(channel, length, deadline) for length in lengths)
    try:
        tensors = load(blob) if blob else {}
        return json.loads(text), [tensors[str(i)] for i in range(len(tensors))]
    except Exception as error:  # whatever an answer may have written
        raise BrokenMessage(f"{type(error).__name__}: {error}") from error


def plain(tensor: Tensor) -> Tensor:
    """The numbers alone, in memory of their own: no subclass, no gradient, no view."""
    with torch.no_grad():
        return tensor.as_subclass(Tensor).detach().to_dense().contiguous().clone()


def _exactly(channel: socket.socket, size: int, deadline: float | None) -> bytes:
    parts, left = [], size
    while left:
        if deadline is not None:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TooLate
            channel.settimeout(remaining)
        try:
            part = channel.recv(min(left, 2**20))
        except TimeoutError:
            raise TooLate from None
        except OSError as error:
            raise BrokenMessage(str(error)) from error
        if not part:
            raise BrokenMessage("the channel is closed")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
