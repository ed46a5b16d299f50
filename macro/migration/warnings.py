"""What the macro cannot see, or a person has to know before the first stage; `plan` prints it.

A warning is never a reason to refuse: it names what lies outside of the template, or what stands in it as plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from migration.expand import expand, migrating
from migration.ids import companion_ids
from migration.intrinsics import function_of, is_mapping, map_branches, mentioned, type_of
from migration.resources import LOOP
from migration.simple_table import SIMPLE_TABLE
from migration.stages import Stage
from migration.tables import TABLE
from migration.texts import MARK, as_text
from migration.twins import fixed_name

if TYPE_CHECKING:
    from migration.tables import Table

POLICY_LIMIT_CHARACTERS = 10240
"""All inline policies of a role together (IAM counts without white space)."""

_STACKS = ("AWS::CloudFormation::Stack", "AWS::CloudFormation::StackSet", "AWS::Serverless::Application")
_CUSTOM = ("Custom::", "AWS::CloudFormation::CustomResource")
_OWN_NAME = re.compile(r"^(?!.*([Tt]able|[Ff]unction|[Mm]etric)).*Name$")
_NAMING_A_TABLE = ("AWS::IAM::Policy", "AWS::CloudFormation::Stack")
_SAYS_NOTHING = ("Type", "aws:cdk:path", "Fn::FindInMap")
_FILES = re.compile(r"^(DefinitionUri|SchemaUri|\w*S3Location)$")


@dataclass(frozen=True)
class Notice:
    """One thing to know: where, what it is, and what to do about it."""

    where: str
    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.advice}."


def warnings(template: dict[str, Any]) -> list[Notice]:
    """Everything to know about a template before it is migrated; raises TemplateRefused where it cannot be."""
    tables = migrating(template)
    result = expand(template, Stage.CLEANUP)
    resources = template["Resources"]
    return [
        *(notice for table in tables for notice in _of_table(table)),
        *(notice for table in tables for notice in _by_text(table, result)),
        *(notice for logical_id, each in resources.items() for notice in _of_resource(str(logical_id), each, tables)),
        *_of_outputs(template.get("Outputs"), tables),
    ]


def _of_table(table: Table) -> Iterator[Notice]:
    properties = table.properties
    if function_of(_member(properties.get("SSESpecification"), "SSEEnabled")) or function_of(
        properties.get("SSESpecification")
    ):
        yield Notice(
            table.id, "whether it is encrypted is decided by a function", "Exclude it if it is encrypted already"
        )
    views: list[Any] = []
    map_branches(properties.get("StreamSpecification"), lambda each: views.append(_member(each, "StreamViewType")))
    if any(map(function_of, views)):
        yield Notice(
            table.id,
            "the view of its stream is decided by a function",
            "It has to be NEW_AND_OLD_IMAGES or NEW_IMAGE, or replication stops at its first record",
        )
    if properties.get("DeletionProtectionEnabled"):
        yield Notice(
            table.id,
            "it is protected from deletion, but its twin is not before cleanup, which takes the protection off the old "
            "table as soon as the backup is made",
            "Let nobody delete tables by hand until then",
        )
    if table.resource.get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate"):
        yield Notice(
            table.id,
            "its DeletionPolicy keeps it in the account when cleanup takes it out of the stack",
            "Delete it by hand afterwards, or change DeletionPolicy to Delete before cleanup",
        )
    if fixed_name(table) is not None:
        yield Notice(
            table.id,
            "it has a fixed name, which code, consoles and other stacks may know",
            "Look for it there; whoever uses the name is refused from cutover on",
        )


def _by_text(table: Table, result: dict[str, Any]) -> Iterator[Notice]:
    """Places that still say the source's name when everything names the twin."""
    found = fixed_name(table)
    # Without a name of its own a table is called STACK-LOGICALID-SOMETHING, and wildcards are made for that.
    word = rf"(?<![\w.-]){re.escape(found.text)}(?![\w.-])" if found else rf"table/[^/\s]*-{re.escape(str(table.id))}\b"
    resources = {key: each for key, each in result["Resources"].items() if key not in companion_ids(table.id)}
    for section in ("Globals", "Resources", "Outputs"):
        for path, value in _texts({**result, "Resources": resources}.get(section), section, table):
            if re.search(word, value):
                yield Notice(
                    path,
                    f"it holds the name of {table.id} and stays as it is",
                    "If it means the table, refer to the table instead (Ref, GetAtt)",
                )


def _of_resource(logical_id: str, resource: Any, tables: list[Table]) -> Iterator[Notice]:
    if logical_id.startswith(LOOP):
        if any(isinstance(value, str) and value in (TABLE, SIMPLE_TABLE) for _, value in _leaves(resource, "")):
            yield Notice(
                logical_id,
                "tables that a loop makes are not migrated",
                "List AWS::LanguageExtensions before EncryptMigrate in Transform",
            )
        return
    named = [table.id for table in tables if table.id in mentioned(resource)]
    if not is_mapping(resource) or not named:
        return
    yield from _of_custom_resource(logical_id, resource, named)
    yield from _of_names(logical_id, resource, tables)
    if resource.get("Type") in _STACKS:
        yield Notice(
            logical_id,
            f"it gets {', '.join(named)} as a parameter; its own roles may use the source alone until cutover",
            "Let its roles use both tables before cutover, or migrate the table in a stack of its own",
        )
    properties = resource.get("Properties")
    files = [key for key in properties if _FILES.match(str(key))] if is_mapping(properties) else []
    if files:
        yield Notice(
            logical_id,
            f"what stands in the file of {', '.join(files)} is not seen",
            "Hand the table to it by substitutions, not by name",
        )


def _of_custom_resource(logical_id: str, resource: dict[str, Any], named: list[str]) -> Iterator[Notice]:
    if type_of(resource).startswith(_CUSTOM):
        yield Notice(
            logical_id,
            f"it is a custom resource that is told of {', '.join(named)}: cutover updates it with another name",
            "See that its function does not fill the table again, or empties it when the old name is deleted",
        )


def _of_names(logical_id: str, resource: dict[str, Any], tables: list[Table]) -> Iterator[Notice]:
    """Resources whose own name is made of a table's: they are replaced when it moves."""
    properties = resource.get("Properties")
    for key, value in properties.items() if is_mapping(properties) else ():
        ours = any(table.id in mentioned(value) for table in tables)
        if ours and _OWN_NAME.search(str(key)) and type_of(resource) not in _NAMING_A_TABLE:
            yield Notice(
                logical_id,
                f"its {key} is made of a table's name: CloudFormation may replace it when that name moves",
                f"Write {key} out in an update of its own, if it holds anything",
            )


def _of_outputs(outputs: Any, tables: list[Table]) -> Iterator[Notice]:
    for output_id, output in outputs.items() if is_mapping(outputs) else ():
        named = [table.id for table in tables if table.id in mentioned(_member(output, "Value"))]
        if named and _member(output, "Export") is not None:
            yield Notice(
                f"Output {output_id}",
                f"stacks that import it go on with {', '.join(named)}, where their writes are refused from cutover on, "
                "and cleanup is refused while they import it",
                f"Let their roles use the export of output {output_id}Encrypted too, from replicate on; then let them "
                "import that one instead, right after cutover if they write",
            )


def _texts(value: Any, path: str, table: Table) -> Iterator[tuple[str, str]]:
    """Every text below as the text of a Fn::Sub, with its path; what says nothing to running code is left out."""
    text = as_text(value)
    if text is not None and MARK not in text:
        yield path, text
        return
    members: Any = ()
    if isinstance(value, Mapping):
        members = [(key, each) for key, each in value.items() if key not in _SAYS_NOTHING]
        branches = value.get("Fn::If")
        if isinstance(branches, list) and branches[1:2] == [{"Ref": table.twin}]:
            return  # the name for where there is no table
    elif isinstance(value, list):
        members = enumerate(value)
    for key, member in members:
        yield from _texts(member, f"{path}.{key}", table)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every value below, with its path: mappings and lists too, for a name may be a function."""
    yield path, value
    members: Any = ()
    if isinstance(value, Mapping):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    for key, member in members:
        yield from _leaves(member, f"{path}.{key}")


def _member(value: Any, name: str) -> Any:
    return value.get(name) if is_mapping(value) else None
