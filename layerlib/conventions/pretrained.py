"""Folders of weights as `transformers` saves them: read whole or not at all."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from layerlib.conventions.expect import expect

Folder: TypeAlias = str | Path
Config = TypeVar("Config")

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = "*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl"
NO_NAME = r"(?!)"

ACTIVATIONS: dict[str, Callable[[Any], nn.Module]] = {
    "gelu": lambda nn: nn.GELU(),
    "gelu_new": lambda nn: nn.GELU(approximate="tanh"),
    "gelu_pytorch_tanh": lambda nn: nn.GELU(approximate="tanh"),
    "relu": lambda nn: nn.ReLU(),
    "silu": lambda nn: nn.SiLU(),
    "swish": lambda nn: nn.SiLU(),
}
"""The activations by the names that configurations have for them."""

DEFAULTS = {"eps": 1e-5, "dropout": 0.0, "bias": True}
"""What layers of torch take where they are told nothing."""


def set_apart(**settings: Any) -> dict[str, Any]:
    """The settings that are not torch's defaults: a reader's own class may lack them.

    >>> set_apart(eps=1e-6, dropout=0.0)
    {'eps': 1e-06}
    """
    return {name: x for name, x in settings.items() if x != DEFAULTS[name]}


@dataclass(frozen=True)
class Place:
    """Where in a folder a parameter stands: a tensor there, or a piece of it.

    Attributes:
        name: of the tensor.
        transposed: whether the folder has its two axes the other way round.
        part: which piece it is, of `parts` equal ones along the tensor's last axis.
        parts: into how many pieces the tensor is cut.
    """

    name: str
    transposed: bool = False
    part: int = 0
    parts: int = 1

    def whole(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of the tensor, from that of the parameter."""
        size = list(reversed(shape)) if self.transposed else list(shape)
        return (*size[:-1], size[-1] * self.parts) if size else ()

    def read(self, stored: Any) -> Tensor:
        """The parameter, from a slice of a file, which reads no more than that."""
        size = stored.get_shape()
        if not size:
            return torch.as_tensor(stored[...])
        n = size[-1] // self.parts
        piece: Tensor = stored[..., self.part * n : (self.part + 1) * n]
        return (piece.T if self.transposed else piece).contiguous()


Places: TypeAlias = str | Place | Sequence[str | Place]
Names: TypeAlias = Callable[[str], Places]
"""Where the parameter of a name stands; of several places, one below the other."""


def _places(names: Names, parameter: str) -> list[Place]:
    found = names(parameter)
    some = [found] if isinstance(found, str | Place) else found
    return [Place(x) if isinstance(x, str) else x for x in some]


def config(
    folder: Folder, model_type: str | Sequence[str], model: str
) -> dict[str, Any]:
    """What ``config.json`` says, which has to be about a model of that or such a type.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no JSON, or about another model.
    """
    name = f"{model}.from_pretrained"
    found = _json(name, Path(folder) / "config.json")
    types = [model_type] if isinstance(model_type, str) else model_type
    told = f"a config.json of model_type {' or '.join(types)}"
    expect(name, found.get("model_type") in types, told, found.get("model_type"))
    return found


def chosen(kind: type[Config], settings: Mapping[str, Any]) -> Config:
    """A dataclass of what it knows among the settings, and of its defaults."""
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: settings[name] for name in known if name in settings})


def load(
    module: nn.Module,
    folder: Folder,
    names: Names = lambda name: name,
    *,
    prefix: str = "",
    ignored: str = NO_NAME,
) -> None:
    """Fills all parameters of a module from ``model.safetensors``, or its shards.

    All names and shapes are compared before anything is read, so that a module is
    filled or stays as it was. Parameters get the dtype that the folder has. Those that
    are one tensor in the module stand in the folder once, under the first name.

    Args:
        module: what is filled.
        folder: with ``model.safetensors``, or with ``model.safetensors.index.json``
            and the shards that this names.
        names: where a parameter of that name stands in the folder.
        prefix: what all names of a whole model begin with but those of its head;
            where none does, they are taken to lack it.
        ignored: a pattern of names in the folder that are no parameters.

    Raises:
        FileNotFoundError: there are no such files, or a shard is missing.
        ValueError: a file is damaged or is none of safetensors; a tensor is missing,
            unexpected, of another shape or of whole numbers.

    Source: https://github.com/huggingface/safetensors.
    """
    name = f"{type(module).__name__}.from_pretrained"
    wanted = {key: _places(names, key) for key in _own(module)}
    with _opened(name, Path(folder)) as found:
        stored = _completed(found, prefix)
        _compare(name, module, wanted, stored, ignored)
        read = {
            key: torch.cat([place.read(stored[place.name]) for place in places])
            if len(places) > 1
            else places[0].read(stored[places[0].name])
            for key, places in wanted.items()
        }
    _fill(module, read)


def save(
    module: nn.Module,
    folder: Folder,
    config: Mapping[str, Any],
    names: Names = lambda name: name,
) -> None:
    """Writes ``config.json`` and ``model.safetensors``, which `load` reads."""
    from safetensors.torch import save_file  # noqa: PLC0415

    where = Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    pieces: dict[str, dict[int, Tensor]] = {}
    for key, tensor in _own(module).items():
        places = _places(names, key)
        chunks = tensor.detach().chunk(len(places)) if len(places) > 1 else [tensor]
        for place, chunk in zip(places, chunks, strict=True):
            piece = chunk.detach().T if place.transposed else chunk.detach()
            pieces.setdefault(place.name, {})[place.part] = piece
    tensors = {
        name: torch.cat([parts[k] for k in sorted(parts)], -1).contiguous()
        if len(parts) > 1
        else parts[0].contiguous()
        for name, parts in pieces.items()
    }
    save_file(tensors, where / WEIGHTS, metadata={"format": "pt"})
    (where / "config.json").write_text(f"{json.dumps(dict(config), indent=2)}\n")


def tokenizer(folder: Folder) -> Any:
    """The tokenizer of ``tokenizer.json``: `encode(text).ids`, and `decode(ids)`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no tokenizer.

    Source: https://huggingface.co/docs/tokenizers.
    """
    from tokenizers import Tokenizer  # noqa: PLC0415

    path = Path(folder) / "tokenizer.json"
    expect("tokenizer", path.is_file(), f"a file {path}", "none", FileNotFoundError)
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001 what it raises is no more than that
        raise ValueError(f"tokenizer: expected one in {path}, got {error}") from None


def _own(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; of one with two names, the first."""
    found = module.state_dict(keep_vars=True)
    first = {id(tensor): name for name, tensor in reversed(found.items())}
    return {name: x for name, x in found.items() if first[id(x)] == name}


def _fill(module: nn.Module, read: Mapping[str, Tensor]) -> None:
    own = _own(module)
    new = {
        id(x): nn.Parameter(read[name], requires_grad=x.requires_grad)
        if isinstance(x, nn.Parameter)
        else read[name]
        for name, x in own.items()
    }
    state = {key: new[id(x)] for key, x in module.state_dict(keep_vars=True).items()}
    module.load_state_dict(state, assign=True)


def _json(name: str, path: Path) -> dict[str, Any]:
    expect(name, path.is_file(), f"a file {path}", "none", FileNotFoundError)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, or no text
        found = str(error)
    expect(name, isinstance(found, dict), f"an object of JSON in {path}", found)
    return dict(found)


@contextmanager
def _opened(name: str, folder: Path) -> Iterator[dict[str, Any]]:
    """All tensors by name, not read yet."""
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415

    with ExitStack() as stack:
        found: dict[str, Any] = {}
        for path in _files(name, folder):
            try:
                file = stack.enter_context(safe_open(path, "pt"))
            except SafetensorError as error:
                told = f"{name}: expected a whole file of safetensors in {path.name}"
                raise ValueError(f"{told}, got {error}") from None
            for key in file.keys():  # noqa: SIM118
                expect(name, key not in found, f"{key} in one shard", "several")
                found[key] = file.get_slice(key)
        yield found


def _files(name: str, folder: Path) -> list[Path]:
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    others = sorted(p.name for pattern in PICKLES for p in folder.glob(pattern))
    got = f"only {', '.join(others)}: a pickle, which can run code" if others else ""
    told = f"{WEIGHTS} or {INDEX} in {folder}"
    there = (folder / INDEX).is_file()
    expect(name, there, told, got or "neither", FileNotFoundError)
    told, shards = f"a weight_map in {INDEX}", _json(name, folder / INDEX)
    of_name = shards.get("weight_map")
    expect(name, isinstance(of_name, dict), told, of_name)
    paths = [folder / str(shard) for shard in sorted({*dict(of_name or {}).values()})]
    for path in paths:
        expect(name, path.parent == folder, f"shards beside {INDEX}", path)
        told = f"the shard {path.name} beside {INDEX}"
        expect(name, path.is_file(), told, "none", FileNotFoundError)
    return paths


def _completed(found: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The names of a whole model, where the folder has only its body."""
    whole = any(name.startswith(prefix) for name in found)
    return found if whole else {f"{prefix}{name}": x for name, x in found.items()}


def _compare(
    name: str,
    module: nn.Module,
    wanted: Mapping[str, Sequence[Place]],
    stored: Mapping[str, Any],
    ignored: str,
) -> None:
    """Raises, unless all that is wanted is there, nothing else, and all of it fits."""
    expected: dict[str, tuple[int, ...]] = {}
    for key, tensor in _own(module).items():
        places, size = wanted[key], tuple(tensor.shape)
        size = (size[0] // len(places), *size[1:]) if len(places) > 1 else size
        expected |= {place.name: place.whole(size) for place in places}
    missing = [x for x in expected if x not in stored]
    more = [x for x in stored if x not in expected and not re.search(ignored, x)]
    wrong = []
    for key in expected.keys() & stored.keys():
        size, dtype = tuple(stored[key].get_shape()), stored[key].get_dtype()
        if size != expected[key]:
            wrong.append(f"{key} has shape {size} and not {expected[key]}")
        elif "F" not in dtype:
            wrong.append(f"{key} is of {dtype} and not floating")
    lists = {"missing": missing, "unexpected": more, "wrong": sorted(wrong)}
    told = "; ".join(f"{kind}: {_few(x)}" for kind, x in lists.items() if x)
    expect(name, not told, f"the {len(expected)} tensors of the model", told)


def _few(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
