"""What the search of the book reads: its sections, with anchors, in one script file.

While Sphinx reads a page, each section is noted: its headings, its prose and its code,
which is told apart since words of prose say more about a section. When all is built,
they are written to `_static/search-data.js`, together with the synonyms. The browser
loads that file, and MiniSearch, when somebody searches (`static/search.js`). It is a
script that calls a function, not JSON, because a page that was opened from a folder may
not read other files. The stemmer that goes along is Porter's, which Sphinx has.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import api_names
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors import EnvironmentCollector
from sphinx.search.en import SearchEnglish

import layerlib

HERE = Path(__file__).parent
KINDS = ("reference", "exercises", "solutions", "api")
"""Folders that say what kind of page lies in them; others are stories."""

LONG = 6000
"""Letters of code and output of one section: a longer table is numbers."""

_SKIPPED = (nodes.raw, nodes.math, nodes.math_block, nodes.image, nodes.comment)


@dataclass
class Section:
    """A section of a page, without the sections inside it."""

    page: str
    anchor: str  # empty for the page itself
    title: str  # of the page
    heading: str  # empty for the page itself
    prose: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # inline code
    subjects: list[str] = field(default_factory=list)  # the public names it is about
    told: list[str] = field(
        default_factory=list
    )  # what the page says where it links here

    @property
    def kind(self) -> str:
        """Of which kind the page is: story, reference, exercises, solutions or api."""
        folder = Path(self.page).parent.name
        return folder if folder in KINDS else "story"


def sections_of(page: str, doctree: nodes.document) -> list[Section]:
    """The sections of a page, in their order; an entry of the API is one as well."""
    first = doctree.next_node(nodes.section)
    return _Reader(page, first).found if first is not None else []


class _Reader:
    """Goes through a page, and notes what it meets in the section that it stands in."""

    def __init__(self, page: str, first: nodes.section) -> None:
        self.page, self.title = page, _text(first.next_node(nodes.title))
        family = Path(page).name
        # Names of models are words of prose as well: steps, merge, Block.
        of_layers = family in api_names.FAMILIES and family not in layerlib.MODELS
        taught = api_names.names(family) if of_layers else []
        self.found = [Section(page, "", self.title, "", subjects=taught)]
        self.places: dict[str, int] = defaultdict(
            int
        )  # number of the section with an id
        self.links: list[tuple[str, list[str]]] = []
        self.read(first, self.found[0])
        for text, anchors in self.links:
            for anchor in anchors:
                self.found[self.places[anchor]].told.append(text)

    def read(self, node: nodes.Node, section: Section) -> None:
        for child in node.children:
            if isinstance(child, nodes.section):
                self.section(child)
            elif isinstance(child, addnodes.desc):
                self.entry(child, section)
            elif isinstance(child, nodes.literal_block | nodes.doctest_block):
                self.code(child.astext(), section)
            elif isinstance(child, nodes.row) and (to := _links(child)):
                # A row of the table of contents is about the sections that it leads to.
                self.links.append((_text(child[0]), to))
            elif isinstance(child, nodes.paragraph | nodes.term | nodes.caption):
                self.prose(child, section)
            elif not isinstance(child, (*_SKIPPED, nodes.title)):
                self.read(child, section)

    def section(self, node: nodes.section) -> None:
        if "references" in node["ids"]:
            return  # titles of papers
        heading = _text(node.next_node(nodes.title))
        words = re.findall(r"\w+", heading)
        about = [word for word in words if api_names.home(word, "")]
        self.begin(node, heading, about)

    def entry(self, node: addnodes.desc, section: Section) -> None:
        signature = node.next_node(addnodes.desc_signature)
        if signature is None or not signature["ids"]:
            self.read(node, section)
            return
        name = signature["fullname"]
        begun = self.begin(node, name, [name], signature["ids"])
        begun.code.append(signature.astext())

    def begin(
        self,
        node: nodes.Element,
        heading: str,
        about: list[str],
        ids: list[str] | None = None,
    ) -> Section:
        """Another section, and all that is in it."""
        ids = ids or node["ids"]
        begun = Section(self.page, ids[0], self.title, heading, subjects=about)
        self.places.update(dict.fromkeys(ids, len(self.found)))
        self.found.append(begun)
        self.read(node, begun)
        return begun

    def code(self, text: str, section: Section) -> None:
        imports = "import layerlib" in text and "\n\n" not in text
        if not imports:
            section.code.append(text[:LONG])

    def prose(self, node: nodes.Element, section: Section) -> None:
        # A question is about the section that has the answer.
        if (question := node.next_node(nodes.strong)) and (to := _links(node)):
            self.links.append((_text(question), to))
        section.names += [n.astext() for n in node.findall(nodes.literal)]
        section.prose.append(_text(node))


def _links(node: nodes.Element) -> list[str]:
    """The places on the same page that a part of it leads to."""
    return [n["refid"] for n in node.findall(nodes.reference) if n.get("id_link")]


def _text(node: nodes.Node | None) -> str:
    """The words of a paragraph; a formula is none."""
    if node is None:
        return ""
    texts = (
        text.astext()
        for text in node.findall(nodes.Text)
        if not isinstance(text.parent, (*_SKIPPED, nodes.footnote_reference))
    )
    return " ".join("".join(texts).split())


class Sections(EnvironmentCollector):
    """Keeps the sections of each page in Sphinx's environment."""

    def clear_doc(
        self,
        app: Sphinx,  # noqa: ARG002  # Sphinx passes all
        env: BuildEnvironment,
        docname: str,
    ) -> None:
        """Forgets a page that is read again, or is gone."""
        kept(env).pop(docname, None)

    def merge_other(
        self,
        app: Sphinx,  # noqa: ARG002
        env: BuildEnvironment,
        docnames: set[str],
        other: BuildEnvironment,
    ) -> None:
        """Takes over what another process has read."""
        kept(env).update({name: kept(other)[name] for name in docnames})

    def process_doc(self, app: Sphinx, doctree: nodes.document) -> None:
        """Notes the sections of the page that was read."""
        page = app.env.docname
        kept(app.env)[page] = sections_of(page, doctree)


def kept(env: BuildEnvironment) -> dict[str, list[Section]]:
    """The sections of each page, by the page's name."""
    sections: dict[str, list[Section]] = vars(env).setdefault("book_sections", {})
    return sections


def pages(env: BuildEnvironment) -> Iterator[tuple[str, str, int]]:
    """Each page in the order of the contents: its name, its title, how deep it lies."""

    def below(page: str, depth: int) -> Iterator[tuple[str, str, int]]:
        yield page, env.titles[page].astext(), depth
        for child in env.toctree_includes.get(page, ()):
            yield from below(child, depth + 1)

    root = env.config.root_doc
    yield root, env.titles[root].astext(), 0
    for page in env.toctree_includes.get(root, ()):
        yield from below(page, 0)


def synonyms(text: str) -> list[tuple[list[str], str]]:
    r"""The phrases of each line of the file of synonyms, and what they stand for.

    Raises:
        ValueError: a line has no colon.

    >>> synonyms("# none\ndense, affine: linear")
    [(['dense', 'affine'], 'linear')]
    """
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        phrases, colon, words = line.partition(":")
        if not colon:
            raise ValueError(
                f"synonyms: expected 'phrase, phrase: words', got {line!r}"
            )
        found.append(([phrase.strip() for phrase in phrases.split(",")], words.strip()))
    return found


def _write(app: Sphinx, exception: Exception | None) -> None:
    """Writes what the browser searches in."""
    if exception or app.builder.format != "html":
        return
    sections = [
        {**asdict(section), "kind": section.kind}
        for page, _, _ in pages(app.env)
        for section in kept(app.env).get(page, ())
        if section.kind != "solutions"  # who looks for a layer is not told answers
    ]
    for section in sections:
        section["topic"] = _topic(app.env, section["page"])
        section["names"] = sorted({n for n in section["names"] if _NAME.fullmatch(n)})
    words = synonyms((HERE / "search_synonyms.txt").read_text(encoding="utf-8"))
    data = json.dumps({"sections": sections, "synonyms": words}, ensure_ascii=False)
    stemmer = f"(() => {{{SearchEnglish.js_stemmer_code}\nreturn new Stemmer(); }})()"
    static = Path(app.outdir) / "_static"
    script = f"bookSearch.load({data}, {stemmer});\n"
    (static / "search-data.js").write_text(script, encoding="utf-8")
    for unused in ("searchtools.js", "language_data.js", "sphinx_highlight.js"):
        (static / unused).unlink(missing_ok=True)


def _topic(env: BuildEnvironment, page: str) -> str:
    """The title of the story that a page belongs to."""
    story = f"chapters/{Path(page).name}"
    return env.titles[story if story in env.titles else page].astext()


_NAME = re.compile(r"(nn\.|F\.|torch\.)*[A-Za-z_]\w*(\(\))?")


def _page(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The page of the search, in place of Sphinx's own."""
    context = {"title": "Search", "book_pages": list(pages(app.env))}
    yield "search", context, "book_search.html"


def _ours(app: Sphinx) -> None:
    """Puts this search in the place of Sphinx's, which then builds no index."""
    if app.builder.format == "html":
        app.builder.search = False  # type: ignore[attr-defined]
        app.add_css_file("search.css")
        app.add_js_file("search.js")


def _no_highlighter(
    app: Sphinx,  # noqa: ARG001
    pagename: str,  # noqa: ARG001
    templatename: str,  # noqa: ARG001
    context: dict[str, Any],
    doctree: object,  # noqa: ARG001
) -> None:
    """Without the script that marks what Sphinx's search has found."""
    context["script_files"] = [
        script
        for script in context.get("script_files", ())
        if "sphinx_highlight" not in str(getattr(script, "filename", script))
    ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects the above."""
    app.add_env_collector(Sections)
    app.connect(
        "config-inited",
        lambda _, config: config.templates_path.append(str(HERE / "search_templates")),
    )
    app.connect("builder-inited", _ours)
    app.connect("html-collect-pages", _page)
    app.connect("html-page-context", _no_highlighter)
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
