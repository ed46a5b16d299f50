"""The order that a template asks CloudFormation for: who comes after whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migration.intrinsics import is_mapping, mentioned

Graph = Mapping[str, set[str]]


def depends_on(resource: Any) -> list[str]:
    """The DependsOn of a resource as a list."""
    given = resource.get("DependsOn") if is_mapping(resource) else None
    if isinstance(given, str):
        return [given]
    return [each for each in given if isinstance(each, str)] if isinstance(given, list) else []


def graph_of(resources: Mapping[str, Any]) -> dict[str, set[str]]:
    """For each resource the resources of the same template that it comes after."""
    graph = {}
    for logical_id, resource in resources.items():
        names = {name for name, _ in mentioned(resource)}
        names.update(depends_on(resource))
        graph[logical_id] = {name for name in names if name in resources}
    return graph


def circle(graph: Graph) -> list[str]:
    """The ids along one circle, its first id repeated at its end; empty if there is none."""
    done: set[str] = set()
    for start in graph:
        found = _circle_from(start, graph, done)
        if found:
            return found
    return []


def _circle_from(start: str, graph: Graph, done: set[str]) -> list[str]:
    """Depth first without recursion: `path` holds the way to where we are, `done` what leads to no circle."""
    if start in done:
        return []
    path, on_path = [start], {start}
    rests = [iter(sorted(graph[start]))]
    while path:
        following = next(rests[-1], None)
        if following is None:
            rests.pop()
            last = path.pop()
            on_path.discard(last)
            done.add(last)
        elif following in on_path:
            return [*path[path.index(following) :], following]
        elif following not in done:
            path.append(following)
            on_path.add(following)
            rests.append(iter(sorted(graph[following])))
    return []
