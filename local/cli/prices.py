"""What AWS asks for what a migration uses. The one place where prices stand; `plan --price NAME=USD` overrides them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from local.cli.failures import Refused

REGION = "us-east-1"
AS_OF = "2025-07"
"""Published list prices without free tier, discounts or reserved capacity, Standard table class."""


@dataclass(frozen=True)
class Prices:
    """US dollars for one unit."""

    million_writes: float = 0.625  # on-demand write request units
    million_reads: float = 0.125  # on-demand read request units
    write_capacity_hour: float = 0.00065  # one provisioned write unit per second
    read_capacity_hour: float = 0.00013
    storage_month: float = 0.25  # one GB in a table
    backup_month: float = 0.10  # one GB of on-demand backup
    export: float = 0.10  # one GB to S3
    import_: float = 0.15  # one GB from S3 into a new table
    million_invocations: float = 0.20  # of Lambda
    gigabyte_second: float = 0.0000166667  # of Lambda, x86
    thousand_transitions: float = 0.025  # of Step Functions, standard workflows


def with_overrides(prices: Prices, given: dict[str, float]) -> Prices:
    """The prices with some of them replaced by name; raises Refused for a name that there is not."""
    names = {field.name.rstrip("_"): field.name for field in fields(prices)}
    unknown = sorted(given.keys() - names.keys())
    if unknown:
        raise Refused(f"There is no price {', '.join(unknown)}. Prices are: {', '.join(names)}.")
    return replace(prices, **{names[name]: price for name, price in given.items()})
