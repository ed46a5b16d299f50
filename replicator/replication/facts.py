"""Gathers the facts that evidence is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from replication.errors import TableGone
from replication.evidence import Facts
from replication.pair import Pair, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient

    from replication.mappings import Mappings
    from replication.register import Register

_THROTTLED_WITHIN = 5  # minutes


@dataclass(frozen=True)
class Gatherer:
    """Looks at tables, mappings, register and metrics."""

    tables: DynamoDBClient
    metrics: CloudWatchClient
    mappings: Mappings
    register: Register
    clock: Callable[[], float]
    replicator: str
    quiet_minutes: float
    lag_limit: float

    def facts(self, pair: Pair) -> Facts:
        """Everything that evidence for this pair may ask for."""
        function = [{"Name": "FunctionName", "Value": self.replicator}]
        health = self.mappings.health(pair)
        return Facts(
            at=self.clock(),
            mapping_problems=list(health.not_enabled.values()),
            last_results=list(health.last_results.values()),
            progress={side: self.register.progress(pair.pair_id, side) for side in Side},
            work=self.register.work(pair.pair_id),
            throttles=self._sum("AWS/Lambda", "Throttles", function, _THROTTLED_WITHIN),
            descriptions={side: self.describe(pair.table(side).name) for side in Side},
            # There is no metric of refused calls by table. This one counts them for the whole account, without failed
            # conditions and throttles.
            user_errors=self._sum("AWS/DynamoDB", "UserErrors", [], self.quiet_minutes),
            quiet_minutes=self.quiet_minutes,
            lag_limit=self.lag_limit,
        )

    def describe(self, table: str) -> Mapping[str, Any]:
        """What DescribeTable says of a table. Raises TableGone."""
        try:
            return self.tables.describe_table(TableName=table)["Table"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
                raise TableGone(f"The table {table} is gone.") from error
            raise

    def _sum(self, namespace: str, metric: str, dimensions: list[Any], minutes: float) -> float:
        if not minutes:
            return 0
        now = datetime.fromtimestamp(self.clock(), UTC)
        found = self.metrics.get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=dimensions,
            StartTime=now - timedelta(minutes=minutes),
            EndTime=now,
            Period=60,
            Statistics=["Sum"],
        )
        return float(sum(point["Sum"] for point in found["Datapoints"]))
