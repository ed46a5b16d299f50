"""How long each type of resource goes on with the old table's name after CloudFormation has begun to update it.

Seconds are what one sees, not what is promised: CloudFormation works through such an update in some ten seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

FOR_EVER = None
"""Until somebody does something."""


@dataclass(frozen=True)
class Writer:
    """Seconds, why, and what would shorten it."""

    least: float
    most: float | None
    why: str
    shorten: str = ""


_UPDATE = "until CloudFormation has updated it, right after the turn"
_API = Writer(10, 60, "until the API has been deployed again")
_EXECUTIONS = Writer(
    5,
    FOR_EVER,
    "executions that run keep the definition they were started with, until they end",
    "let long executions end before the cutover, and retry AccessDenied in the definition",
)
_INSTANCES = Writer(
    60,
    FOR_EVER,
    "instances that run keep what they were started with",
    "start an instance refresh right after the update",
)
_READERS = Writer(
    5,
    FOR_EVER,
    "whoever reads it has the old name until it reads again",
    "read it anew often during the cutover, or restart its readers right after the update",
)
_JOBS = Writer(5, FOR_EVER, "what runs keeps what it was started with", "let long runs end before the cutover")
_NESTED = Writer(
    30,
    3600,
    "the nested stack is updated as a whole, its services one after the other inside",
    "change nothing else in it with the same update, or move the writers into this template",
)

_BY_TYPE = {
    "AWS::ApiGateway::Deployment": Writer(10, 60, "its stage serves the old copy until the new one is deployed"),
    "AWS::ApiGateway::Method": _API,
    "AWS::ApiGateway::RestApi": _API,
    "AWS::ApiGatewayV2::Integration": _API,
    "AWS::AutoScaling::LaunchConfiguration": _INSTANCES,
    "AWS::Batch::JobDefinition": _JOBS,
    "AWS::CloudFormation::Stack": _NESTED,
    "AWS::EC2::Instance": Writer(60, 600, "the instance is restarted or replaced"),
    "AWS::EC2::LaunchTemplate": _INSTANCES,
    "AWS::ECS::TaskDefinition": Writer(
        60,
        900,
        "until its services have replaced their tasks: start, health checks, draining",
        "MinimumHealthyPercent 100 with MaximumPercent 200, short health checks, a short deregistration delay",
    ),
    "AWS::Glue::Job": _JOBS,
    "AWS::IoT::TopicRule": Writer(
        5, 30, _UPDATE, "IoT repeats nothing: give the rule an ErrorAction that keeps messages"
    ),
    "AWS::Lambda::Version": Writer(5, 30, "callers of the published version wait for the next one to be published"),
    "AWS::Pipes::Pipe": Writer(30, 300, "the pipe is stopped and started again"),
    "AWS::SSM::Parameter": _READERS,
    "AWS::SecretsManager::Secret": _READERS,
    "AWS::Serverless::Api": _API,
    "AWS::Serverless::Application": _NESTED,
    "AWS::Serverless::GraphQLApi": Writer(5, 60, "until its resolvers use the twin's data source"),
    "AWS::Serverless::HttpApi": _API,
    "AWS::Serverless::StateMachine": _EXECUTIONS,
    "AWS::StepFunctions::StateMachine": _EXECUTIONS,
}
_SECONDS = (
    "AWS::AppSync::DataSource",
    "AWS::Events::Rule",
    "AWS::Lambda::Function",
    "AWS::Scheduler::Schedule",
    "AWS::Serverless::Function",
)
_ANY = Writer(5, 300, "until CloudFormation has updated it")

WRITES_NOTHING = (
    "AWS::ApiGateway::Stage",
    "AWS::ApplicationAutoScaling::",
    "AWS::Backup::",
    "AWS::CloudTrail::",
    "AWS::CloudWatch::",
    "AWS::DynamoDB::",
    "AWS::IAM::",
    "AWS::KMS::",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Permission",
    "AWS::Logs::",
    "AWS::Serverless::Connector",
    "AWS::Serverless::SimpleTable",
    "Custom::Migration",
)
"""Beginnings of types that name a table and never write it."""


def writer(resource_type: str) -> Writer | None:
    """How a resource of a type behaves at the cutover; None when it writes no table."""
    if resource_type.startswith(WRITES_NOTHING):
        return None
    if resource_type in _SECONDS:
        return Writer(5, 30, _UPDATE)
    return _BY_TYPE.get(resource_type, _ANY)
