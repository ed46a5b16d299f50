"""Plain values as text: YAML with CloudFormation's short tags, or JSON."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString
from ruamel.yaml.tag import Tag

from local.cli.tree import typed

NEVER_FOLDED = 1 << 16


def to_json(value: Any, indent: int | str | None = 2) -> str:
    """JSON as people write it."""
    return json.dumps(value, indent=indent, ensure_ascii=False)


def to_yaml(value: Any, *, flow: bool = False, tags: bool = True) -> str:
    """YAML less the line break at its end; `flow` on one line, `tags` with short tags where they can stand."""
    writer = YAML(typ="rt", pure=True)
    writer.width = NEVER_FOLDED
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.default_flow_style = flow
    out = io.StringIO()
    writer.dump(_node(value, flow, tags), out)
    return out.getvalue().removesuffix("\n").removesuffix("\n...")


def _node(value: Any, flow: bool, tags: bool) -> Any:
    if isinstance(value, str):
        return _text(value, flow)
    if isinstance(value, Mapping):
        tag = short_tag(value) if tags else None
        if tag is not None:
            return _tagged(tag, next(iter(value.values())), flow)
        return _flowing(CommentedMap({_key(key): _node(each, flow, tags) for key, each in value.items()}), flow)
    if isinstance(value, list):
        return _flowing(CommentedSeq([_node(each, flow, tags) for each in value]), flow)
    return value


def _text(value: str, flow: bool) -> Any:
    if "\n" in value and not flow and _literal(value):
        return LiteralScalarString(value)
    begins_another = flow and value.startswith(("?", ":"))  # on one line: a key, or a value
    if "\n" in value or begins_another or not isinstance(typed(value), str) or _NUMBER_LIKE.fullmatch(value):
        return DoubleQuotedScalarString(value)
    return value


# YAML 1.1 knows more numbers than people do: 12:30 is one, and so is 1_000.
_NUMBER_LIKE = re.compile(r"[-+.]?[0-9][0-9a-fA-FoxX_:.,+-]*")


def _literal(value: str) -> bool:
    """Whether a block shows the text as it is: no space that one does not see, no empty line at its end."""
    return (
        bool(value.strip()) and not value.endswith("\n\n") and all(line == line.rstrip() for line in value.split("\n"))
    )


def _key(key: str) -> Any:
    return _text(key, flow=True)


def short_tag(value: Mapping[str, Any]) -> str | None:
    """The short tag for a function, unless what it holds would need one as well: two tags cannot stand side by side."""
    if len(value) != 1:
        return None
    ((name, argument),) = value.items()
    if name != "Ref" and not name.startswith("Fn::"):
        return None  # !Condition too: as an attribute of a resource it looks the same
    if name == "Ref" or isinstance(argument, str):
        fits = isinstance(argument, str) and name != "Fn::GetAtt"
    elif name == "Fn::GetAtt":
        fits = isinstance(argument, list) and len(argument) == 2 and all(isinstance(part, str) for part in argument)
    else:
        fits = isinstance(argument, list) or (isinstance(argument, Mapping) and short_tag(argument) is None)
    if not fits:
        return None
    return "!" + name.removeprefix("Fn::")


def _tagged(tag: str, argument: Any, flow: bool) -> Any:
    if tag == "!GetAtt" and isinstance(argument, list):
        argument = ".".join(argument)
    if isinstance(argument, (Mapping, list)):
        node = _node(argument, flow, tags=True)
        node.yaml_set_ctag(Tag(suffix=tag))
        return node
    shown = _text(argument, flow)
    style = {LiteralScalarString: "|", DoubleQuotedScalarString: '"'}.get(type(shown))
    return TaggedScalar(argument, style=style, tag=tag)


def _flowing(node: Any, flow: bool) -> Any:
    if flow:
        node.fa.set_flow_style()
    return node
