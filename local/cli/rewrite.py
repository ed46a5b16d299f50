"""Makes a template's text say something else, changing as few lines as can be.

Dumping the parsed file again, even by a round trip that keeps comments, would touch lines that mean the same: quotes,
indentation, long lines, blank ones. So the tree is laid beside the value that is wanted, and only where the two
differ a piece of the text is replaced, inserted or removed. What comes out is parsed again and must equal the
wanted value; that check, not the editing, is what can be relied on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from local.cli.dump import short_tag, to_json, to_yaml
from local.cli.failures import Refused, TemplateUnreadable
from local.cli.flow import flow_insertion, flow_removals
from local.cli.scalars import scalar_edits
from local.cli.text import Edit, apply, column, indented, line_start, next_line, whole_lines
from local.cli.tree import Kind, Node, function_name, is_merge, parse, plain, untagged


def rewritten(text: str, want: Any, renames: Mapping[str, str]) -> str:
    """The text, changed so that it is read as `want`; comments, order, anchors and style of everything else stay.

    `renames` tells which removed keys live on under another name. Raises Refused where the text cannot be edited.
    """
    # What stands behind an alias changes with its anchor; only aliases that want something else are written out.
    for write_out_aliases in (False, True):
        edits = _Rewriter(text, renames, write_out_aliases).edits_for(want)
        text = apply(text, edits)
        try:
            if same(plain(parse(text)), want):
                return text
        except TemplateUnreadable as why:
            if "alias" not in str(why):
                break
            raise Refused(f"What goes away holds an anchor that is used elsewhere ({why}). Move it first.") from why
    raise Refused("The file cannot be edited safely: what came out would not say what was wanted. Nothing was written.")


def same(one: Any, other: Any) -> bool:
    """Whether two plain values are the same to CloudFormation; the order of keys means nothing, true is not 1."""
    return _canonical(one) == _canonical(other)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


_Span = tuple[int, int]


class _CannotEdit(Exception):
    """The text is laid out in a way that cannot be edited line by line: the value around it is written anew."""


@dataclass(frozen=True)
class _Place:
    """Where a value stands: behind the colon of a key at this column, or (no colon) as an item of a sequence."""

    flow: bool
    colon: int | None
    column: int


class _Rewriter:
    def __init__(self, text: str, renames: Mapping[str, str], write_out_aliases: bool) -> None:
        self.text = text
        self.renames = renames
        self.write_out_aliases = write_out_aliases
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.as_json = _is_json(text)
        self.edits: list[Edit] = []

    def edits_for(self, want: Any) -> list[Edit]:
        root = parse(self.text)
        self.value(root, want, None)
        return self.edits

    def value(self, node: Node, want: Any, place: _Place | None) -> None:
        """Make `want` of the node: in place where both are of one kind, else anew. The root has no place."""
        if same(plain(node), want):
            return
        if node.kind is Kind.ALIAS:
            if self.write_out_aliases:
                self.replace(node, want, place)
            return
        inner = _argument(node, want)
        before = len(self.edits)
        try:
            if inner is not None and self.inside(node, inner[0]):
                return
        except _CannotEdit:
            del self.edits[before:]
        self.replace(node, want, place)

    def inside(self, node: Node, want: Any) -> bool:
        if node.kind is Kind.SCALAR and not isinstance(want, (dict, list)) and node.end > node.content:
            self.edits += scalar_edits(self.text, node, want, as_json=self.as_json)
            return True
        if node.kind is Kind.MAPPING and isinstance(want, dict) and node.entries and want:
            self.mapping(node, want)
            return True
        if node.kind is Kind.SEQUENCE and isinstance(want, list) and node.items and want:
            self.sequence(node, want)
            return True
        return False

    def mapping(self, node: Node, want: dict[str, Any]) -> None:
        """Entries rewritten, renamed, taken out and put in, in that order of preference."""
        own = {key.text: (key, value) for key, value in node.entries if not is_merge(key)}
        merged = {key: value for key, value in untagged(node).items() if key not in own}
        if merged.keys() - want.keys():
            raise _CannotEdit
        spans: dict[str, _Span] = {}
        for old, (key, value) in own.items():
            name = self.renamed(old, own, want)
            spans[name] = (key.start, max(value.end, key.end + 1))
            if name not in want:
                continue
            if name != old:
                self.edits += scalar_edits(self.text, key, name, as_json=self.as_json)
            self.value(value, want[name], self.behind(key, flow=node.flow))
        added = {
            key for key in want if key not in spans and not (key in merged and self.merges(merged[key], want[key]))
        }
        kept = [span for name, span in spans.items() if name in want]
        if not kept:
            raise _CannotEdit
        # With no key before it, it goes to the end: what stands above the first key may be a comment that belongs
        # to it.
        insertions: list[tuple[_Span | None, Any]] = [
            (kept[-1] if behind is None else spans[behind], {key: want[key]})
            for behind, key in _added(want, added, spans)
        ]
        self.members(node, list(spans.values()), [name in want for name in spans], insertions)

    def renamed(self, key: str, own: Mapping[str, Any], want: Mapping[str, Any]) -> str:
        """Under which name a key lives on; its own where it stays or goes."""
        new = self.renames.get(key, key)
        return new if key not in want and new in want and new not in own else key

    def merges(self, merged: Any, want: Any) -> bool:
        """Whether a merged key needs no entry of its own; what its anchor will hold is not known at first."""
        return not self.write_out_aliases or same(merged, want)

    def sequence(self, node: Node, want: list[Any]) -> None:
        """Items rewritten where they stand, the surplus taken out or put in."""
        old = [_canonical(plain(item)) for item in node.items]
        new = [_canonical(item) for item in want]
        spans = [(item.start if node.flow else self.dash(item.start), item.end) for item in node.items]
        stays = [True] * len(old)
        insertions: list[tuple[_Span | None, Any]] = []
        for what, first, last, new_first, new_last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if what == "equal":
                continue
            pairs = min(last - first, new_last - new_first)
            for item, wanted in zip(node.items[first : first + pairs], want[new_first:], strict=False):
                self.value(item, wanted, _Place(node.flow, None, column(self.text, item.start)))
            stays[first + pairs : last] = [False] * (last - first - pairs)
            before = [span for span, stay in zip(spans[: first + pairs], stays, strict=False) if stay]
            behind = before[-1] if before else None
            insertions += [(behind, [want[index]]) for index in range(new_first + pairs, new_last)]
        self.members(node, spans, stays, insertions)

    def members(
        self, node: Node, spans: list[_Span], stays: list[bool], insertions: list[tuple[_Span | None, Any]]
    ) -> None:
        """Take entries or items out of a collection and put others in, each behind another or before all."""
        kept = [span for span, stay in zip(spans, stays, strict=True) if stay]
        if not kept:
            raise _CannotEdit
        if node.flow:
            self.edits += flow_removals(spans, stays)
        else:
            self.edits += [self.block_removal(span) for span, stay in zip(spans, stays, strict=True) if not stay]
        for behind, member in insertions:
            self.insert(node, member, behind, kept)

    def insert(self, node: Node, member: Any, behind: _Span | None, kept: list[_Span]) -> None:
        if node.flow:
            self.edits.append(flow_insertion(self.text, member, behind, kept, as_json=self.as_json))
            return
        first = kept[0][0]
        indent = " " * column(self.text, first)
        lines = indented(_dedented(to_yaml(member)), indent, self.newline)
        if behind is None:
            self.edits.append(Edit(first, first, lines + self.newline + indent))
            return
        at = next_line(self.text, behind[1])
        if self.text[:at].endswith("\n"):
            self.edits.append(Edit(at, at, indent + lines + self.newline))
        else:
            self.edits.append(Edit(at, at, self.newline + indent + lines))

    def block_removal(self, span: _Span) -> Edit:
        start, end = span
        if self.text[line_start(self.text, start) : start].strip():
            raise _CannotEdit
        return Edit(*whole_lines(self.text, start, end), "")

    def dash(self, start: int) -> int:
        """Where the dash of a block sequence's item stands."""
        at = self.text.rindex("-", 0, start)
        if self.text[at + 1 : start].strip(" "):
            raise _CannotEdit
        return at

    def behind(self, key: Node, *, flow: bool) -> _Place:
        """The place of a key's value."""
        return _Place(flow, self.text.index(":", key.end) + 1, column(self.text, key.start))

    def replace(self, node: Node, want: Any, place: _Place | None) -> None:
        """Write a value anew; a comment behind its key stays there."""
        if place is None:
            new = to_json(want, self.step) if node.flow else to_yaml(want)
            self.edits.append(Edit(node.start, node.end, indented(new, "", self.newline)))
        elif place.flow:
            if self.as_json:
                indent = self.text[line_start(self.text, node.start) :]
                lead = indent[: len(indent) - len(indent.lstrip(" \t"))]
                self.edits.append(Edit(node.start, node.end, indented(to_json(want, self.step), lead, self.newline)))
            else:
                self.edits.append(Edit(node.start, node.end, to_yaml(want, flow=True)))
        elif place.colon is None:
            new = indented(_dedented(to_yaml([want]))[2:], " " * (place.column - 2), self.newline)
            self.edits.append(Edit(node.start, node.end, new))
        else:
            new = indented(to_yaml({"k": want})[2:], " " * place.column, self.newline)
            comment = ""
            if node.start > (line_end := next_line(self.text, place.colon)):
                comment = self.text[place.colon : line_end].rstrip()
            head, line_break, rest = new.partition(self.newline)
            self.edits.append(Edit(place.colon, max(node.end, place.colon), head + comment + line_break + rest))

    @property
    def step(self) -> str | None:
        """How deep the JSON text goes with each level, or None when it stands on one line."""
        lines = self.text.split("\n")
        return next((line[: len(line) - len(line.lstrip())] for line in lines[1:] if line.strip()), None)


def _argument(node: Node, want: Any) -> tuple[Any] | None:
    """What the node holds once its short tag is taken off `want`; None where the tag cannot stay."""
    name = function_name(node)
    if name is None:
        return (want,)
    if name == "Condition":
        return (want[name],) if isinstance(want, dict) and isinstance(want.get(name), str) and len(want) == 1 else None
    if not isinstance(want, dict) or short_tag(want) != node.tag:
        return None
    inner = want[name]
    return (".".join(inner),) if name == "Fn::GetAtt" and node.kind is Kind.SCALAR else (inner,)


def _added(want: dict[str, Any], added: set[str], spans: Mapping[str, Any]) -> Iterator[tuple[str | None, str]]:
    """Each added key with the kept key that comes before it."""
    behind = None
    for key in want:
        if key in spans:
            behind = key
        elif key in added:
            yield behind, key


def _dedented(lines: str) -> str:
    """A dumped block from its first column on."""
    depth = len(lines) - len(lines.lstrip(" "))
    return "\n".join(line[depth:] for line in lines.split("\n"))


def _is_json(text: str) -> bool:
    try:
        json.loads(text.removeprefix("\ufeff"))
    except ValueError:
        return False
    return True
