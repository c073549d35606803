"""The search of the book: it finds what people type, from a folder, by keyboard."""

import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from test_site import AXE, PHONE, ROOT, open_page, site, violations

sys.path.insert(0, str(ROOT / "site"))

import search_sections

__all__ = ["site"]

# What people type, and the sections that answer it, by page and anchor below `chapters`.
# The first fifty were chosen before anything was weighed; the others were a test of the
# weights, then, because they failed, told what was still missing.
PHRASES = {
    "Conv2d": ["conv", "reference/conv", "conv#one-line-for-every-window"],
    "nn.LazyLinear": ["reference/linear#lazylinear-the-number-of-inputs-is-read-off"],
    "batchnorm1d": [
        "norm#a-batch-norm-looks-at-the-neighbors",
        "norm",
        "norm#a-batch-norm-of-your-own",
        "reference/norm",
    ],
    "MultiheadAttention": [
        "attention",
        "reference/attention",
        "attention#heads-are-a-letter",
        "reference/attention#arguments-of-the-layer",
    ],
    "pixel shuffle": [
        "reference/shapes#pixelshuffle-pixelunshuffle-upscale-factor-downscale-factor",
        "shapes#two-layers-that-are-a-rearrange-and-nothing-else",
    ],
    "gelu tanh": ["reference/activation#gelu-approximate-none-exact-and-with-tanh"],
    "rmsnorm": ["reference/norm#rmsnorm"],
    "EmbeddingBag": ["reference/embedding#embeddingbag-several-rows-in-one"],
    "unfold": ["reference/windows#unfold"],
    "LPPool2d": ["reference/pool#lppool-norm-type"],
    "UpsamplingBilinear2d": [
        "reference/resample#upsample-upsamplingnearest2d-upsamplingbilinear2d"
    ],
    "nlinear": [
        "reference/nlinear",
        "linear#one-more-letter-a-weight-for-each-position",
    ],
    "padding same": ["reference/conv#same-and-valid", "reference/windows#padding-same"],
    "align_corners": ["reference/resample#align-corners"],
    "ceil_mode": ["reference/pool#ceil-mode"],
    "output_padding": ["reference/conv_transpose#output-padding"],
    "batch_first lstm": ["reference/recurrent#batch-first"],
    "norm_first": [
        "reference/transformer#norm-first-pre-norm-or-post-norm",
        "transformer#the-norm-belongs-inside",
    ],
    "padding_idx": [
        "reference/embedding#padding-idx-a-row-that-does-not-learn",
        "embedding#a-layer-of-your-own-with-padding",
    ],
    "momentum of running mean": [
        "reference/norm#momentum",
        "reference/norm#running-values",
    ],
    "is_causal": ["reference/attention#is-causal"],
    "groups depthwise": [
        "reference/conv#depthwise-and-separable",
        "reference/conv#groups",
        "conv#groups-decide-which-channels-meet",
        "conv#first-space-then-channels",
    ],
    "keepdim pairwise distance": ["reference/distance#p-and-keepdim"],
    "inplace relu": ["reference/activation#inplace-what-it-changes"],
    "expected input to have 3 channels": [
        "reference/conv_transpose#one-two-three-axes-lazy-layers-wrong-shapes",
        "reference/conv#one-two-or-three-axes-with-a-batch-or-without",
    ],
    "RuntimeError: mat1 and mat2 shapes cannot be multiplied (64x3136 and 9216x128)": [
        "reference/linear#why-an-input-is-flattened",
        "reference/linear#what-is-refused",
    ],
    "ValueError: Expected more than 1 value per channel when training, got input size torch.Size([1, 64])": [
        "reference/norm#a-single-value-two-values-small-batches"
    ],
    "IndexError: index out of range in self": [
        "reference/embedding#whole-numbers-of-any-shape"
    ],
    "AssertionError: embed_dim must be divisible by num_heads": [
        "reference/attention#embed-dim-num-heads-kdim-vdim-bias"
    ],
    "Kernel size can't be greater than actual input size": [
        "reference/conv#what-is-refused"
    ],
    "Adam does not support sparse gradients": [
        "reference/embedding#sparse-a-gradient-of-the-rows-that-were-read"
    ],
    "letter 'i' is 3 in input 0 and 4 in input 1": [
        "reference/recipe#errors",
        "reference/recipe#size-1-is-not-stretched",
    ],
    "halving dimension must be even": [
        "reference/activation#glu-dim-1-a-product-of-two-halves"
    ],
    "why divide by sqrt d_k in attention": [
        "attention#the-scores-are-divided-by-a-root"
    ],
    "dead relu": ["activation#a-relu-can-die"],
    "vanishing gradient in rnn": [
        "recurrent#backward-one-matrix-multiplies-again-and-again"
    ],
    "why does my model give different results every time in eval": [
        "reference/dropout#training-when-it-acts",
        "reference/dropout#questions-people-ask",
        "reference/norm#forgetting-eval",
        "dropout#a-layer-of-your-own-in-two-modes",
    ],
    "output size of a convolution formula": [
        "reference/windows#the-number-of-windows",
        "windows#the-output-size-is-the-length-of-a-range",
    ],
    "difference between view and permute": [
        "shapes#a-reshape-never-swaps-axes-a-permute-never-changes-their-sizes"
    ],
    "checkerboard artifacts": [
        "conv_transpose#checkerboards-come-from-uneven-overlaps",
        "reference/conv_transpose#checkerboards",
    ],
    "why is the weight of linear transposed": [
        "reference/linear#why-the-weight-is-stored-as-out-in"
    ],
    "training loss higher than validation loss": [
        "reference/dropout#why-is-the-training-loss-higher-than-the-validation-loss"
    ],
    "how to fuse batchnorm into conv": [
        "reference/norm#folding-it-away",
        "norm#in-evaluation-a-batch-norm-disappears",
    ],
    "what is a receptive field": [
        "reference/conv#receptive-field",
        "conv#depth-makes-an-output-see-further",
    ],
    "softmax gives nan all masked row": [
        "reference/attention#a-row-masked-everywhere",
        "reference/activation#softmax-probabilities-along-an-axis",
    ],
    "einsum cost of three matrices": [
        "recipe#with-three-inputs-the-order-decides-the-cost",
        "reference/recipe#three-inputs-and-more",
        "reference/recipe#the-cost",
    ],
    "deconvolution": [
        "conv_transpose",
        "reference/conv_transpose",
        "reference/conv_transpose#names-in-the-source",
        "reference/conv_transpose#where-texts-differ",
    ],
    "fully connected layer": [
        "linear",
        "reference/linear",
        "linear#an-output-is-a-similarity",
    ],
    "cosine similarty": [
        "distance#a-cosine-is-the-dot-product-of-two-directions",
        "distance",
        "reference/distance",
        "distance#three-candidates-two-measures",
    ],
    "postional encoding": [
        "reference/transformer#positions",
        "reference/attention#rotary-positions",
    ],
}

MORE = {
    "AdaptiveAvgPool2d": [
        "pool#as-many-bins-as-you-ask-for",
        "reference/pool#adaptive-pooling-output-size",
        "pool",
        "reference/pool",
    ],
    "PReLU": [
        "reference/activation#who-chooses-the-slope-below-zero",
        "activation",
        "reference/activation",
    ],
    "GRU bias": [
        "reference/recurrent#two-biases-of-which-one-is-redundant-but-for-a-gru"
    ],
    "maxunpool": ["reference/pool#maxunpool-back-to-where-they-were"],
    "grouped query attention": ["reference/attention#enable-gqa-grouped-queries"],
    "scale_factor vs size": ["reference/resample#size-or-scale-factor"],
    "count_include_pad": [
        "reference/pool#what-a-mean-divides-by-count-include-pad-divisor-override"
    ],
    "dilated convolution": [
        "reference/conv#dilation",
        "conv#stride-dilation-and-padding-only-choose-the-windows",
    ],
    "proj_size": ["reference/recurrent#proj-size"],
    "track_running_stats": ["reference/norm#track-running-stats"],
    "num_groups must divide": ["reference/norm#num-groups"],
    "elementwise_affine": ["reference/norm#affine-elementwise-affine-and-bias"],
    "max_norm embedding": [
        "reference/embedding#max-norm-norm-type-reading-shortens-rows"
    ],
    "RuntimeError: mat1 and mat2 must have the same dtype, but got Long and Float": [
        "reference/linear#dtype-and-device"
    ],
    "Explicit attn_mask should not be set when is_causal=True": [
        "reference/attention#is-causal"
    ],
    "padding='same' is not supported for strided convolutions": [
        "reference/conv#same-and-valid"
    ],
    "pad should be smaller than or equal to half of kernel size": [
        "reference/pool#padding-and-dilation"
    ],
    "a leaf Variable that requires grad is being used in an in-place operation": [
        "reference/activation#inplace-what-it-changes"
    ],
    "dropout probability has to be between 0 and 1, but got 1.5": [
        "reference/dropout#p-from-0-to-1"
    ],
    "how to load pretrained embeddings": [
        "reference/embedding#from-pretrained-weight-freeze"
    ],
    "why does kaiming use sqrt 5": ["reference/linear#why-a-math-sqrt-5"],
    "key value cache": [
        "reference/attention#a-key-value-cache",
        "reference/transformer#the-key-value-cache",
    ],
    "forget gate bias initialization": [
        "reference/recurrent#the-bias-of-the-forget-gate"
    ],
    "dropout before or after batchnorm": [
        "reference/dropout#where-to-put-it",
        "reference/dropout#questions-people-ask",
    ],
    "is convolution or cross correlation": [
        "reference/conv#torch-computes-a-correlation"
    ],
    "two linear layers without activation": [
        "linear#two-layers-in-a-row-are-one",
        "reference/linear#two-layers-without-a-bend-and-what-they-are-good-for",
    ],
    "how does embedding differ from one hot linear": [
        "embedding#reading-a-row-is-a-product",
        "reference/embedding#one-hot",
        "embedding#a-product-that-nobody-computes",
        "reference/embedding#questions-people-ask",
    ],
    "stride tricks memory contiguous": [
        "shapes#memory-is-a-ribbon-and-strides-are-the-steps-along-it",
        "reference/shapes#views-and-copies",
    ],
    "nearst neighbour upsampling": ["reference/resample#nearest-and-nearest-exact"],
    "pad sequences of different length lstm": [
        "reference/recurrent#sequences-of-different-lengths-packed-or-padded"
    ],
    "padding mask transformer": [
        "reference/transformer#masks",
        "reference/transformer#a-padded-source-is-hidden-twice",
        "reference/attention#a-mask-of-true-keep-here-drop-there",
    ],
    "attention quadratic memory": ["attention#what-a-long-text-costs"],
    "softmax temperture": [
        "activation#softmax-turns-scores-into-probabilities",
        "attention#the-scores-are-divided-by-a-root",
    ],
    "bias has wrong shape": ["reference/linear#what-is-refused"],
}

FOUND = """async (phrases) => {
    const found = [];
    for (const phrase of phrases)
        found.push((await bookSearch.find(phrase)).slice(0, 5).map(hit => hit.url));
    return found;
}"""


def points(found: list[str], wanted: list[str]) -> int:
    """2 for a right section first, 1 for one among the first five."""
    places = [url.removeprefix("chapters/").replace(".html", "") for url in found]
    return (
        2
        if places[0:1] and places[0] in wanted
        else int(any(place in wanted for place in places))
    )


@pytest.fixture(scope="module")
def page(site: Path, browser: Browser) -> Page:
    page, looked = open_page(browser, site / "index.html", "light")
    yield page
    assert not looked.console
    assert not looked.outside
    page.context.close()


@pytest.mark.parametrize(("phrases", "least"), [(PHRASES, 0.93), (MORE, 0.8)])
def test_phrases_reach_their_sections(
    page: Page, phrases: dict[str, list[str]], least: float
) -> None:
    found = page.evaluate(FOUND, list(phrases))
    got = {p: points(f, phrases[p]) for p, f in zip(phrases, found, strict=True)}
    missed = {p: f for p, f in zip(phrases, found, strict=True) if got[p] < 2}
    assert sum(got.values()) >= least * 2 * len(phrases), missed


def test_sections_that_answer_are_there(site: Path) -> None:
    for wanted in [*PHRASES.values(), *MORE.values()]:
        for place in wanted:
            name, _, anchor = place.partition("#")
            html = (site / "chapters" / f"{name}.html").read_text("utf-8")
            assert not anchor or f'id="{anchor}"' in html, place


def test_nothing_is_loaded_before_one_searches(site: Path, browser: Browser) -> None:
    page, looked = open_page(browser, site / "index.html", "light")
    assert page.evaluate("typeof MiniSearch") == "undefined"
    page.keyboard.press("Control+k")
    page.wait_for_function("() => typeof MiniSearch !== 'undefined'")
    assert not looked.outside
    page.context.close()


def test_glass_stands_beside_what_is_typed(site: Path, browser: Browser) -> None:
    page, _ = open_page(browser, site / "search.html", "light")
    glass, field = page.locator(".book-search form").evaluate("""(form) => [
        form.querySelector("i").getBoundingClientRect().right,
        form.querySelector("input").getBoundingClientRect().left]""")
    assert glass <= field
    page.context.close()


@pytest.mark.parametrize("size", [None, PHONE])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_combobox_by_keyboard(
    site: Path, browser: Browser, theme: str, size: dict[str, int] | None
) -> None:
    page, looked = open_page(browser, site / "index.html", theme)
    if size:
        page.set_viewport_size(size)
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox")
    field.press_sequentially("align_corn")
    page.wait_for_selector("[role=option]")
    assert field.get_attribute("aria-expanded") == "true"
    assert "sections" in page.locator("dialog [role=status]").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not violations(page, AXE)
    page.keyboard.press("ArrowDown")
    option = page.locator("[role=option][aria-selected=true]")
    assert option.get_attribute("id") == field.get_attribute("aria-activedescendant")
    page.keyboard.press("Enter")
    page.wait_for_selector("mark.found")
    assert page.url.endswith("#align-corners")
    page.keyboard.press("Escape")
    assert not page.locator("mark.found").count()
    assert not looked.console
    page.context.close()


def test_page_of_the_search(site: Path, browser: Browser) -> None:
    page, looked = open_page(browser, site / "search.html", "light")
    assert page.locator("#search-contents").is_visible()
    page.goto(f"{(site / 'search.html').as_uri()}?q=receptive+field")
    first = page.locator("#search-results li a").first
    first.wait_for()
    assert "#receptive-field" in first.get_attribute("href")
    assert first.locator("mark").count()
    assert page.locator("#search-contents").is_hidden()
    assert not looked.console
    page.context.close()


def test_nothing_found_is_said(site: Path, browser: Browser) -> None:
    page, _ = open_page(browser, site / "search.html", "light")
    page.goto(f"{(site / 'search.html').as_uri()}?q=%F0%9F%A6%92")
    page.get_by_text("Nothing found").first.wait_for()
    assert page.locator("#search-contents").is_visible()
    page.context.close()


def test_without_scripts_there_is_a_list_of_pages(site: Path, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "search.html").as_uri())
    links = page.locator("#search-contents a").evaluate_all("a => a.length")
    assert links > 50
    assert page.locator('#search-contents a[href="site/api/names.html"]').count() == 1
    context.close()


def test_line_of_synonyms_without_a_colon() -> None:
    with pytest.raises(ValueError, match="expected 'phrase, phrase: words', got 'a b'"):
        search_sections.synonyms("a b")
