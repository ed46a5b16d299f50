"""A template on disk, as CloudFormation would hand it to the macro."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from local.cli.failures import Refused, TemplateRefused, TemplateUnreadable
from local.cli.tree import parse, plain
from migration.errors import TemplateRefused as MacroRefused
from migration.expand import expand, migrating
from migration.intrinsics import reference
from migration.options import stage_parameter
from migration.request import read_request
from migration.stages import STAGES, Stage, parse_stage
from migration.tables import Table
from migration.warnings import Notice, warnings

MACRO = "EncryptMigrate"
_LISTS = ("CommaDelimitedList", "List<")


@dataclass(frozen=True)
class Template:
    """Its text, and what it says."""

    path: Path
    text: str
    data: Mapping[str, Any]

    @property
    def fragment(self) -> dict[str, Any]:
        """What a macro gets: everything but the transforms."""
        return {key: value for key, value in self.data.items() if key != "Transform"}

    @cached_property
    def transforms(self) -> list[Any]:
        """Every transform but ours, as the file has them."""
        return [each for each in _as_list(self.data.get("Transform")) if not _is_ours(each)]

    @property
    def names_macro(self) -> bool:
        """Whether the file has our transform at all."""
        return len(self.transforms) < len(_as_list(self.data.get("Transform")))

    @property
    def transform_parameters(self) -> Mapping[str, Any]:
        """`Parameters` of our transform, in its long form."""
        ours = next((each for each in _as_list(self.data.get("Transform")) if _is_ours(each)), None)
        given = ours.get("Parameters") if isinstance(ours, dict) else None
        return given if isinstance(given, dict) else {}

    @property
    def stage_parameter(self) -> str | None:
        """The template parameter that holds the stage; None when the transform itself says it, or nobody does."""
        if "Stage" in self.transform_parameters:
            named = reference(self.transform_parameters["Stage"])
            name = named[0] if named else None
        else:
            name = stage_parameter(self.data.get("Metadata"))
        return name if name in self.parameters else None

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The Parameters section."""
        found = self.data.get("Parameters")
        return found if isinstance(found, dict) else {}

    @property
    def resources(self) -> Mapping[str, Any]:
        """The Resources section."""
        found = self.data.get("Resources")
        return found if isinstance(found, dict) else {}

    def stage(self, given: str | None, overrides: Mapping[str, str]) -> Stage:
        """The stage that is asked for: by name, or as the parameters have it. Raises Refused, TemplateRefused."""
        if given is not None:
            return parsed_stage(given)
        try:
            return read_request(
                {
                    "fragment": self.fragment,
                    "params": self.transform_parameters,
                    "templateParameterValues": self._values(overrides),
                }
            ).stage
        except MacroRefused as why:
            raise _refused(why) from why

    def at(self, stage: Stage) -> dict[str, Any]:
        """The template as the macro gives it back at a stage, with the transforms that are still to come.

        Raises TemplateRefused with every reason.
        """
        if not self.resources:
            raise TemplateRefused("Template: it has no Resources.")
        try:
            expanded = expand(self.fragment, stage)
        except MacroRefused as why:
            raise _refused(why) from why
        if not self.transforms:
            return expanded
        rest = self.transforms if isinstance(self.data["Transform"], list) else self.transforms[0]
        found = {**expanded, "Transform": rest}
        return {key: found[key] for key in dict.fromkeys([*self.data, *found])}

    def tables(self) -> list[Table]:
        """The tables that migrate. Raises TemplateRefused."""
        try:
            return migrating(self.fragment)
        except MacroRefused as why:
            raise _refused(why) from why

    def warnings(self) -> list[Notice]:
        """What the macro cannot see, or a person has to know first. Raises TemplateRefused."""
        try:
            return warnings(self.fragment)
        except MacroRefused as why:
            raise _refused(why) from why

    def _values(self, overrides: Mapping[str, str]) -> dict[str, Any]:
        """`templateParameterValues` as CloudFormation fills them in."""
        unknown = sorted(overrides.keys() - self.parameters.keys())
        if unknown:
            known = ", ".join(self.parameters) or "none"
            raise Refused(f"The template has no parameter {', '.join(unknown)}. Its parameters: {known}.")
        values = {}
        for name, parameter in self.parameters.items():
            value = overrides.get(name, parameter.get("Default") if isinstance(parameter, dict) else None)
            if value is not None:
                kind = str(parameter.get("Type", "")) if isinstance(parameter, dict) else ""
                values[name] = [part.strip() for part in str(value).split(",")] if kind.startswith(_LISTS) else value
        return values


def load(path: Path) -> Template:
    """The template of a file. Raises TemplateUnreadable."""
    try:
        # Line ends as they are: they are written back.
        text = path.read_bytes().decode("utf-8")
    except OSError as why:
        raise TemplateUnreadable(f"{path} cannot be read: {why.strerror}.") from why
    except UnicodeDecodeError as why:
        raise TemplateUnreadable(f"{path} is not UTF-8 text (byte {why.start}).") from why
    try:
        return Template(path, text, plain(parse(text)))
    except TemplateUnreadable as why:
        raise TemplateUnreadable(f"{path} is no template: {why}.") from why


def parsed_stage(given: str) -> Stage:
    """A stage by name or number. Raises Refused."""
    stage = parse_stage(given)
    if stage is None:
        raise Refused(f"There is no stage {given!r}. Stages are: {STAGES}.")
    return stage


def _refused(why: MacroRefused) -> TemplateRefused:
    return TemplateRefused(*(str(problem) for problem in why.problems))


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _is_ours(transform: Any) -> bool:
    name = transform.get("Name") if isinstance(transform, dict) else transform
    return isinstance(name, str) and name.rpartition("::")[2] == MACRO
