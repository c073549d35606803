"""Examples of windows and paddings, and the known mistakes."""

from examples import Example

CLASSES: dict[str, list[Example]] = {}

FUNCTIONS: dict[str, list[Example]] = {}

MISTAKES: dict[str, dict[str, tuple[str, str]]] = {}
