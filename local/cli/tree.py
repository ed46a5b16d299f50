"""A template as a tree in which every value knows where it stands in the text.

Built from ruamel.yaml's parse events, because they alone keep all three things that a careful edit needs: where
each value stands, its style, and the aliases as aliases. JSON is read the same way: it is YAML's flow style.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from local.cli.failures import TemplateUnreadable

MERGE = "<<"


class Kind(Enum):
    """What a node is."""

    SCALAR = "scalar"
    MAPPING = "mapping"
    SEQUENCE = "sequence"
    ALIAS = "alias"


@dataclass
class Node:
    """One value: `text[start:end]`, its tag and anchor included, nothing behind its last character."""

    kind: Kind
    start: int
    end: int = 0
    content: int = 0
    """Where the value itself begins, behind tag and anchor."""
    tag: str | None = None
    anchor: str | None = None
    text: str = ""
    style: str | None = None
    flow: bool = False
    entries: list[tuple[Node, Node]] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)
    target: Node | None = None

    def walk(self) -> Iterator[Node]:
        """This node and all below it, in the order of the text; what an alias names is not entered."""
        yield self
        for key, value in self.entries:
            yield key
            yield from value.walk()
        for item in self.items:
            yield from item.walk()


def parse(text: str) -> Node:
    """The tree of a template in YAML or JSON.

    Raises TemplateUnreadable with the line where the text is no template.
    """
    try:
        root = _Parser(text).document()
    except MarkedYAMLError as why:
        line = f"line {why.problem_mark.line + 1}: " if why.problem_mark else ""
        raise TemplateUnreadable(f"{line}{why.problem or why.context}") from why
    except YAMLError as why:
        raise TemplateUnreadable(str(why)) from why
    if root.kind is not Kind.MAPPING:
        raise TemplateUnreadable("it holds no mapping at its top, so it is no CloudFormation template")
    return root


def plain(node: Node) -> Any:
    """The value as CloudFormation hands it to a macro: short tags as functions, aliases and merges carried out."""
    if node.kind is Kind.ALIAS:
        assert node.target is not None  # noqa: S101  the parser refuses an alias without its anchor
        return plain(node.target)
    value = untagged(node)
    name = function_name(node)
    if name is None:
        return value
    if name == "Fn::GetAtt" and isinstance(value, str):
        return {name: value.split(".", 1)}
    return {name: value}


def function_name(node: Node) -> str | None:
    """The function that a short tag stands for: `!Ref` Ref, `!Sub` Fn::Sub; None without one."""
    if node.tag is None or not node.tag.startswith("!") or node.tag.startswith("!!"):
        return None
    name = node.tag[1:]
    return name if name in ("Ref", "Condition") else f"Fn::{name}"


def untagged(node: Node) -> Any:
    """The value without its short tag."""
    if node.kind is Kind.SEQUENCE:
        return [plain(item) for item in node.items]
    if node.kind is Kind.MAPPING:
        merged: dict[str, Any] = {}
        for key, value in node.entries:
            if key.text == MERGE and key.style is None:
                merged = {**_merges(value), **merged}
        return {**merged, **{key.text: plain(value) for key, value in node.entries if not is_merge(key)}}
    if node.style is None and node.tag is None:
        return typed(node.text)
    return node.text


def is_merge(key: Node) -> bool:
    """Whether an entry lays another mapping under this one."""
    return key.text == MERGE and key.style is None


def _merges(value: Node) -> dict[str, Any]:
    found = plain(value)
    layers = found if isinstance(found, list) else [found]
    return {key: member for layer in reversed(layers) for key, member in layer.items()}


_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE|yes|Yes|YES|on|On|ON")
_FALSE = re.compile(r"false|False|FALSE|no|No|NO|off|Off|OFF")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"-?[0-9]+\.[0-9]+")


def typed(text: str) -> str | int | float | bool | None:
    """What a bare scalar is, by YAML 1.1 as CloudFormation reads it.

    Dates stay text (CloudFormation knows none), and so does a number that would not come out as it was written: an
    account id with a leading zero, a version 1.10.
    """
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _INTEGER.fullmatch(text) and not text.startswith("+"):
        return int(text)
    if _DECIMAL.fullmatch(text) and repr(float(text)) == text:
        return float(text)
    return text


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        # A tab is white space in JSON and an error in YAML; in a JSON text it cannot stand for anything else.
        scanned = text.replace("\t", " ") if text.lstrip("\ufeff \t\r\n").startswith("{") else text
        # The scanner passes over the mark at the head of a file without counting it.
        self.shift = len(text) - len(text.removeprefix("\ufeff"))
        self.events = YAML(typ="safe", pure=True).parse(scanned[self.shift :])
        self.anchors: dict[str, Node] = {}
        self.behind = 0
        """Where the last thing read ended: an empty value stands there."""

    def document(self) -> Node:
        for event in self.events:
            if isinstance(event, (ScalarEvent, MappingStartEvent, SequenceStartEvent)):
                root = self.node(event)
                self.last()
                return root
        raise TemplateUnreadable("it is empty")

    def last(self) -> None:
        """Read to the end, so that what stands behind the document is found too."""
        if any(isinstance(event, DocumentStartEvent) for event in self.events):
            raise TemplateUnreadable("it holds more than one document")

    def node(self, event: Any) -> Node:
        start = event.start_mark.index + self.shift
        if isinstance(event, AliasEvent):
            end = event.end_mark.index + self.shift
            self.behind = end
            if event.anchor not in self.anchors:
                line = event.start_mark.line + 1
                raise TemplateUnreadable(f"line {line}: the alias *{event.anchor} has no anchor before it")
            return Node(Kind.ALIAS, start, end, start, target=self.anchors[event.anchor])
        tag = None if event.ctag is None else str(event.ctag)
        node = self.scalar(event, start, tag) if isinstance(event, ScalarEvent) else self.collection(event, start, tag)
        self.behind = node.end
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def scalar(self, event: Any, start: int, tag: str | None) -> Node:
        if event.value == "" and event.style is None and tag is None and not event.anchor:
            # An empty value is reported where the next token stands.
            return Node(Kind.SCALAR, self.behind, self.behind, self.behind)
        raw = self.text[start : event.end_mark.index + self.shift]
        end = start + len(raw.rstrip())
        return Node(
            Kind.SCALAR, start, end, start + _properties(raw), tag, event.anchor, text=event.value, style=event.style
        )

    def collection(self, event: Any, start: int, tag: str | None) -> Node:
        kind = Kind.MAPPING if isinstance(event, MappingStartEvent) else Kind.SEQUENCE
        node = Node(kind, start, tag=tag, anchor=event.anchor, flow=bool(event.flow_style))
        node.content = event.end_mark.index + self.shift - (1 if node.flow else 0)
        if kind is Kind.SEQUENCE and not node.flow and self.text[node.content - 1] == "-":
            node.content -= 1  # a sequence that is not indented is reported behind its first dash
        self.behind = node.content
        for child in self.events:
            if isinstance(child, (MappingEndEvent, SequenceEndEvent)):
                node.end = child.end_mark.index + self.shift if node.flow else self.behind
                return node
            if kind is Kind.SEQUENCE:
                self.behind = self.behind if node.flow else self.text.index("-", self.behind) + 1
                node.items.append(self.node(child))
            else:
                self.entry(node, child)
        raise TemplateUnreadable("it ends in the middle")

    def entry(self, node: Node, event: Any) -> None:
        key = self.node(event)
        if key.kind is not Kind.SCALAR:
            raise TemplateUnreadable(f"line {event.start_mark.line + 1}: a key must be a text")
        if any(key.text == other.text for other, _ in node.entries) and not is_merge(key):
            raise TemplateUnreadable(f"line {event.start_mark.line + 1}: the key {key.text} stands there twice")
        self.behind = self.text.index(":", key.end) + 1
        node.entries.append((key, self.node(next(self.events))))


def _properties(raw: str) -> int:
    """How much of a scalar's text is tag and anchor."""
    found = re.match(r"(?:[!&]\S*\s+)*", raw)
    return found.end() if found else 0
