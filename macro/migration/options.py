"""What a user may set in `Metadata: EncryptMigrate:` of the template or of one table; the table's value wins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from migration.errors import Problem
from migration.intrinsics import function_of, is_mapping

KEY = "EncryptMigrate"
STAGE_PARAMETER = "EncryptMigrateStage"

HIGHEST_WRITE_RATE = 1_000_000

FIXED_PROPERTIES = {
    "KeySchema": "the twin has the source's key",
    "StreamSpecification": "both tables' streams belong to the migration",
    "ImportSourceSpecification": "the twin is filled from the source",
    "SSESpecification": "use the option SSESpecification",
    "TableName": "use the option TwinName",
}
"""Properties of a table that cannot be laid over the twin, and why."""


@dataclass(frozen=True)
class Options:
    """The options that hold for one table."""

    exclude: bool = False
    sse: Mapping[str, Any] = field(default_factory=lambda: {"SSEEnabled": True})
    key: Any = None
    twin_name: Any = None
    write_rate: Any = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    writers_moved: bool = False

    @property
    def sse_specification(self) -> dict[str, Any]:
        """The twin's SSESpecification."""
        if self.key is None:
            return dict(self.sse)
        return {**self.sse, "SSEType": "KMS", "KMSMasterKeyId": self.key}


def read_template_options(metadata: Any, problems: list[Problem]) -> tuple[Options, frozenset[str]]:
    """The options of the whole template, and the logical ids it excludes."""
    given = _given(metadata, "Template", _TEMPLATE_OPTIONS, problems)
    excluded = given.pop("Exclude", [])
    given.pop("StageParameter", None)
    return _apply(Options(), given), frozenset(excluded)


def read_table_options(defaults: Options, table_id: str, metadata: Any, problems: list[Problem]) -> Options:
    """The options of one table, laid over those of the template."""
    return _apply(defaults, _given(metadata, table_id, _TABLE_OPTIONS, problems))


def stage_parameter(metadata: Any) -> str:
    """The name of the parameter that holds the stage (wrong values are reported by read_template_options)."""
    options = metadata.get(KEY) if is_mapping(metadata) else None
    name = options.get("StageParameter") if is_mapping(options) else None
    return name if isinstance(name, str) and name else STAGE_PARAMETER


def _given(metadata: Any, where: str, known: Mapping[str, _Option], problems: list[Problem]) -> dict[str, Any]:
    options = metadata.get(KEY) if is_mapping(metadata) else None
    if options is None:
        return {}
    names = ", ".join(known)
    if not is_mapping(options):
        problems.append(Problem(where, f"Metadata.{KEY} is not a mapping", f"Known options: {names}"))
        return {}
    valid = {}
    for name, value in options.items():
        option = known.get(name)
        if option is None:
            problems.append(Problem(where, f"unknown option {name}", f"Known options: {names}"))
        elif reason := option(value):
            problems.append(Problem(where, f"option {name} {reason}", "Correct it or leave it out"))
        else:
            valid[name] = value
    return valid


def _apply(defaults: Options, given: Mapping[str, Any]) -> Options:
    values: dict[str, Any] = {_FIELDS[name]: value for name, value in given.items()}
    if "sse" in values:
        values["sse"] = {"SSEEnabled": True, **values["sse"]}
        values.setdefault("key", None)
    if "properties" in values:
        values["properties"] = {**defaults.properties, **values["properties"]}
    return replace(defaults, **values)


_Option = Callable[[Any], str]
"""Says what is wrong with a value, or nothing."""


def _name(value: Any) -> str:
    return "" if isinstance(value, str) and value else "must be a name"


def _text(value: Any) -> str:
    return "" if function_of(value) or (isinstance(value, str) and value) else "must be a text or an intrinsic function"


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _names(value: Any) -> str:
    good = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return "" if good else "must be a list of logical ids"


def _rate(value: Any) -> str:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= HIGHEST_WRITE_RATE
    return (
        "" if good or function_of(value) else f"must be a whole number of items per second, 1 to {HIGHEST_WRITE_RATE}"
    )


def _sse(value: Any) -> str:
    if not is_mapping(value) or function_of(value):
        return "must be a mapping as in AWS::DynamoDB::Table"
    return "" if value.get("SSEEnabled", True) in (True, "true") else "must not turn encryption off"


def _properties(value: Any) -> str:
    if not is_mapping(value) or function_of(value):
        return "must be a mapping of table properties"
    fixed = [f"{name}: {reason}" for name, reason in FIXED_PROPERTIES.items() if name in value]
    return f"cannot hold {'; '.join(fixed)}" if fixed else ""


_SHARED_OPTIONS: dict[str, _Option] = {
    "SSESpecification": _sse,
    "KMSMasterKeyId": _text,
    "TwinName": _text,
    "WriteRate": _rate,
    "Properties": _properties,
    "WritersMoved": _flag,
}
_TEMPLATE_OPTIONS: dict[str, _Option] = {"StageParameter": _name, "Exclude": _names, **_SHARED_OPTIONS}
_TABLE_OPTIONS: dict[str, _Option] = {"Exclude": _flag, **_SHARED_OPTIONS}
_FIELDS = {
    "Exclude": "exclude",
    "SSESpecification": "sse",
    "KMSMasterKeyId": "key",
    "TwinName": "twin_name",
    "WriteRate": "write_rate",
    "Properties": "properties",
    "WritersMoved": "writers_moved",
}
