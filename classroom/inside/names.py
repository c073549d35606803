"""Which functions of torch a call uses, in the sandbox and in the judge alike."""

from collections.abc import Mapping
from typing import Any

from torch.overrides import TorchFunctionMode


class Names(TorchFunctionMode):
    """The public names of torch's functions that are called; layerlib's are not."""

    def __init__(self) -> None:
        super().__init__()
        self.called: set[str] = set()

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if not (getattr(func, "__module__", None) or "").startswith("layerlib."):
            self.called.add(func.__name__)
        return func(*args, **(kwargs or {}))
