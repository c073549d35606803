"""The table of the landing page: every layer, and what it really ran."""

import re

import pytest
from playwright.sync_api import Locator, Page

from examples import classes
from layerlib.lab import lines
from layerlib.lab.table import layers, table
from layerlib.linear import LINEAR
from pages import Opened, opened

__all__ = ["opened"]  # a fixture


def test_every_layer_is_called_once() -> None:
    called = [cls for cls, _ in layers()]
    assert sorted(c.__name__ for c in called) == sorted(classes())
    assert set(called) == set(classes().values())


def test_the_lines_are_those_that_ran() -> None:
    found = dict(layers())
    for cls, ran in found.items():
        assert cls.line in ran, cls
        assert len(set(ran)) == len(ran)
    assert found[classes()["Linear"]] == (LINEAR,)


def test_html() -> None:
    html = table()._repr_html_()
    assert html.startswith('<table class="layers"><caption>')
    assert f"{len(classes())} layers" in html
    for name in classes():
        assert html.count(f"<code>{name}</code>") == 1
    assert '<a href="chapters/linear.ipynb">Linear</a>' in html
    assert '<a href="chapters/reference/linear.ipynb"><code>Bilinear</code></a>' in html
    assert '<th colspan="2" scope="rowgroup">nlinear · <a href="chapters/ref' in html
    assert repr(table("nowhere")) == f"a table of {len(classes())} layers"
    assert "href" not in table("nowhere")._repr_html_()
    assert lines(lambda: None) == ()


def layer(page: Page, name: str) -> Locator:
    return page.locator("th code").filter(has_text=re.compile(f"^{name}$"))


@pytest.mark.parametrize(
    ("typed", "shown", "hidden", "count"),
    [
        ("bilinear", ["Bilinear"], ["Conv2d", "Linear"], 2),
        (" NLinear ", ["NLinear"], ["Linear"], 1),
        ("distance", ["CosineSimilarity", "PairwiseDistance"], ["Linear"], 2),
        ("no such layer", [], ["Linear", "Conv2d"], 0),
    ],
)
def test_typing_leaves_what_was_typed(
    opened: Opened, typed: str, shown: list[str], hidden: list[str], count: int
) -> None:
    page = opened(table())
    field = page.get_by_label("Find a layer")
    field.fill(typed)
    for name in shown:
        assert layer(page, name).is_visible(), name
    for name in hidden:
        assert layer(page, name).is_hidden(), name
    told = page.locator("output").inner_text()
    assert told == f"{count} of {len(classes())} layers"
    field.press("Escape")
    assert field.input_value() == page.locator("output").inner_text() == ""
    assert page.locator("tr:visible").count() == page.locator("tr").count()


def test_whole_table_without_scripts(opened: Opened) -> None:
    page = opened(table(), java_script_enabled=False)
    assert page.locator("tr:visible").count() == page.locator("tr").count()
    assert not page.locator("input").count()
