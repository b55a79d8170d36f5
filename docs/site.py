#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Builds the site from the repository's Markdown, with Sphinx: docs/site.py BUILD-DIRECTORY.

The pages keep their places and their text; BUILD/site-source has what Sphinx reads:

* a link to a source becomes one to a page that shows the source, and a line that is nothing but a
  link to a .dot file becomes that diagram;
* manual pages, the reference of libext and the tables of the ABI are made and added.

A page that no list below has is among the how-tos. Every warning is an error, and so is a link that
leads nowhere. Nothing is fetched from the network, neither now nor by a reader's browser.
"""

import glob
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
import reference  # noqa: E402
import site_links  # noqa: E402

# Caption -> pages in their order, of which those that are not there are left out.
SECTIONS = (
    ("Tutorial", ("docs/tutorial.md",)),
    ("How-tos", ("docs/howto.md", "docs/guests.md", "ext/cxx/README.md", "ext/rust/README.md",
                 "docs/debugging.md", "docs/uefi.md", "docs/packaging.md", "CONTRIBUTING.md",
                 "docs/testing.md")),
    ("Reference", ("docs/man/index.md", "docs/libext/index.md", "docs/abi/README.md",
                   "docs/tables/index.md", "docs/errors.md", "docs/hardware.md")),
    ("Explanation", ("docs/architecture.md", "docs/launch-and-stop.md", "docs/memory-map.md",
                     "docs/failures.md", "docs/limits.md", "docs/comparison.md",
                     "docs/style.md", "docs/misra.md")),
)
OTHERS = "How-tos"
MANUALS = ("bfm.8", "bareflank.4", "bareflank-ext.7")
TABLES = (("calls", "Mk#1: calls"), ("status", "Mk#1: status values"), ("calls-mk2", "Mk#2: calls"),
          ("status-mk2", "Mk#2: status values"), ("registers-amd", "Registers of a VS: AMD"),
          ("registers-intel", "Registers of a VS: Intel"),
          ("msrs", "MSRs within an extension's reach"), ("features", "CPU features"),
          ("capabilities", "What the CPU must offer"))
LANGUAGES = {".c": "c", ".h": "c", ".hpp": "c++", ".cc": "c++", ".rs": "rust", ".py": "python3",
             ".S": "gas", ".mk": "make"}

CONFIGURATION = """\
project = "Bareflank in C"
author = "the contributors"
copyright = "the contributors, MIT licence"
extensions = ["myst_parser"]
myst_heading_anchors = 4
exclude_patterns = []
highlight_language = "text"
suppress_warnings = ["misc.highlighting_failure"]
html_theme = "furo"
html_title = "Bareflank in C"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False


def without_unused(app, page, template, context, doctree):
    context["script_files"] = [file for file in context["script_files"]
                               if not str(getattr(file, "filename", file)).endswith(UNUSED)]


def setup(app):
    app.connect("html-page-context", without_unused)
"""
# For Sphinx's extensions of old: neither it nor the theme wants them, and newer ones have none.
UNUSED = ("jquery.js", "underscore.js", "_sphinx_javascript_frameworks_compat.js")

STYLE = """\
article table { display: block; overflow-x: auto; font-size: .85em; }
table.docutils td, table.docutils th { padding: .2em .45em; }
@media (min-width: 100em) { .content { width: 60em; } }
article img { max-width: 100%; background: #fff; }
.manual-text h1 { font-size: 1.3em; margin: 1.2em 0 .4em; }
.manual-text h2 { font-size: 1.1em; margin: 1em 0 .3em; }
.manual-text pre { overflow-x: auto; }
.manual-text .Bd-indent { margin-left: 2em; }
table.head, table.foot { display: none; }
"""


def read(path):
    with open(path, encoding="utf-8") as text:
        return text.read()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


class Source:
    """What Sphinx reads, as it grows: pages by their paths in the repository."""

    def __init__(self, directory):
        self.directory = directory
        self.shown = set()

    def place(self, path):
        """Where a page of the repository is: its README is the first page."""
        return "index.md" if path == "README.md" else path

    def add(self, path, text):
        write(f"{self.directory}/{self.place(path)}", self.with_links(path, text))

    def with_links(self, path, text):
        """The text with links that lead to what the site has; code stays as it is."""
        parts = re.split(r"(^```.*?^```$)", text, flags=re.M | re.S)
        for i in range(0, len(parts), 2):
            parts[i] = re.sub(r"^\[([^\]]+)\]\(([\w./-]+)\.dot\)$", r"![\1](\2.svg)", parts[i],
                              flags=re.M)
            parts[i] = re.sub(r"(?<=\]\()([^)\s]+)(?=\))",
                              lambda match: self.link(path, match[1]), parts[i])
        return "".join(parts)

    def link(self, path, link):
        target, mark, anchor = link.partition("#")
        if "://" in link or not target or target.endswith(".svg"):
            return link
        if target.startswith("/"):
            target = target[1:]
        else:
            target = os.path.normpath(os.path.join(os.path.dirname(path), target))
        if not target.endswith(".md") and os.path.exists(target):
            target, mark, anchor = self.show(target), "", ""
        here = os.path.dirname(self.place(path))
        return os.path.relpath(self.place(target), here or ".") + mark + anchor

    def show(self, path):
        """The page that shows a source, or lists those of a directory."""
        directory = os.path.isdir(path)
        page = f"source/{path}/index.md" if directory else f"source/{path}.md"
        if page in self.shown:
            return page
        self.shown.add(page)
        text = f"---\norphan: true\n---\n\n# {path}\n\n"
        if directory:
            files = sorted(f for f in glob.glob(f"{path}/*") if os.path.isfile(f))
            text += "".join(f"* [{os.path.basename(f)}](/{f})\n" for f in files)
        else:
            language = LANGUAGES.get(os.path.splitext(path)[1], "text")
            text += f"``````{language}\n{read(path)}\n``````\n"
        self.add(page, text) if directory else write(f"{self.directory}/{page}", text)
        return page


def repository_pages():
    return [*sorted(glob.glob("docs/**/*.md", recursive=True)),
            *sorted(glob.glob("ext/*/README.md")), "CONTRIBUTING.md"]


def toctree(pages, options="", here="docs"):
    lines = "".join(os.path.relpath(page, here or ".")[:-len(".md")] + "\n" for page in pages)
    return f"\n```{{toctree}}\n{options}:maxdepth: 1\n\n{lines}```\n"


def add_manuals(source, build):
    made = []
    for name in MANUALS:
        stem, section = name.rsplit(".", 1)
        path = f"{build}/bfm/{name}" if section == "8" else f"{build}/man/man{section}/{name}"
        text = subprocess.run(["mandoc", "-Thtml", "-O", "fragment", path], check=True,
                              capture_output=True, text=True).stdout
        page = f"docs/man/{stem}.md"
        # What is only in the page that mandoc makes: its own headings are no headings of Sphinx's.
        source.add(page, f"# {stem}({section})\n\n``````{{raw}} html\n{text}\n``````\n")
        made.append(page)
    source.add("docs/man/index.md", "# Manual pages\n\nSection 3, the functions of libext, is "
               "[here](/docs/libext/index.md); `man ext_print` has it, too.\n"
               + toctree(made, here="docs/man"))


def add_libext(source):
    made = []
    for header in reference.HEADERS:
        page = f"docs/libext/{reference.page_name(header)}.md"
        source.add(page, reference.header_markdown(header))
        made.append(page)
    source.add("docs/libext/index.md", "# The C library of extensions: libext\n\nMade from the "
               "comments of the headers. What each call of the microkernel does, and all of its "
               "errors: [Mk#1](/docs/abi/calls.md), [Mk#2](/docs/abi/mk2.md).\n"
               + toctree(made, here="docs/libext"))


def add_tables(source, build):
    made = []
    for name, title in TABLES:
        page = f"docs/tables/{name}.md"
        source.add(page, f"# {title}\n\n{read(f'{build}/docs/abi-{name}.md')}")
        made.append(page)
    source.add("docs/tables/index.md", "# Tables of the ABI\n\nMade from the lists in "
               "[abi/](/abi).\n" + toctree(made, here="docs/tables"))


def add_diagrams(source):
    for path in glob.glob("docs/diagrams/*.dot"):
        made = f"{source.directory}/{path[:-len('.dot')]}.svg"
        os.makedirs(os.path.dirname(made), exist_ok=True)
        subprocess.run(["dot", "-Tsvg", "-o", made, path], check=True)


def add_pages(source):
    """The repository's own pages, and the first one with the list of all."""
    pages = repository_pages()
    for page in pages:
        if page != "docs/abi/README.md":
            source.add(page, read(page))
    abi = [page for page in pages if page.startswith("docs/abi/") and "README" not in page]
    source.add("docs/abi/README.md", read("docs/abi/README.md")
               + toctree(abi, ":hidden:\n", "docs/abi"))
    listed = {page for _, some in SECTIONS for page in some} | set(abi)
    index = read("README.md")
    for caption, some in SECTIONS:
        some = [page for page in some if os.path.exists(f"{source.directory}/{page}")]
        if caption == OTHERS:
            some += [page for page in pages if page not in listed]
        if some:
            index += toctree(some, f":hidden:\n:caption: {caption}\n", "")
    source.add("README.md", index)


def build_site(build):
    """What is wrong; nothing: the site is there."""
    directory, site = f"{build}/site-source", f"{build}/site"
    for old in (directory, site):
        shutil.rmtree(old, ignore_errors=True)
    source = Source(directory)
    write(f"{directory}/conf.py", f"UNUSED = {UNUSED!r}\n{CONFIGURATION}")
    write(f"{directory}/_static/site.css", STYLE)
    add_manuals(source, build)
    add_libext(source)
    add_tables(source, build)
    add_diagrams(source)
    add_pages(source)
    done = subprocess.run(["sphinx-build", "-q", "-W", "--keep-going", "-n", "-b", "html",
                           "-d", f"{build}/site-cache", directory, site], check=False,
                          capture_output=True, text=True)
    if done.returncode:
        return [done.stdout + done.stderr]
    for name in UNUSED:
        if os.path.exists(f"{site}/_static/{name}"):
            os.remove(f"{site}/_static/{name}")
    return site_links.wrong_links(site)


def main():
    if len(sys.argv) != 2:
        print("usage: docs/site.py BUILD-DIRECTORY", file=sys.stderr)
        return 2
    build = os.path.abspath(sys.argv[1])
    os.chdir(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    missing = [tool for tool in ("mandoc", "dot", "sphinx-build") if not shutil.which(tool)]
    if missing:
        print(f"docs/site.py: no {', '.join(missing)}: apt install mandoc graphviz python3-sphinx "
              "python3-myst-parser furo", file=sys.stderr)
        return 1
    wrong = build_site(build)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
