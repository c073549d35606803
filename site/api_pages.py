"""The API reference and the index of names, made of docstrings while the book is built.

The pages themselves, `site/api/NAME.md`, hold a directive and no more. `api` describes
the public names of a module: their arguments, what their docstrings say (read by
napoleon), where story and reference tell about them, and their source. `api-names`
lists all classes, functions and arguments. And where a page has the name of a class in
inline code, its first mention in each section leads to the API.
"""

import ast
import builtins
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import api_names
import search_sections
from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import Config, GoogleDocstring
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

STORIES = {"nlinear": "linear", **api_names.TAUGHT}
FOLDER = "site/api"
NAPOLEON = Config(napoleon_use_param=False, napoleon_use_rtype=False)


class links(nodes.General, nodes.Element):  # noqa: N801  # docutils' nodes are so named
    """A place for links that are known when all pages were read."""


class names(nodes.General, nodes.Element):  # noqa: N801
    """The place of the index of names."""


# ---- What an entry says


def described(x: Any) -> list[str]:
    """The docstring of something in reStructuredText, its contract on a line by itself.

    >>> described(api_names.MODULES["linear"].Linear)[:3]
    ['.. container:: contract', '', '   ``(..., i) -> (..., o)``']
    """
    text = inspect.getdoc(x) or ""
    if inspect.isclass(x):
        text = "\n\n".join([text, *_of_bases(x)])
    text = re.sub(r"(?<![`:\w])`([^`\n]+)`(?![`\w])", r"``\1``", text)
    contract = re.match(r"(``.*?``):\s+", text, re.DOTALL)
    head: list[str] = []
    if contract and "->" in contract[1]:
        rest = text[contract.end() :]
        head = [
            ".. container:: contract",
            "",
            f"   {' '.join(contract[1].split())}",
            "",
        ]
        text = rest[:1].upper() + rest[1:]
    return head + GoogleDocstring(text, NAPOLEON).lines()


def _of_bases(x: type) -> Iterator[str]:
    """What private bases of a class say: of Conv2d, the shape of the weight."""
    for base in x.__mro__[1:]:
        if base.__module__ == x.__module__ and base.__name__.startswith("_"):
            yield inspect.getdoc(base) if base.__doc__ else ""


def source(x: Any) -> str:
    """The source of a class or function, without its docstrings.

    >>> print(source(api_names.MODULES["linear"].linear))
    @convention(fits_linear)
    def linear(
        input: Num[Tensor, "... i"],
        weight: Num[Tensor, "*o i"],
        bias: Num[Tensor, "*o"] | None = None,
    ) -> Num[Tensor, "..."]:
        rows = LINEAR if weight.ndim == 2 else DOT
        y = rows(input, weight)
        return y if bias is None else y + bias
    """
    lines = textwrap.dedent(inspect.getsource(inspect.unwrap(x))).rstrip().split("\n")
    defined = ast.FunctionDef | ast.ClassDef
    for node in reversed([*ast.walk(ast.parse("\n".join(lines)))]):
        if isinstance(node, defined) and ast.get_docstring(node) is not None:
            first = node.body[0]
            if len(node.body) > 1:
                end = node.body[1].lineno - 1
                decorators = getattr(node.body[1], "decorator_list", ())
                end = min([end, *(d.lineno - 1 for d in decorators)])
                while lines[end - 1].strip().startswith("#"):
                    end -= 1
                lines[first.lineno - 1 : end] = []
    return "\n".join(lines)


def methods(x: type) -> list[str]:
    """The public methods that a class of the book defines, itself or by its bases.

    >>> methods(api_names.MODULES["linear"].Linear)
    ['reset_parameters', 'forward']
    """
    found: dict[str, None] = {}
    for base in reversed(x.__mro__):
        if base.__module__.split(".")[0] in {"layerlib", "classroom"}:
            for name, member in vars(base).items():
                plain = inspect.isfunction(member) or isinstance(member, property)
                if plain and not name.startswith("_") and member.__doc__:
                    found[name] = None
    return [*found]


def entries(family: str) -> Iterator[list[str]]:
    """The names of each entry: conv1d, conv2d and conv3d share a docstring, and one."""
    module = api_names.MODULES[family]
    ordered = sorted(
        api_names.names(family), key=lambda n: not inspect.isclass(getattr(module, n))
    )
    shared: dict[Any, list[str]] = {}
    for name in ordered:
        x = getattr(module, name)
        shared.setdefault(x if inspect.isclass(x) else inspect.unwrap(x), []).append(
            name
        )
    yield from shared.values()


# ---- The pages


class Api(SphinxDirective):
    """The entries of a module."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Writes the page as reStructuredText, and reads that."""
        family = self.arguments[0]
        module = api_names.MODULES[family]
        text = [*described(module), "", f".. py:module:: {module.__name__}", ""]
        lines = api_names.lines(family) if family in api_names.FAMILIES else {}
        if lines:
            text += [".. rubric:: Lines and bends", ""]
            text += [".. code-block:: python", "   :class: api-lines", ""]
            text += [f"   {name} = {line!r}" for name, line in lines.items()] + [""]
        for group in entries(family):
            text += self.entry(module, group)
        node = nodes.container()
        content = StringList(text, source=f"{module.__name__} docstrings")
        self.state.nested_parse(content, self.content_offset, node)
        return node.children

    def entry(self, module: Any, group: list[str]) -> list[str]:
        """One class, or the functions that share a docstring."""
        first = getattr(module, group[0])
        kind = "class" if inspect.isclass(first) else "function"
        calls = [f"{n}{api_names.signature(getattr(module, n))}" for n in group]
        text = [f".. py:{kind}:: {calls[0]}"]
        text += [" " * len(f".. py:{kind}:: ") + call for call in calls[1:]]
        text += [f"   :module: {module.__name__}", ""]
        body = [*described(first), "", f".. api-links:: {' '.join(group)}", ""]
        if kind == "class":
            for name in methods(first):
                member = inspect.getattr_static(first, name)
                is_property = isinstance(member, property)
                call = "" if is_property else str(_bound(getattr(first, name)))
                role = "property" if is_property else "method"
                body += [f".. py:{role}:: {name}{call}", "   :no-contents-entry:", ""]
                body += [*_indented(described(member)), ""]
        return text + _indented(body)


def _bound(method: Any) -> inspect.Signature:
    """The arguments of a method without `self`."""
    found = api_names.signature(method)
    parameters = [*found.parameters.values()]
    return found.replace(parameters=[p for p in parameters if p.name != "self"])


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"   {line}" if line.strip() else "" for line in lines]


class Links(SphinxDirective):
    """Where story and reference tell about a name, and its source."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Keeps a place for the links, and folds the source."""
        group = self.arguments[0].split()
        family = self.env.docname.rpartition("/")[2]
        module = api_names.MODULES[family]
        code = source(getattr(module, group[0]))
        block = nodes.literal_block(code, code, language="python")
        opening = '<details class="api-source"><summary>Source</summary>'
        return [
            links(group=group, family=family),
            nodes.raw("", opening, format="html"),
            block,
            nodes.raw("", "</details>", format="html"),
        ]


class Names(SphinxDirective):
    """The index of names."""

    def run(self) -> list[nodes.Node]:
        """Keeps the place."""
        return [names()]


# ---- Where the book tells about a name


def told(env: BuildEnvironment, page: str, name: str) -> tuple[str, str, str] | None:
    """The section of a page that tells about a name: page, anchor, heading.

    The one that has it in its heading; else the first with it in inline code, or in
    code; else, where the family is the page's own, the page.
    """
    sections = search_sections.kept(env).get(page, [])
    family = page.rpartition("/")[2]
    home = api_names.home(name, family) or ""
    word = re.compile(rf"(?<![\w.]){re.escape(name)}(?!\w)")
    stemmed = re.compile(rf"(?<![\w.]){re.escape(re.sub(r'[123]d$', '', name))}(?!\w)")
    wanted = (
        lambda s: bool(s.anchor and word.search(s.heading)),
        lambda s: bool(s.anchor and stemmed.search(s.heading)),
        lambda s: any(word.search(n) for n in s.names),
        lambda s: any(word.search(c) for c in s.code),
        lambda s: not s.anchor and api_names.TAUGHT.get(home, home) == family,
    )
    for is_it in wanted:
        for section in filter(is_it, sections):
            return page, section.anchor, section.heading or section.title
    return None


def place_of(name: str, family: str) -> tuple[str, str]:
    """The page and the anchor of a public name's entry in the API."""
    return f"{FOLDER}/{family}", f"{api_names.MODULES[family].__name__}.{name}"


def _pages_of(family: str) -> dict[str, str]:
    return {
        "Story": f"chapters/{STORIES.get(family, family)}",
        "Reference": f"chapters/reference/{api_names.TAUGHT.get(family, family)}",
    }


def _leads(
    app: Sphinx, here: str, page: str, anchor: str, inside: nodes.Node
) -> nodes.reference:
    return make_refnode(app.builder, here, page, anchor, inside)


def _fill_links(app: Sphinx, doctree: nodes.document, here: str) -> None:
    """Puts in each place for links what leads to story and reference."""
    for node in [*doctree.findall(links)]:
        paragraph = nodes.paragraph(classes=["api-links"])
        for label, page in _pages_of(node["family"]).items():
            if found := told(app.env, page, node["group"][0]):
                page, anchor, heading = found  # noqa: PLW2901
                paragraph += nodes.inline("", f"{label}: ")
                paragraph += _leads(app, here, page, anchor, nodes.Text(heading))
                paragraph += nodes.Text(" ")
        node.replace_self([paragraph] if paragraph.children else [])


def _fill_names(app: Sphinx, doctree: nodes.document, here: str) -> None:
    """Puts the index of names in its place: two lists, by the alphabet."""
    for node in [*doctree.findall(names)]:
        of: dict[str, list[tuple[str, str]]] = {}
        for argument, name, family in api_names.arguments():
            of.setdefault(argument, []).append((name, family))
        public: dict[str, list[tuple[str, str]]] = {}
        for family in api_names.FAMILIES:
            for name in api_names.names(family):
                public.setdefault(name, []).append((name, family))
        section = nodes.section(ids=["classes-and-functions"])
        section += nodes.title("", "Classes and functions")
        section += _list(app, here, [*public.items()])
        more = nodes.section(ids=["arguments"])
        more += nodes.title("", "Arguments")
        more += _list(app, here, [*of.items()])
        node.replace_self([section, more])


def _list(
    app: Sphinx, here: str, found: list[tuple[str, list[tuple[str, str]]]]
) -> nodes.definition_list:
    """A list of names, each with its places in API, story and reference."""
    listed = nodes.definition_list(classes=["names"])
    for word, holders in sorted(found, key=lambda pair: (pair[0].lower(), pair[0])):
        item = nodes.definition_list_item()
        item += nodes.term("", "", nodes.literal(word, word), ids=[f"name-{word}"])
        text = nodes.paragraph()
        for family in dict.fromkeys(f for _, f in holders):
            for name in (n for n, f in holders if f == family):
                code = nodes.literal(name, name)
                text += _leads(app, here, *place_of(name, family), code)
                text += nodes.Text(" ")
            for label, page in _pages_of(family).items():
                if place := told(app.env, page, word):
                    text += _leads(app, here, *place[:2], nodes.Text(label.lower()))
                    text += nodes.Text(" ")
        item += nodes.definition("", text)
        listed += item
    return listed


# ---- From inline code to the API


_CODE = re.compile(r"(?:torch\.nn\.functional\.|torch\.nn\.|nn\.|F\.)?(\w+)(\(\))?")


def named(code: str, family: str) -> str | None:
    """The public name that inline code is, on a page of this family.

    A class counts anywhere. A function does where its page is, or where it is called:
    `linear` is also a mode of resampling.

    >>> named("nn.Conv2d", "pool"), named("linear", "conv"), named("linear()", "conv")
    ('Conv2d', None, 'linear')
    """
    found = _CODE.fullmatch(code)
    home = api_names.home(found[1], family) if found else None
    if not found or home is None:
        return None
    name = found[1]
    is_class = name[0].isupper()
    at_home = home == family
    return name if is_class or at_home or found[2] or "." in code else None


def _link_code(app: Sphinx, doctree: nodes.document, here: str) -> None:
    """Links the first mention of each public name in a section to the API."""
    family = here.rpartition("/")[2]
    seen: set[tuple[int, str]] = set()
    for literal in [*doctree.findall(nodes.literal)]:
        name = named(literal.astext(), family)
        if name is None or _taken(literal):
            continue
        section = literal.parent
        while section.parent is not None and not isinstance(section, nodes.section):
            section = section.parent
        page, anchor = place_of(name, api_names.home(name, family) or "")
        inside = here == page and _within(literal, anchor)
        if (id(section), name) in seen or inside or page not in app.env.found_docs:
            continue
        seen.add((id(section), name))
        link = _leads(app, here, page, anchor, literal.deepcopy())
        link["classes"].append("api")
        literal.replace_self(link)


_TAKEN = (nodes.reference, nodes.title, nodes.term, addnodes.pending_xref)


def _taken(node: nodes.Node) -> bool:
    """Whether it lies in a link or a heading already."""
    while node.parent is not None:
        node = node.parent
        if isinstance(node, _TAKEN):
            return True
    return False


def _within(node: nodes.Node, anchor: str) -> bool:
    """Whether it lies in the entry with this anchor."""
    while node.parent is not None:
        node = node.parent
        if isinstance(node, addnodes.desc):
            signatures = node.findall(addnodes.desc_signature)
            if any(anchor in signature["ids"] for signature in signatures):
                return True
    return False


def _fill(app: Sphinx, doctree: nodes.document, here: str) -> None:
    _fill_links(app, doctree, here)
    _fill_names(app, doctree, here)
    _link_code(app, doctree, here)


def _known(
    app: Sphinx,  # noqa: ARG001
    env: BuildEnvironment,  # noqa: ARG001
    node: addnodes.pending_xref,
    inside: nodes.Element,
) -> nodes.Element | None:
    """The errors that docstrings name are Python's, which have no page here."""
    python = node.get("refdomain") == "py" and hasattr(builtins, node["reftarget"])
    return inside if python else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects the above."""
    app.add_node(links)
    app.add_node(names)
    app.add_directive("api", Api)
    app.add_directive("api-links", Links)
    app.add_directive("api-names", Names)
    app.add_css_file("api.css")
    app.connect("doctree-resolved", _fill)
    app.connect("missing-reference", _known)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
