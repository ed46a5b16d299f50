"""A new value for a scalar, with as few changed characters as can be: quotes, blocks and line breaks stay.

The text of a function in a `|` or `>` block may be long, and only a name in it changes. So the words that differ
are put in where they stand; if that does not give the wanted value, the scalar is written anew.
"""

from __future__ import annotations

import json
import re
from difflib import SequenceMatcher

from local.cli.dump import to_json, to_yaml
from local.cli.failures import TemplateUnreadable
from local.cli.text import Edit, apply
from local.cli.tree import Node, parse, plain

_WORD = re.compile(r"[\w-]+|\s+|.", re.DOTALL)


def scalar_edits(text: str, node: Node, want: str | float | bool | None, *, as_json: bool) -> list[Edit]:
    """What makes `want` of the scalar; its tag and anchor stay."""
    if isinstance(want, str):
        spliced = _spliced(text, node, want)
        if spliced is not None:
            return spliced
        if node.style == "'" and "\n" not in want:
            quoted = want.replace("'", "''")
            return [Edit(node.content, node.end, f"'{quoted}'")]
        if node.style == '"':
            return [Edit(node.content, node.end, json.dumps(want, ensure_ascii=False))]
    new = to_json(want) if as_json else to_yaml(want, flow=True)
    return [Edit(node.content, node.end, new)]


def _spliced(text: str, node: Node, want: str) -> list[Edit] | None:
    places = _places(text[node.content : node.end], node.text)
    if places is None or not node.text:
        return None
    old, new = _WORD.findall(node.text), _WORD.findall(want)
    starts = [0]
    for word in old:
        starts.append(starts[-1] + len(word))
    edits = []
    for what, first, last, new_first, new_last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            continue
        # Behind the character before, or before the character behind: a break of the raw text is never touched.
        start = places[starts[first]] if first < last or not starts[first] else places[starts[first] - 1] + 1
        end = start if first == last else places[starts[last] - 1] + 1
        edits.append(Edit(node.content + start, node.content + end, "".join(new[new_first:new_last])))
    if any("\n" in edit.new for edit in edits):
        return None
    return edits if _gives(text, node, edits, want) else None


def _places(raw: str, value: str) -> list[int] | None:
    """For each character of the value its place in the raw text; None where escapes or folding hide it."""
    at = raw.index("\n") if raw[:1] in ("|", ">") and "\n" in raw else 0
    places = []
    for character in value.rstrip("\n"):
        while at < len(raw) and raw[at] != character and (raw[at].isspace() or (at == 0 and raw[0] in "\"'")):
            at += 1
        if at == len(raw) or (raw[at] != character and not character.isspace()):
            return None
        places.append(at)
        at += raw[at] == character
    return [*places, *([at] * (len(value) - len(places)))]


def _gives(text: str, node: Node, edits: list[Edit], want: str) -> bool:
    """Whether the edited scalar, alone in a document, is read as wanted."""
    indent = " " * (node.content - text.rfind("\n", 0, node.content))
    before = "x:\n" + indent
    raw = text[node.content : node.end]
    moved = [Edit(edit.start - node.content, edit.end - node.content, edit.new) for edit in edits]
    changed = apply(raw, moved)
    header = "x: " if raw[:1] in ("|", ">") else before
    try:
        return bool(plain(parse(f"{header}{changed}\n")) == {"x": want})
    except TemplateUnreadable:
        return False
