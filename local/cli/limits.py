"""What DynamoDB, Lambda, Step Functions and the installer allow, and how fast a worker is.

Quotas are defaults of an account; most can be raised. Sources: the quota pages of the DynamoDB, Lambda and Step
Functions developer guides, and "DynamoDB throughput" for partitions and on-demand tables.
"""

from __future__ import annotations

# DynamoDB
WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096
PARTITION_READS = 3000
PARTITION_BYTES = 10 * 1024**3
FRESH_WRITES = 4000  # a new on-demand table; it doubles when it is used, but not twice within 30 minutes
FRESH_READS = 12_000
DOUBLING_SECONDS = 1800
TABLE_QUOTA = 40_000  # read, and write, units per second of one table

# Lambda
ACCOUNT_CONCURRENCY = 1000
POLLS_PER_SECOND = 4  # of each shard of a stream
INVOCATION_SECONDS = 840.0  # 900 less the minute in which a worker hands over

# Step Functions
HISTORY_EVENTS = 25_000
EVENTS_PER_INVOCATION = 7  # a task and a choice in a child's loop

# The installer, as shipped
LANES = 4  # ParallelizationFactor of the mappings the macro writes
RECORDS_PER_BATCH = 1000
REPLICATOR_CONCURRENCY = 100
CUSTOM_RESOURCE_SECONDS = 3600  # ServiceTimeout, the most that CloudFormation allows
UPDATE_WAIT_SECONDS = 3000  # PopulationWaitSeconds
TURN_KEYS = 100_000  # keys that a turn holds in memory
WORKER_GIGABYTES = 1769 / 1024
REPLICATOR_GIGABYTES = 1.0

# One worker with one core. Half of what the same code did on one core with a client that answers at once, so that
# TLS, the way to DynamoDB and a slower core have their share. DynamoDB is the limit long before twenty of them are.
COPY_ITEMS_PER_SECOND = 2500.0
COMPARE_ITEMS_PER_SECOND = 8000.0
WORKER_BYTES_PER_SECOND = 20_000_000.0

# One invocation of the replicator: what it costs to be called, and for each record it writes.
CALL_SECONDS = 0.03
RECORD_SECONDS = 0.0005
SKIPPED_SHARE = 0.1  # of that time, for a record that is skipped
