# How Sphinx makes the site of docs/. `make site` runs it with warnings as errors.
import re
from pathlib import Path

project = "mlbuild"
html_title = "mlbuild"
repository = "https://github.com/mlbuild/mlbuild"

extensions = ["myst_parser", "sphinxcontrib.mermaid"]
myst_heading_anchors = 4  # the anchors that GitHub gives to headings
myst_fence_as_directive = ["mermaid"]

suppress_warnings = ["misc.highlighting_failure"]  # colours are not worth an error

html_theme = "furo"
html_theme_options = {"source_repository": repository, "source_branch": "main", "source_directory": "docs/"}
html_copy_source = False
html_show_copyright = False

LINK = re.compile(r"\]\(([^)#:\s]+)(#[^)\s]*)?\)")


def setup(app):
    app.connect("source-read", read)


def read(app, name, source):
    """Points links that leave docs/ at the repository, and puts the menu into the index."""
    page = Path(app.srcdir, name)

    def outside(match):
        target, anchor = match[1], match[2] or ""
        path = (page.parent / target).resolve()
        if path.is_relative_to(app.srcdir):
            return match[0]
        return f"]({repository}/blob/main/{path.relative_to(Path(app.srcdir).parent)}{anchor})"

    text = LINK.sub(outside, source[0])
    if name == "index":
        text += menu(text, sorted(app.env.found_docs - {"index"}))
    source[0] = text


def menu(index, pages):
    """Each section of the index is one of the menu, with the pages that it links first; what it does not link comes last."""
    sections, seen = [], set()
    for section in re.split(r"^## ", index, flags=re.M)[1:]:
        title, _, body = section.partition("\n")
        names = [m[1].removesuffix(".md") for m in LINK.finditer(body)]
        names = [n for n in dict.fromkeys(names) if n in pages and n not in seen]
        seen.update(names)
        sections.append((title, names))
    sections.append(("More", [p for p in pages if p not in seen]))
    return "".join(
        f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n" + "\n".join(names) + "\n```\n" for title, names in sections if names
    )
