"""A client of DynamoDB that leaves items as they are: the one by which items of users' tables are read and written.

boto3 takes each attribute value of an answer apart by its model, and builds each anew for a request. For a mirror, a
copy and a look, which hand items on as they came, that is most of the work: four fifths of the processor time of an
item. boto3 passes on what its model calls a document without looking into it, and here attribute values are such. What
is binary is decoded and encoded here, so that nobody can tell this client from another, save by the time it takes.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from functools import cache
from operator import is_
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# All that holds attribute values, as high up as it is the whole of what is handed on.
_PASSED_ON = (
    "AttributeMap",
    "AttributeValue",
    "ItemList",
    "Key",
    "KeyList",
    "PutItemInputAttributeMap",
    "WriteRequests",
)
_BINARY = re.compile(rb'"BS?"')
_DOCUMENT = {"type": "structure", "members": {}, "document": True}


class _Documents(Loader):
    """Loads DynamoDB's model with attribute values as documents."""

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        model = super().load_service_model(service_name, type_name, api_version)
        if (service_name, type_name) != ("dynamodb", "service-2"):
            return model
        return {**model, "shapes": {**model["shapes"], **dict.fromkeys(_PASSED_ON, _DOCUMENT)}}


# replication.tables repeats calls itself, and only it knows which may be repeated. What it sends comes from DynamoDB.
ONCE = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"total_max_attempts": 1},
    max_pool_connections=50,
    parameter_validation=False,
)


def items_client(**given: Any) -> DynamoDBClient:
    """What boto3.client("dynamodb", ...) returns, for items that are handed on. It repeats nothing."""
    client: DynamoDBClient = _session().client("dynamodb", config=ONCE, **given)
    events: Any = client.meta.events
    events.register("provide-client-params.dynamodb", lambda params, **_: _encoded(params))
    events.register("after-call.dynamodb", _answered)
    return client


@cache  # the model takes a while to load
def _session() -> boto3.Session:
    core = botocore.session.get_session()
    core.register_component("data_loader", _Documents())
    return boto3.Session(botocore_session=core)


def _answered(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
    # Most items have no binary value, and looking for one in the text takes a hundredth of the time.
    if _BINARY.search(http_response.content):
        _decode(parsed)


def _decode(node: dict[str, Any]) -> None:
    """Text to bytes, in place. An attribute may be called B, but then it holds a value of its own, not text."""
    for name, value in node.items():
        if type(value) is dict:
            _decode(value)
        elif type(value) is list:
            if name == "BS":
                node[name] = [b64decode(one) for one in value]
            else:
                for inner in value:
                    if type(inner) is dict:
                        _decode(inner)
        elif name == "B" and type(value) is str:
            node[name] = b64decode(value)


def _encoded(node: Any) -> Any:
    """The same with bytes as text. What holds none is the very same object, and nothing that was given is changed."""
    kind = type(node)
    if kind is dict:
        changed = {}
        for name, value in node.items():
            if type(value) is not str and (new := _encoded(value)) is not value:
                changed[name] = new
        return {**node, **changed} if changed else node
    if kind is list or kind is tuple:
        if not node or type(node[0]) is str:
            return node
        found = list(map(_encoded, node))
        return node if all(map(is_, found, node)) else found
    return b64encode(node).decode() if kind is bytes else node
