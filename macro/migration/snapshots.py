"""Copies that services keep of what a resource was: a new one is made when what was copied names the twin.

Changing a function's environment or an API's integration changes nothing for whoever calls a published version of
the function or a stage of the API: both serve the copy taken last.

    AWS::Lambda::Version           another Description makes CloudFormation publish a new version
    AutoPublishAlias of SAM        the same, by VersionDescription: SAM itself looks at the code alone
    AWS::ApiGateway::Deployment    another logical id from cutover on: the old one is made anew when the stage goes back
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.ids import twin_id
from migration.intrinsics import is_mapping, mentioned, type_of
from migration.names import CannotRename, renamed
from migration.rules import Move
from migration.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migration.references import Walk
    from migration.rules import Rule

DESCRIPTION = "EncryptMigrate: after cutover"
_DESCRIPTION_LIMIT = 256
_DEPLOYMENTS = {"AWS::ApiGateway::Deployment": "RestApiId", "AWS::ApiGatewayV2::Deployment": "ApiId"}
_NOT_COPIED = ("AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage", *_DEPLOYMENTS)


def deployments(resources: Mapping[str, Any], gated: set[str]) -> dict[str, Move]:
    """A move for each deployment of an API that names a table; `gated` are the resources with data references."""
    apis = {logical_id for logical_id in gated if not _is_a(resources.get(logical_id), _NOT_COPIED)}
    changing = apis | {api for logical_id in apis for api in _apis(resources.get(logical_id))}
    return {
        logical_id: Move(logical_id, twin_id(logical_id), since=Stage.CUTOVER)
        for logical_id, resource in resources.items()
        if _is_a(resource, _DEPLOYMENTS) and changing.intersection(_apis(resource))
    }


def environment(walk: Walk, value: Any, rule: Rule) -> Any:
    """The environment of a function; notes when it names a twin."""
    new = walk.rewrite(value, rule)
    walk.configured = walk.configured or (new is not value and walk.stage >= Stage.CUTOVER)
    return new


def published(resources: Mapping[str, Any], configured: set[str], template_globals: Any) -> dict[str, Any]:
    """The versions and publishing functions among `resources`, changed so that this cutover publishes anew.

    `configured` are the functions whose environment names a twin.
    """
    shared = template_globals.get("Function") if is_mapping(template_globals) else None
    publishes = is_mapping(shared) and "AutoPublishAlias" in shared
    changed = {}
    for logical_id, resource in resources.items():
        if _is_a(resource, ("AWS::Lambda::Version",)):
            if not configured.isdisjoint(mentioned(_property(resource, "FunctionName"))):
                changed[logical_id] = _described(resource, "Description")
        elif logical_id in configured and (publishes or _property(resource, "AutoPublishAlias")):
            changed[logical_id] = _described(resource, "VersionDescription")
    return changed


def _apis(resource: Any) -> list[str]:
    properties = resource.get("Properties") if is_mapping(resource) else None
    if not is_mapping(properties):
        return []
    return [each for key in ("RestApiId", "ApiId") if key in properties for each in mentioned(properties[key])]


def _property(resource: dict[str, Any], name: str) -> Any:
    properties = resource.get("Properties")
    return properties.get(name) if is_mapping(properties) else None


def _is_a(resource: Any, types: Any) -> bool:
    return type_of(resource) in types


def _described(resource: dict[str, Any], key: str) -> dict[str, Any]:
    properties = resource.get("Properties", {})
    given = properties.get(key)
    try:
        text = renamed(given, _DESCRIPTION_LIMIT, f" ({DESCRIPTION})") if given else DESCRIPTION
    except CannotRename:
        text = DESCRIPTION
    return {**resource, "Properties": {**properties, key: text}}
