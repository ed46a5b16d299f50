"""Templates as people write them: tables of every form, and resources that refer to them in every way and place."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Template = dict[str, Any]

KEY = {
    "AttributeDefinitions": [
        {"AttributeName": "id", "AttributeType": "S"},
        {"AttributeName": "at", "AttributeType": "N"},
    ],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
}
INDEX = {
    "IndexName": "ByTime",
    "KeySchema": [{"AttributeName": "at", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
POLICY = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "dynamodb:GetItem", "Resource": "*"}]}

table_ids = st.sampled_from(["Users", "Orders", "T", "TableWithALongName", "Encrypted"])
names = st.sampled_from(
    [
        "users",
        {"Ref": "Name"},
        {"Fn::Sub": "${AWS::StackName}-users"},
        {"Fn::Sub": ["${A}-b", {"A": {"Ref": "Name"}}]},
        {"Fn::Join": ["-", [{"Ref": "AWS::StackName"}, "users"]]},
        {"Fn::If": ["Is", "users", {"Ref": "AWS::NoValue"}]},
    ]
)
optional_properties: dict[str, st.SearchStrategy[Any]] = {
    "TableName": names,
    "StreamSpecification": st.sampled_from([{"StreamViewType": "NEW_IMAGE"}, {"StreamViewType": "NEW_AND_OLD_IMAGES"}]),
    "SSESpecification": st.just({"SSEEnabled": False}),
    "GlobalSecondaryIndexes": st.just([INDEX]),
    "DeletionProtectionEnabled": st.booleans(),
    "KinesisStreamSpecification": st.just({"StreamArn": "arn:aws:kinesis:us-east-1:111122223333:stream/s"}),
    "ImportSourceSpecification": st.just({"InputFormat": "CSV", "S3BucketSource": {"S3Bucket": "b"}}),
    "ResourcePolicy": st.just({"PolicyDocument": POLICY}),
    "TimeToLiveSpecification": st.just({"AttributeName": "ttl", "Enabled": True}),
    "Tags": st.just([{"Key": "a", "Value": "b"}]),
}
option_values = st.fixed_dictionaries(
    {},
    optional={
        "WriteRate": st.integers(1, 10_000),
        "KMSMasterKeyId": st.just("alias/key"),
        "Properties": st.just({"TableClass": "STANDARD_INFREQUENT_ACCESS"}),
    },
)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """A table resource that migrates."""
    if draw(st.integers(0, 5)) == 0:
        return {"Type": "AWS::Serverless::SimpleTable"}
    billing: Any = draw(
        st.sampled_from(
            [
                {"BillingMode": "PAY_PER_REQUEST"},
                {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
            ]
        )
    )
    others: Any = draw(st.fixed_dictionaries({}, optional=optional_properties))
    properties = {**KEY, **billing, **others}
    table: dict[str, Any] = {"Type": "AWS::DynamoDB::Table", "Properties": properties}
    attributes: Any = st.fixed_dictionaries(
        {},
        optional={
            "Condition": st.just("Is"),
            "DeletionPolicy": st.sampled_from(["Retain", "Delete"]),
            "Metadata": st.fixed_dictionaries({"EncryptMigrate": option_values, "mine": st.just(1)}),
        },
    )
    chosen: dict[str, Any] = draw(attributes)
    return {**table, **chosen}


def references(table: str) -> st.SearchStrategy[Any]:
    """A text that names the table, in one of the forms there are."""
    return st.sampled_from(
        [
            {"Ref": table},
            {"Fn::GetAtt": [table, "Arn"]},
            {"Fn::GetAtt": f"{table}.Arn"},
            {"Fn::Sub": f"${{{table}}}/${{{table}.Arn}}/${{!{table}}}"},
            {"Fn::Sub": ["${Mine}/${AWS::Region}", {"Mine": {"Ref": table}}]},
            {"Fn::Join": ["/", ["table", {"Ref": table}, "index", "*"]]},
            {"Fn::Select": [1, {"Fn::Split": ["/", {"Fn::GetAtt": [table, "Arn"]}]}]},
        ]
    )


def statements(reference: Any) -> st.SearchStrategy[Any]:
    """A statement of a policy about the table."""
    resources = st.sampled_from(
        [reference, [reference], [reference, "arn:aws:s3:::b"], {"Fn::If": ["Is", reference, "*"]}]
    )
    return st.one_of(
        st.builds(lambda r: {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": r}, resources),
        st.builds(lambda r: {"Effect": "Deny", "NotAction": "dynamodb:Scan", "NotResource": r}, resources),
        st.just(
            {
                "Effect": "Allow",
                "Action": "kms:Decrypt",
                "Resource": "*",
                "Condition": {"StringEquals": {"k": reference}},
            }
        ),
    )


def _role(statement: Any) -> Any:
    policy = {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}, "Policies": [policy]}}


def _function(reference: Any, table: str, statement: Any) -> Any:
    properties = {
        "Environment": {"Variables": {"TABLE": reference}},
        "Policies": ["Managed", {"DynamoDBCrudPolicy": {"TableName": {"Ref": table}}}, {"Statement": [statement]}],
        "AutoPublishAlias": "live",
    }
    connectors = {"C": {"Properties": {"Destination": {"Id": table}, "Permissions": ["Read"]}}}
    return {"Type": "AWS::Serverless::Function", "Connectors": connectors, "Properties": properties}


@st.composite
def users(draw: st.DrawFn, table: str) -> dict[str, Any]:
    """A resource that uses the table."""
    reference = draw(references(table))
    statement = draw(statements(reference))
    stream = {"Fn::GetAtt": [table, "StreamArn"]}
    ends = {"Source": {"Id": "Other"}, "Destination": {"Id": table}}
    target = {"ServiceNamespace": "dynamodb", "ResourceId": {"Fn::Sub": f"table/${{{table}}}"}}
    resource: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"Type": "AWS::SSM::Parameter", "Properties": {"Value": reference}},
                {"Type": "AWS::SSM::Parameter", "DependsOn": table, "Properties": {"Value": "v"}},
                {"Type": "AWS::SSM::Parameter", "DependsOn": ["Other", table], "Properties": {"Value": [reference, 1]}},
                _role(statement),
                {"Type": "AWS::IAM::ManagedPolicy", "DependsOn": table, "Properties": {"PolicyDocument": statement}},
                _function(reference, table, statement),
                {"Type": "AWS::Serverless::Connector", "Properties": ends},
                {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": target},
                {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"EventSourceArn": stream, "Enabled": False}},
                {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Statement": statement}}},
                {"Type": "AWS::CloudFormation::Stack", "Properties": {"Parameters": {"Table": reference}}},
            ]
        )
    )
    metadata = draw(st.sampled_from([{}, {}, {"Metadata": {"says": reference}}]))
    return {**resource, **metadata}


@st.composite
def templates(draw: st.DrawFn) -> Template:
    """A template with one to three tables and what uses them."""
    found: dict[str, Any] = {"Other": {"Type": "AWS::SNS::Topic"}}
    outputs: dict[str, Any] = {}
    for number, table in enumerate(draw(st.lists(table_ids, min_size=1, max_size=3, unique=True))):
        made = draw(tables())
        if "TableName" in made.get("Properties", {}):
            made["Properties"]["TableName"] = {"Fn::Join": ["", [made["Properties"]["TableName"], str(number)]]}
        found[table] = made
        condition = {"Condition": made["Condition"]} if "Condition" in made else {}
        for index in range(draw(st.integers(0, 3))):
            found[f"User{number}{index}"] = draw(users(table)) | condition
        if draw(st.booleans()):
            output = {"Value": draw(references(table)), **condition}
            outputs[f"Out{number}"] = output | draw(st.sampled_from([{}, {"Export": {"Name": f"e{number}"}}]))
    return {
        "Parameters": {"Name": {"Type": "String"}, "EncryptMigrateStage": {"Type": "String"}},
        "Conditions": {"Is": {"Fn::Equals": [{"Ref": "Name"}, "x"]}},
        "Resources": dict(draw(st.permutations(list(found.items())))),
        **draw(st.sampled_from([{}, {"Outputs": outputs}])),
    }
