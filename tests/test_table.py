"""The table of the landing page: every layer, and what it really ran."""

from examples import classes
from layerlib.lab import lines
from layerlib.lab.table import layers, table
from layerlib.linear import LINEAR


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
    assert '<a href="chapters/linear.html">linear</a>' in html
    assert repr(table("nowhere")) == f"a table of {len(classes())} layers"
    assert "href" not in table("nowhere")._repr_html_()
    assert lines(lambda: None) == ()
