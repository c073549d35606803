"""Where the book teaches what the five documents teach that it is built from.

`python tests/test_documents.py` prints the table: document, section, page, heading.
"""

import re
from pathlib import Path

import nbformat
import pytest

CHAPTERS = Path(__file__).parents[1] / "chapters"

DELU = "delu, NLinear"
TORCH = "a knowledge base on torch, Layers"
LINEAR = "an article on nn.Linear"
EINX = "einx, Common network operations"
SUMS = "rearrange and sum"

# Document, what one of its sections teaches, the page and the heading where the book
# does, and something that stands below that heading and nowhere but where it is taught.
PLACES = [
    (DELU, "constructor, one number or a tuple", "reference/nlinear", "`n`, a number or a tuple", r"NLinear\(\("),
    (DELU, "a map for each token; for each patch", "reference/nlinear", "Two uses", r"patch"),
    (DELU, "any number of batch axes", "reference/nlinear", "Batch axes: none, one, many", r"torch\.\w+\("),
    (TORCH, "Linear", "reference/linear", "The same as torch", r"same\("),
    (TORCH, "Dropout, the mask of seed 111", "reference/dropout", "Where texts differ", r"seed\(111\)"),
    (TORCH, "Normalization, its table", "reference/norm", "Which layer is which", r"InstanceNorm"),
    (TORCH, "Normalization, 4 × 5 numbers", "reference/norm", "Where texts differ", r"arange\(20"),
    (TORCH, "Convolutional, the kernel (1, 2)", "reference/conv", "Where texts differ", r"two-dimensional"),
    (TORCH, "Inverse convolution, its picture", "conv_transpose", "Each cell stamps the kernel", r"film\(|point_at\("),
    (TORCH, "Inverse convolution, 2 × 2 numbers", "reference/conv_transpose", "Where texts differ", r"inverse"),
    (TORCH, "Pooling, its table", "reference/pool", "All layers in one table", r"AvgPool"),
    (TORCH, "Pooling, ten numbers in float16", "reference/pool", "Where texts differ", r"float16"),
    (TORCH, "Recurrent, output[-1] == h_n", "reference/recurrent", "The order of `h_n`", r"output\[-1\]"),
    (TORCH, "Transformers, five classes", "reference/transformer", "Five classes, three kinds of models", r"TransformerDecoderLayer"),
    (TORCH, "Activation, inplace, nine numbers", "reference/activation", "`inplace`: what it changes", r"nine = "),
    (TORCH, "Flatten and Unflatten, 81 numbers", "reference/shapes", "Unflatten: `dim`, `unflattened_size`", r"[Uu]nflatten"),
    (LINEAR, "bias off", "reference/linear", "`bias=False`", r"bias=False"),
    (LINEAR, "a ReLU on top; two layers", "linear", "A second layer saves steps, not mistakes", r"ReLU"),
    (LINEAR, "by hand; F.linear", "reference/linear", "Where texts differ", r"linear\("),
    (LINEAR, "a module of one's own", "linear", "A layer of your own", r"class \w+"),
    (LINEAR, "when to use which", "reference/linear", "Linear: reference", r"functional\.linear"),
    (EINX, "LayerScale", "reference/vision", "LayerScale", r"LayerScale\("),
    (EINX, "class token", "reference/vision", "Class token", r"token"),
    (EINX, "positional embedding", "reference/vision", "Positional embedding", r"position"),
    (EINX, "1-d, 2-d and 3-d", "reference/vision", "Sounds and videos", r"image_size"),
    (EINX, "word embedding", "reference/vision", "The same operations in einx", r"get_at\("),
    (EINX, "layer norm", "reference/norm", "Where texts differ", r"einx"),
    (EINX, "multi-head attention", "reference/attention", "Where texts differ", r"root"),
    (EINX, "shifted windows, and their mask", "reference/window_attention", "Where texts differ", r"mask"),
    (EINX, "MLP-Mixer", "reference/mixer", "einx's operation beside the recipe", r"einx"),
    (EINX, "the same operations, side by side", "reference/vision", "The same operations in einx", r"multiply\("),
    (EINX, "GPT-2 with real weights", "gpt2", "A model is a folder", r"from_pretrained"),
    (SUMS, "the table of letters", "reference/shapes", "The letters", r"alphabet"),
    (SUMS, "Linear", "reference/recipe", "Names on both sides", r"c_in"),
    (SUMS, "Conv1d, Conv2d; stride, groups", "reference/conv", "Where texts differ", r"groups"),
    (SUMS, "a more efficient dilation", "reference/conv", "`dilation`", r"reach = "),
    (SUMS, "pad", "reference/windows", "The order of the widths", r"pad\("),
    (SUMS, "matmul, bmm, mm", "reference/recipe", "mm, bmm, matmul", r"torch\.bmm"),
    (SUMS, "view, permute, squeeze, unsqueeze", "reference/shapes", "Torch's verbs, as lines", r"unsqueeze"),
    (SUMS, "depthwise separable", "reference/conv", "Depthwise and separable", r"separable"),
    (SUMS, "ConvTranspose2d as PixelShuffle", "reference/conv_transpose", "Kernel = stride is a PixelShuffle, with groups", r"PixelShuffle"),
    (SUMS, "attention, multi-head attention", "attention", "Heads are a letter", r"h"),
]  # fmt: skip


def below(page: str, heading: str) -> str | None:
    """What stands below a heading, down to the next one; nothing, if there is none."""
    parts = re.compile(
        rf"^#+ {re.escape(heading)}$(.*?)(?=^#+ |\Z)", re.MULTILINE | re.DOTALL
    )
    notebook = nbformat.read(CHAPTERS / f"{page}.ipynb", as_version=4)
    text = "\n".join(
        # A comment of code is no heading.
        re.sub(r"^#", " #", c.source, flags=re.MULTILINE)
        if c.cell_type == "code"
        else c.source
        for c in notebook.cells
    )
    found = parts.search(text)
    return found and found[1]


@pytest.mark.parametrize(
    ("page", "heading", "taught"),
    [row[2:] for row in PLACES],
    ids=[r[1] for r in PLACES],
)
def test_a_section_of_a_document_has_its_place(
    page: str, heading: str, taught: str
) -> None:
    found = below(page, heading)
    assert found is not None, f"{page} has no heading {heading!r}"
    assert re.search(taught, found), f"{page}, {heading!r}: nothing fits {taught!r}"


if __name__ == "__main__":
    print("| document | section | page | heading |\n|---|---|---|---|")
    for document, section, page, heading, _ in PLACES:
        print(f"| {document} | {section} | {page} | {heading} |")
