# SPDX-License-Identifier: MIT
"""Finds links of a built site that lead nowhere, and what its pages would get from the network."""

import glob
import html.parser
import os
import re
import urllib.parse

# What a browser fetches by itself, and from which attribute.
FETCHED = {("img", "src"), ("script", "src"), ("link", "href"), ("iframe", "src"),
           ("source", "src"), ("object", "data"), ("video", "src")}
FOLLOWED = {("a", "href")}


class Page(html.parser.HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = [], set()
        with open(path, encoding="utf-8") as text:
            self.feed(text.read())

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id" or (tag, name) == ("a", "name"):
                self.anchors.add(value)
            if (tag, name) in FETCHED | FOLLOWED and value is not None:
                self.links.append((tag, name, value))


def wrong_link(site, path, pages, tag, name, link):
    """What is wrong with a link of a page, or None."""
    parts = urllib.parse.urlsplit(link)
    if parts.scheme == "data":
        return None
    if parts.scheme or parts.netloc:
        return "comes from the network" if (tag, name) in FETCHED else None
    target = path
    if parts.path:
        target = os.path.normpath(os.path.join(os.path.dirname(path),
                                               urllib.parse.unquote(parts.path)))
    if not target.startswith(site) or not os.path.isfile(target):
        return "leads nowhere"
    anchor = urllib.parse.unquote(parts.fragment)
    # An empty anchor is the top of the page.
    if anchor and target in pages and anchor not in pages[target].anchors:
        return "leads to an anchor that is not there"
    return None


def wrong_links(site):
    """A line for each."""
    site = os.path.realpath(site)
    pages = {path: Page(path) for path in glob.glob(f"{site}/**/*.html", recursive=True)}
    wrong = [] if pages else [f"{site} has no pages"]
    for path, page in sorted(pages.items()):
        for tag, name, link in page.links:
            why = wrong_link(site, path, pages, tag, name, link)
            if why:
                wrong.append(f"{os.path.relpath(path, site)}: {link} {why}")
    for path in glob.glob(f"{site}/**/*.css", recursive=True):
        with open(path, encoding="utf-8") as text:
            for link in re.findall(r"(?:url\(|@import )[\"']?((?:https?:)?//[^\"')]+)",
                                   text.read()):
                wrong.append(f"{os.path.relpath(path, site)}: {link} comes from the network")
    return wrong
