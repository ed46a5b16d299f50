"""The order that a template asks CloudFormation for: who comes after whom."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from migration.intrinsics import is_mapping, mentioned, type_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NOT_OF_THE_FUNCTION = ("Policies", "Events", "DeploymentPreference", "EventInvokeConfig")
_FUNCTION = "AWS::Serverless::Function"


def depends_on(resource: Any) -> list[str]:
    """The DependsOn of a resource as a list."""
    given = resource.get("DependsOn") if is_mapping(resource) else None
    if isinstance(given, str):
        return [given]
    return [each for each in given if isinstance(each, str)] if isinstance(given, list) else []


class Graph:
    """Who comes after whom among the resources of a template; looked up where somebody asks.

    A SAM function is two resources, the function and its role: the role alone uses what the policies name. What its
    events and its deployment name is used by other resources that SAM makes, not by the function.
    """

    def __init__(self, resources: Mapping[str, Any]) -> None:
        self._resources = resources
        self._known: dict[str, list[str]] = {}

    def before(self, logical_id: str) -> list[str]:
        """The resources that this one comes after, sorted."""
        if logical_id not in self._known:
            names = self._names(logical_id)
            self._known[logical_id] = sorted(name for name in names if name in self._resources or self._function(name))
        return self._known[logical_id]

    def in_order(self, wanted: Iterable[str]) -> list[str]:
        """The ids of `wanted`, each behind those that it comes after; otherwise in their order."""
        wanted = dict.fromkeys(wanted)
        seen: set[str] = set()
        return [each for start in wanted for each in self._behind(start, seen) if each in wanted]

    def circle_through(self, ids: Iterable[str]) -> list[str]:
        """The ids along a circle through one of `ids`, the first repeated at the end; empty if there is none."""
        return next(filter(None, map(self._circle, ids)), [])

    def _names(self, logical_id: str) -> set[str]:
        function = self._function(logical_id)
        if function is not None:
            return mentioned(function["Properties"].get("Policies")).keys() - {logical_id}
        resource = self._resources[logical_id]
        properties = resource.get("Properties") if is_mapping(resource) else None
        names = set(depends_on(resource))
        if is_mapping(properties) and type_of(resource) == _FUNCTION:
            own = {key: value for key, value in properties.items() if key not in _NOT_OF_THE_FUNCTION}
            return names | mentioned(own).keys() | {f"{logical_id}Role"}
        return names | mentioned(resource).keys()

    def _function(self, role: str) -> dict[str, Any] | None:
        """The SAM function that makes the role `role`, if that is what it is."""
        if role in self._resources or not role.endswith("Role"):
            return None
        function = self._resources.get(role.removesuffix("Role"))
        if is_mapping(function) and type_of(function) == _FUNCTION and is_mapping(function.get("Properties")):
            return function
        return None

    def _behind(self, start: str, seen: set[str]) -> Iterator[str]:
        """`start` behind everything that it comes after and that was not seen yet; without recursion."""
        if start in seen:
            return
        seen.add(start)
        path = [(start, iter(self.before(start)))]
        while path:
            here, rest = path[-1]
            following = next((each for each in rest if each not in seen), None)
            if following is None:
                path.pop()
                yield here
            else:
                seen.add(following)
                path.append((following, iter(self.before(following))))

    def _circle(self, start: str) -> list[str]:
        """The shortest way from `start` back to itself, or nothing."""
        came_from: dict[str, str] = {}
        rest = deque([start])
        while rest:
            here = rest.popleft()
            for following in self.before(here):
                if following == start:
                    way = [start]
                    while here != start:
                        way.append(here)
                        here = came_from[here]
                    return [start, *way[:0:-1], start]
                if following not in came_from:
                    came_from[following] = here
                    rest.append(following)
        return []
