"""The macro with one rule taken out at a time: where in its source, and what is put there instead.

Each is a thought that a migration cannot do without. test_mutations.py runs the laws over a copy of the macro that has
been changed in this way, and some law has to fail.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """One change: `old` stands exactly once in the file."""

    name: str
    file: str
    old: str
    new: str


MUTATIONS = (
    Mutation("data references never move", "rules.py", "DATA = Stage.CUTOVER", "DATA = Stage.CLEANUP + 1"),
    Mutation("data references move at once", "rules.py", "DATA = Stage.CUTOVER", "DATA = Stage.REPLICATE"),
    Mutation(
        "exports change at cutover",
        "outputs.py",
        "_output(walk, output_id, output, Rule.LATE)",
        "_output(walk, output_id, output, Rule.DATA)",
    ),
    Mutation("no second export", "outputs.py", "        if not tables:", "        if tables or not tables:"),
    Mutation(
        "permissions move instead of being doubled",
        "permissions.py",
        "walk.stage >= Stage.CLEANUP",
        "walk.stage >= Stage.CUTOVER",
    ),
    Mutation(
        "permissions are not doubled",
        "permissions.py",
        "    if twin is value:",
        "    if walk.stage < Stage.CLEANUP or twin is value:",
    ),
    Mutation(
        "permissions are never taken back",
        "permissions.py",
        "[twin] if contract else [value, twin]",
        "[value, twin] if contract else [value, twin]",
    ),
    Mutation(
        "policy templates are data",
        "permissions.py",
        "first, *rest = _pair(walk, policy)",
        "first, *rest = [walk.rewrite(policy, Rule.DATA)]",
    ),
    Mutation(
        "conditions of statements are left out",
        "permissions.py",
        'elif key == "Condition":',
        'elif key == "Conditions":',
    ),
    Mutation("NotResource is left out", "permissions.py", '("Resource", "NotResource")', '("Resource",)'),
    Mutation(
        "nothing waits for a gate",
        "resources.py",
        "        return behind(ordered, ",
        "        return ordered or behind(ordered, ",
    ),
    Mutation(
        "roles wait for gates", "places.py", "_PERMISSION = Kind(rule=Rule.LATE)", "_PERMISSION = Kind(rule=Rule.DATA)"
    ),
    Mutation(
        "a table that a condition of a statement names by its name is left out",
        "permissions.py",
        "twin = walk.by_name({}, key, value, Rule.TWIN)",
        "twin = value",
    ),
    Mutation(
        "names in ARNs are left out", "fixed_names.py", 'if text is None or "table/" not in text', "if text or not text"
    ),
    Mutation("Fn::Join is not read", "texts.py", 'elif function == "Fn::Join":', 'elif function == "Fn::Joins":'),
    Mutation("white space in a Fn::Sub is not expected", "intrinsics.py", "name = written.strip()", "name = written"),
    Mutation("another table gets the twin's name", "places.py", '{"TableName": _own_name}', "{}"),
    Mutation("what follows a table has no gate", "followers.py", "frozenset(walk.named)", "frozenset()"),
    Mutation(
        "an embedded connector waits for the source",
        "connectors.py",
        "with_moved_order(connector, walk, Rule.LATE)",
        "(connector or with_moved_order)",
    ),
    Mutation(
        "streams move with the data",
        "references.py",
        "                moment = Rule.LATE",
        "                moment = rule",
    ),
    Mutation("a reader begins where it likes", "streams.py", '"TRIM_HORIZON")', '"LATEST")'),
    Mutation(
        "the twin goes with the stack",
        "twins.py",
        '"Retain" if stage >= Stage.CUTOVER',
        '"Retain" if stage > Stage.CLEANUP',
    ),
    Mutation(
        "a rollback leaves the twin", "twins.py", '"Retain" if stage >= Stage.CUTOVER', '"Retain" if stage >= Stage.OFF'
    ),
    Mutation(
        "a Kinesis destination never moves",
        "twins.py",
        "for name in _NEVER_COPIED if stage >= Stage.CLEANUP else (*_NEVER_COPIED, *_ONLY_AT_CLEANUP):",
        "for name in (*_NEVER_COPIED, *_ONLY_AT_CLEANUP):",
    ),
    Mutation("twins with indexes are made at once", "order.py", "    if len(indexed) < 2:", "    if indexed:"),
    Mutation("Fn::Sub is left out", "references.py", '"Fn::Sub": _sub,', ""),
    Mutation("Fn::GetAtt is left out", "references.py", '"Fn::GetAtt": _reference,', ""),
    Mutation("DependsOn is left out", "order.py", "moved == given", "moved or given"),
    Mutation("connectors do not follow", "followers.py", '    "AWS::Serverless::Connector",\n', ""),
    Mutation(
        "embedded connectors do not follow",
        "places.py",
        '_ANYWHERE: Places = {"Connectors": embedded}',
        "_ANYWHERE: Places = {}",
    ),
    Mutation("scaling does not follow", "followers.py", '    "AWS::ApplicationAutoScaling::ScalableTarget",\n', ""),
    Mutation(
        "the twin is not encrypted",
        "twins.py",
        'properties["SSESpecification"] = table.options.sse_specification',
        "pass",
    ),
    Mutation("the twin has the source's name", "twins.py", '        properties["TableName"] = name', "        pass"),
    Mutation(
        "the twin is protected from deletion at once",
        "twins.py",
        "for name in _NEVER_COPIED if stage >= Stage.CLEANUP else (*_NEVER_COPIED, *_ONLY_AT_CLEANUP):",
        "for name in _NEVER_COPIED:",
    ),
    Mutation(
        "the twin is imported", "twins.py", '("ImportSourceSpecification", "ResourcePolicy")', '("ResourcePolicy",)'
    ),
    Mutation("the source keeps its policy", "twins.py", '    properties.pop("ResourcePolicy", None)\n', ""),
    Mutation("the gate does not get the policy", "companions.py", 'properties["TwinPolicy"] = document', "pass"),
    Mutation("the twin has no condition", "twins.py", 'kept = ("Type",', 'kept = ("Type", "Condition",'),
    Mutation(
        "the gate has no condition",
        "companions.py",
        '"Custom::MigrationGate", **table.condition,',
        '"Custom::MigrationGate",',
    ),
    Mutation(
        "the source stays",
        "resources.py",
        "        if self.stage < Stage.CLEANUP:\n            found[table.id] = source(table)",
        "        found[table.id] = source(table)",
    ),
    Mutation(
        "the source's stream comes at stage 2",
        "resources.py",
        "found[table.id] = source(table)",
        "found[table.id] = source(table) if self.stage > 1 else dict(table.resource)",
    ),
    Mutation(
        "the template that was given is changed",
        "expand.py",
        '    given = template["Resources"]\n',
        '    given = template["Resources"]\n    template["Seen"] = True\n',
    ),
    Mutation(
        "off is a stage like the others", "expand.py", "    if stage is Stage.OFF:\n        return template\n", ""
    ),
    Mutation(
        "what names no table is touched",
        "resources.py",
        "new = walk.members(resource, kind.rule, kind.places)",
        'new = {**walk.members(resource, kind.rule, kind.places), "Seen": 1}',
    ),
    Mutation(
        "the population changes at cutover",
        "companions.py",
        '"Pair": {"Ref": gate_id(table.id)},',
        '"Pair": {"Ref": gate_id(table.id)}, "Stage": str(id(table)),',
    ),
)
