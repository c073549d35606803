"""The text that small language models of the book learn from."""

from importlib.resources import files


def sonnets() -> str:
    """Twelve sonnets, 7,368 characters; a line of verse a line.

    >>> sonnets().splitlines()[0]
    'From fairest creatures we desire increase,'

    Source: William Shakespeare, Sonnets, 1609.
    """
    return files("layerlib.lab").joinpath("sonnets.txt").read_text(encoding="utf-8")
