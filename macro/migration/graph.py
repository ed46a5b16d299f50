"""The order that a template asks CloudFormation for: who comes after whom."""

from __future__ import annotations

from collections import deque
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from migration.intrinsics import is_mapping, mentioned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Graph = Mapping[str, set[str]]

_FUNCTION = "AWS::Serverless::Function"


def depends_on(resource: Any) -> list[str]:
    """The DependsOn of a resource as a list."""
    given = resource.get("DependsOn") if is_mapping(resource) else None
    if isinstance(given, str):
        return [given]
    return [each for each in given if isinstance(each, str)] if isinstance(given, list) else []


def graph_of(resources: Mapping[str, Any]) -> dict[str, set[str]]:
    """For each resource the resources of the same template that it comes after.

    A SAM function is two resources, the function and its role: the role alone uses what the policies name. What its
    events name is used by other resources that SAM makes, not by the function.
    """
    graph: dict[str, set[str]] = {}
    for logical_id, resource in resources.items():
        properties = resource.get("Properties") if is_mapping(resource) else None
        if is_mapping(properties) and resource.get("Type") == _FUNCTION:
            role = f"{logical_id}Role"
            own = {key: value for key, value in properties.items() if key not in ("Policies", "Events")}
            graph[logical_id] = _names(own, resource) | {role}
            graph[role] = _names(properties.get("Policies"))
        else:
            graph[logical_id] = _names(resource, resource)
    return {each: {name for name in names if name in graph} for each, names in graph.items()}


def in_order(graph: Graph, wanted: Iterable[str]) -> list[str]:
    """The ids of `wanted`, each behind those that it comes after in the graph; otherwise in their order."""
    wanted = list(wanted)
    done: dict[str, None] = {}
    for start in wanted:
        for each in _behind(start, graph, set(done)):
            done.setdefault(each)
    return [each for each in done if each in set(wanted)]


def circle_through(graph: Graph, ids: Iterable[str]) -> list[str]:
    """The ids along a circle that leads through one of `ids`, the first repeated at its end; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError:
        return next(filter(None, (_circle(graph, start) for start in ids)), [])
    return []


def _circle(graph: Graph, start: str) -> list[str]:
    """The shortest way from `start` back to itself."""
    came_from: dict[str, str] = {}
    rest = deque([start])
    while rest:
        here = rest.popleft()
        for following in sorted(graph.get(here, ())):
            if following == start:
                way = [start, here]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return way[::-1]
            if following not in came_from:
                came_from[following] = here
                rest.append(following)
    return []


def _behind(start: str, graph: Graph, done: set[str]) -> Iterator[str]:
    """`start` and everything that it comes after, the first to be made first; without recursion."""
    path = [(start, iter(sorted(graph.get(start, ()))))]
    done.add(start)
    while path:
        here, rest = path[-1]
        following = next((each for each in rest if each not in done), None)
        if following is None:
            path.pop()
            yield here
        else:
            done.add(following)
            path.append((following, iter(sorted(graph.get(following, ())))))


def _names(value: Any, resource: Any = None) -> set[str]:
    return {name for name, _ in mentioned(value)} | set(depends_on(resource))
