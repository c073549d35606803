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

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors import EnvironmentCollector
from sphinx.search.en import SearchEnglish

import api_names

HERE = Path(__file__).parent
KINDS = {"reference": "reference", "exercises": "exercises", "api": "api"}
"""The folder that a page lies in, and what kind of page it is; others are stories."""

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
        """Of which kind the page is: story, reference, exercises or api."""
        return KINDS.get(Path(self.page).parent.name, "story")


def sections_of(page: str, doctree: nodes.document) -> list[Section]:
    """The sections of a page, in their order; an entry of the API is one as well."""
    first = doctree.next_node(nodes.section)
    if first is None:
        return []
    title = _text(first.next_node(nodes.title))
    family = Path(page).name
    homes = api_names.homes()
    taught = api_names.names(family) if family in api_names.FAMILIES else []
    found = [Section(page, "", title, "", subjects=taught)]

    places: dict[str, int] = defaultdict(int)  # the number of the section with an id
    links: list[tuple[str, list[str]]] = []

    def read(node: nodes.Node, section: Section) -> None:
        for child in node.children:
            if isinstance(child, nodes.section) and "references" in child["ids"]:
                continue  # titles of papers
            if isinstance(child, nodes.section):
                heading = _text(child.next_node(nodes.title))
                about = [word for word in re.findall(r"\w+", heading) if word in homes]
                found.append(
                    Section(page, child["ids"][0], title, heading, subjects=about)
                )
                places.update(dict.fromkeys(child["ids"], len(found) - 1))
                read(child, found[-1])
            elif isinstance(child, addnodes.desc):
                signature = child.next_node(addnodes.desc_signature)
                inner = section
                if signature is not None and signature["ids"]:
                    heading = signature["fullname"]
                    found.append(Section(page, signature["ids"][0], title, heading))
                    inner = found[-1]
                    inner.subjects = [heading]
                    inner.code.append(signature.astext())
                read(child, inner)
            elif isinstance(child, nodes.literal_block | nodes.doctest_block):
                if "import layerlib" not in child.astext() or "\n\n" in child.astext():
                    section.code.append(child.astext()[:LONG])
            elif isinstance(child, nodes.row) and (to := _links(child)):
                # A row of the table of contents is about the sections that it leads to.
                links.append((_text(child[0]), to))
            elif isinstance(child, nodes.paragraph | nodes.term | nodes.caption):
                # And a question, about the section that has the answer.
                if (question := child.next_node(nodes.strong)) and _links(child):
                    links.append((_text(question), _links(child)))
                section.names += [n.astext() for n in child.findall(nodes.literal)]
                section.prose.append(_text(child))
            elif not isinstance(child, (*_SKIPPED, nodes.title)):
                read(child, section)

    read(first, found[0])
    for text, anchors in links:
        for anchor in anchors:
            found[places[anchor]].told.append(text)
    return found


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
    """The phrases of each line of the file of synonyms, and what they stand for.

    Raises:
        ValueError: a line has no colon.

    >>> synonyms("# none\\ndense, affine: linear")
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
