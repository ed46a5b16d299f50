"""One call of the API at a time, each written to the history with what the client knows afterwards.

The SDK must not repeat calls by itself (`max_attempts` 1): a repetition that nobody sees would make the interval of a
call, and what is known about it, untrue.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local.traffic.history import Call, History, Op, Outcome
from local.traffic.items import COUNT, KEY, LABEL, Item, key_of, label_of, make_item
from local.traffic.labels import count_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_REFUSALS = {"AccessDeniedException", "AccessDenied"}


@dataclass(frozen=True, slots=True)
class Change:
    """One write as it is meant, before it is known what became of it."""

    op: Op
    key: str
    value: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one call: the same for all of its keys unless the service said otherwise."""

    outcome: Outcome
    reason: str = ""
    response: Mapping[str, Any] | None = None
    reasons: tuple[str, ...] = ()  # of a cancelled transaction, one a key


@dataclass(frozen=True, slots=True)
class Caller:
    name: str
    dynamodb: "DynamoDBClient"
    history: History
    clock: Callable[[], float]

    # writes

    def put(self, table: str, key: str, label: str) -> Outcome:
        request = {"TableName": table, "Item": make_item(key, label)}
        return self._write("PutItem", table, [Change(Op.PUT, key, label)], self.dynamodb.put_item, request)

    def delete(self, table: str, key: str) -> Outcome:
        request = {"TableName": table, "Key": key_of(key)}
        return self._write("DeleteItem", table, [Change(Op.DELETE, key)], self.dynamodb.delete_item, request)

    def batch_write(self, table: str, changes: Sequence[Change]) -> Outcome:
        """Puts and deletes. The keys that come back as unprocessed were not written."""
        operations = [
            {"DeleteRequest": {"Key": key_of(change.key)}}
            if change.op is Op.DELETE
            else {"PutRequest": {"Item": make_item(change.key, change.value or "")}}
            for change in changes
        ]
        request = {"RequestItems": {table: operations}}
        return self._write("BatchWriteItem", table, changes, self.dynamodb.batch_write_item, request)

    def transact_put(self, table: str, keys: Sequence[str], label: str) -> Outcome:
        """The same label for all keys, in one transaction."""
        request = {"TransactItems": [{"Put": {"TableName": table, "Item": make_item(key, label)}} for key in keys]}
        changes = [Change(Op.PUT, key, label) for key in keys]
        return self._write("TransactWriteItems", table, changes, self.dynamodb.transact_write_items, request)

    def create(self, table: str, key: str, label: str) -> Outcome:
        """Put an item where there is none."""
        request = {
            "TableName": table,
            "Item": make_item(key, label),
            "ConditionExpression": "attribute_not_exists(#key)",
            "ExpressionAttributeNames": {"#key": KEY},
        }
        return self._write("PutItem", table, [Change(Op.SWAP, key, label)], self.dynamodb.put_item, request)

    def insert(self, table: str, key: str, label: str) -> Outcome:
        """The same by PartiQL."""
        request = {"Statement": f'INSERT INTO "{table}" VALUE ?', "Parameters": [{"M": make_item(key, label)}]}
        return self._write("PartiQLInsert", table, [Change(Op.SWAP, key, label)], self._execute, request)

    def update(self, table: str, key: str, before: str, label: str) -> Outcome:
        """Turn one item into another: set what it has, remove what it has not, if it is still the one expected."""
        update = _update(key, before, label)
        change = Change(Op.SWAP, key, label, before)
        request = {"TableName": table, "Key": key_of(key), **update}
        return self._write("UpdateItem", table, [change], self.dynamodb.update_item, request)

    def transact_update(self, table: str, key: str, before: str, label: str) -> Outcome:
        update = {"TableName": table, "Key": key_of(key), **_update(key, before, label)}
        request = {"TransactItems": [{"Update": update}]}
        change = Change(Op.SWAP, key, label, before)
        return self._write("TransactWriteItems", table, [change], self.dynamodb.transact_write_items, request)

    def execute_count(self, table: str, key: str, before: str, label: str) -> Outcome:
        """Count by PartiQL."""
        statement = f'UPDATE "{table}" SET "{COUNT}" = ? WHERE "{KEY}" = ? AND "{COUNT}" = ?'  # noqa: S608 (own names)
        request = {
            "Statement": statement,
            "Parameters": [make_item(key, label)[COUNT], {"S": key}, make_item(key, before)[COUNT]],
        }
        return self._write("PartiQLUpdate", table, [Change(Op.SWAP, key, label, before)], self._execute, request)

    def execute_delete(self, table: str, key: str) -> Outcome:
        statement = f'DELETE FROM "{table}" WHERE "{KEY}" = ?'  # noqa: S608 (own names)
        request = {"Statement": statement, "Parameters": [{"S": key}]}
        return self._write("PartiQLDelete", table, [Change(Op.DELETE, key)], self._execute, request)

    # reads, all strongly consistent

    def read(self, table: str, key: str) -> str | None:
        """The label that was read; None is an absent item, or a read that failed (which the history shows)."""
        request = {"TableName": table, "Key": key_of(key), "ConsistentRead": True}
        return self._read("GetItem", table, [key], self.dynamodb.get_item, request, lambda r: [r.get("Item")])[0]

    def batch_read(self, table: str, keys: Sequence[str]) -> None:
        request = {"RequestItems": {table: {"Keys": [key_of(key) for key in keys], "ConsistentRead": True}}}

        def found(response: Mapping[str, Any]) -> list[Item | None]:
            items = {item[KEY]["S"]: item for item in response["Responses"].get(table, [])}
            return [items.get(key) for key in keys]

        self._read("BatchGetItem", table, keys, self.dynamodb.batch_get_item, request, found)

    def transact_read(self, table: str, keys: Sequence[str]) -> None:
        request = {"TransactItems": [{"Get": {"TableName": table, "Key": key_of(key)}} for key in keys]}

        def found(response: Mapping[str, Any]) -> list[Item | None]:
            return [part.get("Item") for part in response["Responses"]]

        self._read("TransactGetItems", table, keys, self.dynamodb.transact_get_items, request, found)

    # what all of them share

    def _execute(self, **request: Any) -> Any:
        return self.dynamodb.execute_statement(**request)

    def _write(
        self, via: str, table: str, changes: Sequence[Change], call: Callable[..., Any], request: Mapping[str, Any]
    ) -> Outcome:
        number, start = self.history.number(), self.clock()
        answer = _answer(call, request)
        end = self.clock()
        unwritten = _unprocessed(answer.response, table)
        lines = []
        for place, change in enumerate(changes):
            outcome, reason = answer.outcome, answer.reason
            if answer.reasons:
                reason = answer.reasons[place]
            if change.key in unwritten:
                outcome, reason = Outcome.FAILED, "UnprocessedItems"
            fields = (number, self.name, change.op, via, change.key, table, start, end, outcome)
            lines.append(Call(*fields, value=change.value, before=change.before, reason=reason))
        self.history.write(lines)
        return answer.outcome

    def _read(
        self,
        via: str,
        table: str,
        keys: Sequence[str],
        call: Callable[..., Any],
        request: Mapping[str, Any],
        found: Callable[[Mapping[str, Any]], list[Item | None]],
    ) -> list[str | None]:
        number, start = self.history.number(), self.clock()
        answer = _answer(call, request)
        end = self.clock()
        items = found(answer.response) if answer.response else [None] * len(keys)
        labels = [label_of(item) for item in items]
        self.history.write(
            Call(number, self.name, Op.READ, via, key, table, start, end, answer.outcome, label, reason=answer.reason)
            for key, label in zip(keys, labels, strict=True)
        )
        return labels


def _answer(call: Callable[..., Any], request: Mapping[str, Any]) -> Answer:
    try:
        return Answer(Outcome.ACKNOWLEDGED, response=call(**request))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _REFUSALS:
            return Answer(Outcome.REFUSED, code)
        if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            return Answer(Outcome.UNKNOWN, code)
        reasons = tuple(reason.get("Code", "") for reason in error.response.get("CancellationReasons", []))
        return Answer(Outcome.FAILED, code, reasons=reasons)
    except BotoCoreError as error:
        return Answer(Outcome.UNKNOWN, type(error).__name__)


def _unprocessed(response: Mapping[str, Any] | None, table: str) -> set[str]:
    left = (response or {}).get("UnprocessedItems", {}).get(table, [])
    return {
        (operation["PutRequest"]["Item"] if "PutRequest" in operation else operation["DeleteRequest"]["Key"])[KEY]["S"]
        for operation in left
    }


def _update(key: str, before: str, label: str) -> dict[str, Any]:
    """An update expression from one item to another, on the condition that it still is the one."""
    old, new = make_item(key, before), make_item(key, label)
    told_by = COUNT if count_of(before) is not None else LABEL
    names = {name: f"#n{place}" for place, name in enumerate(sorted((old.keys() | new.keys()) - {KEY}))}
    sets = [f"{names[name]} = :v{place}" for place, name in enumerate(names) if name in new]
    removes = [names[name] for name in names if name not in new]
    return {
        "UpdateExpression": "SET " + ", ".join(sets) + (" REMOVE " + ", ".join(removes) if removes else ""),
        "ConditionExpression": f"{names[told_by]} = :before",
        "ExpressionAttributeNames": {alias: name for name, alias in names.items()},
        "ExpressionAttributeValues": {
            ":before": old[told_by],
            **{f":v{place}": new[name] for place, name in enumerate(names) if name in new},
        },
    }
