"""The API reference and the index of names, as the built site has them."""

import re
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from torch import nn

import layerlib
from test_site import ROOT, site

sys.path.insert(0, str(ROOT / "site"))

import api_names
import api_pages

__all__ = ["site"]


def read(site: Path, page: str) -> BeautifulSoup:
    return BeautifulSoup((site / f"{page}.html").read_text("utf-8"), "html.parser")


@pytest.mark.parametrize("family", api_names.MODULES)
def test_each_public_name_has_an_entry_with_its_source(site: Path, family: str) -> None:
    page = read(site, f"site/api/{family}")
    module = api_names.MODULES[family]
    for name in api_names.names(family):
        entry = page.find(id=f"{module.__name__}.{name}")
        assert entry is not None, name
        assert entry.find_parent("dl").select_one("details.api-source pre"), name


@pytest.mark.parametrize("family", api_names.FAMILIES)
def test_each_class_leads_to_story_and_reference(site: Path, family: str) -> None:
    page = read(site, f"site/api/{family}")
    module = api_names.MODULES[family]
    for name in api_names.names(family):
        if not name[0].isupper() or not issubclass(getattr(module, name), nn.Module):
            continue
        entry = page.find(id=f"{module.__name__}.{name}").find_parent("dl")
        links = [a["href"] for a in entry.select("p.api-links a")]
        assert any("chapters/reference/" in link for link in links), name
        assert any(re.search(r"chapters/\w+\.html", link) for link in links), name


def test_index_has_each_name_and_each_argument(site: Path) -> None:
    page = read(site, "site/api/names")
    words = {dt.code.get_text() for dt in page.select("dl.names dt")}
    classes = {n for n in api_names.homes() if hasattr(nn, n) and n in layerlib.__all__}
    assert classes <= words
    assert {"kernel_size", "align_corners", "enable_gqa", "batch_first"} <= words
    assert {argument for argument, _, _ in api_names.arguments()} <= words


def test_inline_code_leads_to_the_entry(site: Path) -> None:
    page = read(site, "chapters/reference/conv")
    links = page.select('article a.api[href$="#layerlib.conv.Conv2d"]')
    assert links
    assert all(link.code.get_text().endswith("Conv2d") for link in links)
    sections = [link.find_parent("section")["id"] for link in links]
    assert len(sections) == len(set(sections)), "only the first mention is a link"


def test_a_mode_is_not_taken_for_a_function() -> None:
    assert api_pages.named("bilinear", "resample") is None
    assert api_pages.named("bilinear", "linear") == "bilinear"
    assert api_pages.named("F.bilinear", "resample") == "bilinear"
    assert api_pages.named("nn.Linear", "conv") == "Linear"
    assert api_pages.named("Conv9d", "conv") is None


def test_each_file_of_models_has_a_page() -> None:
    assert set(api_names.FAMILIES) >= layerlib.MODELS


def test_name_that_models_share_means_the_one_of_the_page(site: Path) -> None:
    assert api_names.home("Block", "mixer") == "mixer"
    assert api_names.home("Block", "gpt2") == "decoder", "it imports it from there"
    assert api_names.home("Block", "vision") == "mixer"
    assert api_names.home("Attention", "attention") is None, "there it is a word"
    (term,) = read(site, "site/api/names").select("#name-Block")
    links = [a["href"] for a in term.find_next("dd").select("a")]
    assert {
        "decoder.html#layerlib.decoder.Block",
        "mixer.html#layerlib.mixer.Block",
    } <= {*links}
    page = read(site, "chapters/reference/mixer")
    blocks = {
        a["href"].partition("#")[2] for a in page.select("a.api") if a.text == "Block"
    }
    assert blocks <= {"layerlib.mixer.Block"}


def test_shared_docstring_makes_one_entry() -> None:
    assert ["conv1d", "conv2d", "conv3d"] in list(api_pages.entries("conv"))


def test_contract_stands_by_itself() -> None:
    said = api_pages.described(layerlib.conv.conv2d)
    assert said[2].strip() == "``(b, i, *n), (o, i / groups, *k), (o,) -> (b, o, *m)``"
    assert "weight" in " ".join(api_pages.described(layerlib.Conv2d))


def test_arguments_of_overloaded_and_bare_constructors() -> None:
    assert "proj_size" in api_names.signature(layerlib.LSTM).parameters
    assert "nonlinearity" in api_names.signature(layerlib.RNN).parameters
    assert not api_names.signature(layerlib.Sigmoid).parameters
