#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The reference of libext, made from the comments of its public headers and from docs/abi/.

    docs/reference.py check           every public function has a comment, every call a section
    docs/reference.py man DIR         pages of section 3: one for each header, one for the calls of
                                      each specification, and a link to it for each function
    docs/reference.py functions H...  the functions of these headers
    docs/reference.py markdown DIR    the headers' pages for the site (docs/site.py)

A header is read as paragraphs that blank lines separate: a comment, and the declarations that it is
about. The comment at the top describes the header; one between dashes begins a section.
"""

import datetime
import glob
import os
import re
import sys
import textwrap
import time

HEADERS = sorted(glob.glob("ext/libext/*.h")) + ["abi/args.h"]
TITLES = {"abi/args.h": "abi-args", "ext/libext/libext.h": "libext"}
ATTRIBUTE = re.compile(r"__attribute__\(\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\)\s*")
SPECIFICATIONS = (
    ("mk1", "Mk#1", "ext/libext/mk1_sys.h", ("docs/abi/calls.md", "docs/abi/calls-vs.md")),
    ("mk2", "Mk#2", "ext/libext/mk2_sys.h", ("docs/abi/mk2.md",)),
)


def read(path):
    with open(path, encoding="utf-8") as text:
        return text.read()


def page_name(header):
    """The name of a header's manual page: ext/libext/frame.h has libext-frame(3)."""
    stem = os.path.basename(header)[: -len(".h")].replace("_", "-")
    return TITLES.get(header, f"libext-{stem}")


# --- headers --------------------------------------------------------------------------------------


def paragraphs(text):
    """What blank lines outside of braces, comments and continued lines separate."""
    text = re.sub(r"^#ifdef __cplusplus\n.*?^#endif\n", "", text, flags=re.M | re.S)
    text = re.sub(r"^// clang-format.*\n", "", text, flags=re.M)
    paragraph, depth, comment, continued = [], 0, False, False
    for line in [*text.splitlines(), ""]:
        if not line.strip() and not depth and not comment and not continued:
            if paragraph:
                yield "\n".join(paragraph)
            paragraph = []
            continue
        paragraph.append(line)
        macro = continued or line.startswith("#")
        continued = macro and line.endswith("\\")
        code = re.sub(r"/\*.*?\*/", "", line)
        if not comment and "/*" in code:
            code, comment = code.split("/*")[0], True
        elif comment:
            code = ""
            comment = "*/" not in line
        if not macro:
            depth += code.count("{") - code.count("}")


def comment_text(comment):
    """A comment without its frame."""
    lines = re.sub(r"^/\*+|\*/$", "", comment.strip()).splitlines()
    return "\n".join(re.sub(r"^ \* ?", "", line).rstrip() for line in lines).strip()


def declarations(code):
    """Code as a caller needs it: no bodies of functions, no machinery of the preprocessor."""
    code = re.sub(r"^#\s*(?:include|if|ifdef|ifndef|else|elif|endif|undef)\b.*\n?", "", code,
                  flags=re.M)

    def macro(match):
        hidden = "##" in match[0] or "__asm__" in match[0] or re.search(r"_H$", match[0])
        return "" if hidden else match[0]

    code = re.sub(r"^#define (?:.*\\\n)*.*\n?", macro, code, flags=re.M)
    code = re.sub(r"^[A-Z0-9_]+\(.*\)\n?$", "", code, flags=re.M)
    code = re.sub(r"\)\n\{\n(?:.*\n)*?\}", ");", code)
    return code.replace("static inline ", "").strip("\n")


def functions(code):
    """The names of the functions that declarations declare."""
    code = re.sub(r"/\*.*?\*/", "", code, flags=re.S)
    code = re.sub(r"^#define (?:.*\\\n)*.*$", "", code, flags=re.M)
    code = ATTRIBUTE.sub("", code)
    while re.search(r"\{[^{}]*\}", code):
        code = re.sub(r"\{[^{}]*\}", "", code)
    found = []
    for statement in code.split(";"):
        match = re.match(r"\s*(?:extern )?[A-Za-z_][\w\s]*?[\s*]+(\w+)\s*\(", statement)
        if match and match[1] != "void" and not statement.lstrip().startswith("typedef"):
            found.append(match[1])
    return found


def heading(item):
    """What a paragraph is about, in a line."""
    code = item["code"]
    if item["functions"]:
        return ", ".join(item["functions"])
    match = re.search(r"^((?:struct|enum|union) \w+) \{", code, re.M)
    if match:
        return match[1]
    names = re.findall(r"^#define (\w+)", code, re.M) + re.findall(
        r"^typedef [^;]*?\b(\w+)\s*(?:\([^;]*\))?;", code, re.M) + re.findall(
        r"^extern [^;(]*?\b(\w+)(?:\[\])?;", code, re.M)
    return ", ".join(names) or "Declarations"


def parse_header(path, text=None):
    """The head comment, and a list of items: sections, and declarations with their comments."""
    head, items = "", []
    for paragraph in paragraphs(text if text is not None else read(path)):
        paragraph = re.sub(r"^/\* SPDX-\S+ \S+ \*/\n?", "", paragraph)
        match = re.match(r"(/\*.*?\*/)\n?", paragraph, re.S)
        comment, rest = (match[1], paragraph[match.end():]) if match else ("", paragraph)
        section = re.fullmatch(r"/\* -{3} (.*?) -* ?\*/", comment.strip())
        if section:
            items.append({"section": section[1][0].upper() + section[1][1:]})
            comment = ""
        elif comment and not head:
            head, comment = comment_text(comment), ""
        code = declarations(rest)
        if code:
            items.append({"text": comment_text(comment), "code": code,
                          "functions": functions(code)})
    return head, items


def undocumented(path, text=None):
    head, items = parse_header(path, text)
    wrong = [] if head else [f"{path} has no comment that says what it is for"]
    for item in items:
        wrong += [f"{path}: {name} has no comment" for name in item.get("functions", [])
                  if not item["text"]]
    return wrong


# --- calls ----------------------------------------------------------------------------------------


def calls_of(spec):
    """Name, arguments and results of each call, from the list in abi/."""
    text = read(f"abi/{spec}.h").replace("\\\n", "")
    rows = re.findall(r'X\(\w+, \d+, (\w+), \d, \d,\s*"([^"]*)",\s*"([^"]*)",\s*"[^"]*"\)', text)
    return [(name, [word.split(":")[0] for word in args.split()],
             [word.split(":")[0] for word in results.split()]) for name, args, results in rows]


def call_sections(pages):
    """What docs/abi/ says of each call, by name."""
    found = {}
    for page in pages:
        for name, body in re.findall(r"^### (\w+) \d+\.\d+\n((?:(?!#).*\n)*)", read(page), re.M):
            found[name] = re.sub(r"^In: .*\n", "", body.strip() + "\n", flags=re.M).strip()
    return found


def prototype(spec, name, args, results):
    """The function of a call, with an output that is named as an input is told from it."""
    words = [f"uint64_t {arg}" for arg in args]
    words += [f"uint64_t *{'new_' * (result in args)}{result}" for result in results]
    line = f"uint64_t {spec}_{name}({', '.join(words) or 'void'});"
    return "\n".join(textwrap.wrap(line, 76, subsequent_indent=" " * 8))


# --- manual pages ---------------------------------------------------------------------------------


def roff(text):
    """Text as troff prints it; a line of the text is one of the output."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.split("\n"))


def fill(text):
    return roff("\n".join(textwrap.wrap(text, 76, break_long_words=False,
                                        break_on_hyphens=False)))


def roff_code(code):
    return f".nf\n{roff(code.expandtabs(8))}\n.fi\n"


def roff_text(text):
    """The paragraphs of a comment; indented lines are code, as they are."""
    out = []
    for block in re.split(r"\n\s*\n", text):
        lines = block.split("\n")
        if all(line.startswith(("\t", "  ")) for line in lines):
            code = "\n".join(line.expandtabs(8) for line in lines)
            out.append(f".PP\n.RS 4\n{roff_code(code)}.RE\n")
        else:
            out.append(f".PP\n{fill(' '.join(line.strip() for line in lines))}\n")
    return "".join(out)


def plain(text):
    """Markdown without its marks."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return text.replace("`", "").replace("**", "").replace("\\|", "|")


def roff_markdown(text):
    """The little Markdown that the sections of calls have: text, lists, tables, code."""
    out = []
    for block in re.split(r"\n\s*\n", text):
        lines = block.split("\n")
        if lines[0].startswith("```"):
            out.append(f".PP\n.RS 4\n{roff_code(chr(10).join(lines[1:-1]))}.RE\n")
        elif lines[0].startswith("|"):
            rows = [[plain(cell.strip()) for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
                    for line in lines[2:]]
            out += [f".TP\n.B {roff(row[0]) or chr(92) + '&'}\n{fill('; '.join(row[1:]))}\n"
                    for row in rows]
        elif re.match(r"[*-] |\d+\. ", lines[0]):
            for entry in re.split(r"\n(?=[*-] |\d+\. )", block):
                words = " ".join(entry.split())
                mark, words = words.split(" ", 1)
                mark = "\\(bu" if mark in "*-" else mark
                out.append(f".IP {mark} 3\n{fill(plain(words))}\n")
        else:
            out.append(f".PP\n{fill(plain(' '.join(lines)))}\n")
    return "".join(out)


def page(name, what, include, body, also):
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    day = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).date()
    also = ",\n".join(f"\\fB{roff(other)}\\fR({section})" for other, section in also)
    return (f'.\\" Made by docs/reference.py.\n.TH {name.upper()} 3 "{day}" '
            f'"Bareflank" "libext"\n.SH NAME\n{roff(name)} \\- {roff(what)}\n.SH SYNOPSIS\n'
            f".B #include <{roff(include)}>\n{body}.SH SEE ALSO\n{also}\n")


def first_sentence(text):
    """What a page is, for its NAME line."""
    sentence = re.split(r"\.(?:\s|$)", " ".join(text.split()), maxsplit=1)[0]
    title, _, rest = sentence.partition(": ")
    sentence = rest if rest and len(title.split()) <= 2 else title
    # Acronyms and names stay as they are.
    is_word = sentence[1:2].islower() and not sentence.startswith("Linux")
    return sentence[0].lower() + sentence[1:] if is_word else sentence


def header_page(header):
    head, items = parse_header(header)
    name = page_name(header)
    body = ".SH DESCRIPTION\n" + roff_text(head).replace(".PP\n", "", 1)
    fresh = False
    for item in items:
        if "section" in item:
            body += f".SH {roff(item['section'].upper())}\n"
            fresh = True
            continue
        body += f".SS {roff(heading(item))}\n{roff_code(item['code'])}"
        body += roff_text(item["text"]) if item["text"] else ""
        fresh = False
    assert not fresh, f"{header} ends with an empty section"
    others = sorted({page_name(other) for other in HEADERS} - {name})
    also = [(other, 3) for other in others] + [("bareflank-ext", 7), ("bfm", 8)]
    aliases = [function for item in items for function in item.get("functions", [])]
    return name, page(name, first_sentence(head), header, body, also), aliases


def calls_page(spec, title, include, pages):
    sections, name = call_sections(pages), f"{spec}_calls"
    body = ".SH DESCRIPTION\n" + fill(
        "The calls of the microkernel, as functions of libext. Each returns a status: MK1_SUCCESS, "
        "or one of those below; a call that fails has changed nothing. Results are meaningful "
        "after MK1_SUCCESS only.") + "\n"
    for call, args, results in calls_of(spec):
        body += f".SS {spec}_{call}\n{roff_code(prototype(spec, call, args, results))}"
        body += roff_markdown(sections[call]) if sections.get(call) else ""
    also = [("libext", 3), ("bareflank-ext", 7), ("bfm", 8)]
    text = page(name, f"the calls of {title}, with all of their errors", include, body, also)
    return name, text, [f"{spec}_{call}" for call, _, _ in calls_of(spec)]


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def is_own_name(function):
    """Whether a manual page may have this name, which other packages do not use."""
    return function.startswith(("ext_", "mk1_", "mk2_", "bf_"))


def make_man(directory):
    pages = [header_page(header) for header in HEADERS]
    pages += [calls_page(*spec) for spec in SPECIFICATIONS]
    names = {name for name, _, _ in pages}
    for name, text, aliases in pages:
        write(f"{directory}/{name}.3", text)
        for alias in set(filter(is_own_name, aliases)) - names:
            os.symlink(f"{name}.3", f"{directory}/{alias}.3")


# --- the site -------------------------------------------------------------------------------------


def escape(text):
    """Text that Markdown shows as it is, with links to the pages that it names."""
    text = re.sub(r"([\\`*_<>\[\]|#])", r"\\\1", text)
    return re.sub(r"\bdocs/((?:\w|\\_|[/-])+\.md)\b",
                  lambda m: f"[docs/{m[1]}](/docs/{m[1]})".replace("\\_", "_"), text)


def markdown_text(text):
    out = []
    for block in re.split(r"\n\s*\n", text):
        lines = block.split("\n")
        if all(line.startswith(("\t", "  ")) for line in lines):
            code = "\n".join(lines).expandtabs(8)
            out.append(f"```c\n{code}\n```\n")
        else:
            out.append(escape(" ".join(line.strip() for line in lines)) + "\n")
    return "\n".join(out)


def header_markdown(header):
    head, items = parse_header(header)
    level = "##"
    out = [f"# {page_name(header)}\n", f"```c\n#include <{header}>\n```\n", markdown_text(head)]
    for item in items:
        if "section" in item:
            level = "###"
            out.append(f"## {escape(item['section'])}\n")
        else:
            code = item["code"].expandtabs(8)
            out += [f"{level} {escape(heading(item))}\n", f"```c\n{code}\n```\n",
                    markdown_text(item["text"]) if item["text"] else ""]
    return "\n".join(out)


def check():
    wrong = [line for header in HEADERS for line in undocumented(header)]
    for spec, _, _, pages in SPECIFICATIONS:
        calls, sections = calls_of(spec), call_sections(pages)
        listed = len(re.findall(r"^\tX\(", read(f"abi/{spec}.h"), re.M))
        if len(calls) != listed:
            wrong.append(f"abi/{spec}.h: {len(calls)} of {listed} calls were understood")
        wrong += [f"{spec}_{name} has no section in docs/abi/" for name, _, _ in calls
                  if not sections.get(name)]
    return wrong


def main():
    os.chdir(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    wrong = check()
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    if sys.argv[1:2] == ["man"] and len(sys.argv) == 3:
        make_man(sys.argv[2])
    elif sys.argv[1:2] == ["markdown"] and len(sys.argv) == 3:
        for header in HEADERS:
            write(f"{sys.argv[2]}/{page_name(header)}.md", header_markdown(header))
    elif sys.argv[1:2] == ["functions"]:
        for header in sys.argv[2:]:
            print("\n".join(name for item in parse_header(header)[1]
                            for name in item.get("functions", [])))
    elif sys.argv[1:] != ["check"]:
        print("usage: docs/reference.py check | functions HEADER... | man DIR | markdown DIR",
              file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
