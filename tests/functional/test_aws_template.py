"""The template deployed to AWS: checks by cfn-lint, and rules that it does not know."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from core.aws import metrics
from core.queues.sqs.address import SQSAddress
from core.settings import PREFIX, Settings
from core.settings.values import MIN_SECRET_BYTES
from functions.lambda_runtime import SECRETS_KEY, STAGE
from functions.operations.ledger import BUCKET, KEYS
from infra.build import TEMPLATE
from infra.template import resources
from tests.support.lambda_package import built, template

REGION: Final = {"AWS::Region": "eu-central-1", "AWS::URLSuffix": "amazonaws.com", "AWS::AccountId": "123456789012"}


@pytest.fixture(scope="module")
def deployed() -> dict[str, Any]:
    return template()


def of_type(deployed: dict[str, Any], kind: str) -> dict[str, Any]:
    found = deployed["Resources"].items()
    return {name: resource.get("Properties", {}) for name, resource in found if resource["Type"] == kind}


def test_cfn_lint_has_nothing_to_say() -> None:
    cfn_lint = str(Path(sys.executable).with_name("cfn-lint"))
    command = [cfn_lint, "--regions", "eu-central-1", "--", str(built() / TEMPLATE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


def test_every_function_has_what_chalice_leaves_out(deployed: dict[str, Any]) -> None:
    functions = of_type(deployed, "AWS::Serverless::Function")
    assert functions.keys() == {
        "APIHandler", "ConsumeEvents", "Migrate", "CreatePartitions", "IntegrateLedger", "CheckLedger",
        "SendStreams",
        "ApplyRetention",
        "Reconcile", "AdministerClients",
    }  # fmt: skip
    for name, function in functions.items():
        assert function["Role"]["Fn::GetAtt"][0] in of_type(deployed, "AWS::IAM::Role"), name
        assert function["MemorySize"] > 128, name
    assert functions["APIHandler"]["Timeout"] < 30, "API Gateway waits for 29 seconds"


def test_the_log_is_of_the_form_and_level_that_metrics_are_taken_from(deployed: dict[str, Any]) -> None:
    logging = deployed["Globals"]["Function"]["LoggingConfig"]
    assert (logging["LogFormat"], logging["ApplicationLogLevel"]) == ("JSON", "INFO")


def test_a_message_stays_invisible_for_six_times_as_long_as_the_consumer_may_take(deployed: dict[str, Any]) -> None:
    consumer = of_type(deployed, "AWS::Serverless::Function")["ConsumeEvents"]
    queue = of_type(deployed, "AWS::SQS::Queue")["Queue"]
    window = consumer["Events"]["Queue"]["Properties"]["MaximumBatchingWindowInSeconds"]
    assert queue["VisibilityTimeout"] >= 6 * consumer["Timeout"] + window
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
    assert queue["VisibilityTimeout"] * queue["RedrivePolicy"]["maxReceiveCount"] >= 3600, "an outage of an hour"
    assert queue["SqsManagedSseEnabled"]


def test_the_queue_feeds_the_consumer_and_hears_which_messages_failed(deployed: dict[str, Any]) -> None:
    source = of_type(deployed, "AWS::Serverless::Function")["ConsumeEvents"]["Events"]["Queue"]
    assert source["Type"] == "SQS"
    assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["Properties"]["Queue"] == {"Fn::GetAtt": ["Queue", "Arn"]}
    # https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
    assert source["Properties"]["BatchSize"] <= 10_000
    assert source["Properties"]["MaximumBatchingWindowInSeconds"] >= 1, "or no batch may have more than ten"
    concurrency = source["Properties"]["ScalingConfig"]["MaximumConcurrency"]["Fn::FindInMap"][2]
    assert all(2 <= stage[concurrency] <= 1000 for stage in deployed["Mappings"]["Stages"].values())


@pytest.mark.parametrize(
    "function", ["CreatePartitions", "IntegrateLedger", "SendStreams", "CheckLedger", "ApplyRetention", "Reconcile"]
)
def test_what_the_clock_calls_has_a_schedule(deployed: dict[str, Any], function: str) -> None:
    (event,) = of_type(deployed, "AWS::Serverless::Function")[function]["Events"].values()
    assert event["Type"] == "Schedule"
    assert re.fullmatch(r"rate\([0-9]+ (minutes?|hours?|days?)\)", event["Properties"]["Schedule"])


def test_the_functions_settings_are_those_of_the_service(deployed: dict[str, Any]) -> None:
    variables = deployed["Globals"]["Function"]["Environment"]["Variables"]
    given = {name: value for name, value in variables.items() if name.startswith(PREFIX)}
    for name, value in given.items():
        if isinstance(value, dict):
            text: str = value["Fn::Sub"]
            for reference, instead in REGION.items():
                text = text.replace(f"${{{reference}}}", instead)
            given[name] = re.sub(r"\$\{[A-Za-z.]+\}", "name", text)
    settings = Settings.from_environ(given)
    assert settings.auth == "clients"
    assert SQSAddress.parse(settings.queue_url).region == REGION["AWS::Region"]
    assert settings.store_url.startswith("postgresql://audit_log@"), "without a password: IAM gives one out"
    assert "sslmode=verify-full" in settings.store_url
    assert STAGE in variables
    api = of_type(deployed, "AWS::Serverless::Function")["APIHandler"]["Environment"]["Variables"]
    assert api == {
        "AUDIT_LOG_JWT_SECRET": {"Ref": "JwtSecret"},
        SECRETS_KEY: {"Ref": "SecretsKey"},
        "REVOCATIONS_SECRET": {"Ref": "Revocations"},
    }


def actions(deployed: dict[str, Any], role: str) -> set[str]:
    allowed: set[str] = set()
    for policy in of_type(deployed, "AWS::IAM::Role")[role]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            action = statement["Action"]
            allowed |= {action} if isinstance(action, str) else set(action)
    return {action for action in allowed if not action.startswith(("ec2:", "logs:"))}


def test_each_role_may_do_what_its_functions_call_and_no_more(deployed: dict[str, Any]) -> None:
    connect = "rds-db:connect"
    assert actions(deployed, "ApiRole") == {
        connect, "sqs:SendMessage", "sqs:GetQueueAttributes", "secretsmanager:GetSecretValue", "kms:Decrypt",
    }  # fmt: skip
    assert actions(deployed, "ConsumerRole") == {
        connect, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
    }  # fmt: skip
    assert actions(deployed, "ReconcileRole") == {connect, "sqs:GetQueueAttributes", "cloudwatch:GetMetricData"}
    assert actions(deployed, "DatabaseRole") == {connect}
    assert actions(deployed, "StreamsRole") == {connect, "secretsmanager:GetSecretValue", "kms:Decrypt"}
    assert actions(deployed, "ClientsRole") == {
        connect, "secretsmanager:PutSecretValue", "kms:Decrypt", "kms:GenerateDataKey",
    }  # fmt: skip
    assert actions(deployed, "LedgerRole") == {
        connect, "kms:Sign", "kms:Verify", "kms:GetPublicKey", "s3:GetObject", "s3:PutObject", "s3:ListBucket",
    }  # fmt: skip


def read_secrets(deployed: dict[str, Any], role: str) -> list[Any]:
    """The secrets that a role may read."""
    found: list[Any] = []
    for policy in of_type(deployed, "AWS::IAM::Role")[role].get("Policies", []):
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Action"] == "secretsmanager:GetSecretValue":
                resource = statement["Resource"]
                found += resource if isinstance(resource, list) else [resource]
    return found


def test_the_key_of_the_secrets_of_streams_is_read_by_those_who_manage_and_send_streams(
    deployed: dict[str, Any],
) -> None:
    functions = of_type(deployed, "AWS::Serverless::Function")
    key = {"Ref": "SecretsKey"}
    given = [
        name for name, function in functions.items()
        if function.get("Environment", {}).get("Variables", {}).get(SECRETS_KEY) == key
    ]  # fmt: skip
    assert sorted(given) == ["APIHandler", "SendStreams"]
    roles = of_type(deployed, "AWS::IAM::Role")
    reading = {name for name in roles if key in read_secrets(deployed, name)}
    assert reading == {functions[name]["Role"]["Fn::GetAtt"][0] for name in given}
    assert key not in deployed["Globals"]["Function"]["Environment"]["Variables"].values()
    assert deployed["Resources"]["SecretsKey"]["DeletionPolicy"] == "Retain", "streams lose their secrets"
    secret = of_type(deployed, "AWS::SecretsManager::Secret")["SecretsKey"]
    assert secret["GenerateSecretString"]["PasswordLength"] >= MIN_SECRET_BYTES
    assert secret["KmsKeyId"] == {"Ref": "Key"}


def test_the_ledger_is_signed_by_one_function_and_its_guard_keeps_every_checkpoint(deployed: dict[str, Any]) -> None:
    functions = of_type(deployed, "AWS::Serverless::Function")
    signing = [
        name for name, function in functions.items() if function["Role"] == {"Fn::GetAtt": ["LedgerRole", "Arn"]}
    ]
    assert signing == ["IntegrateLedger"]
    variables = functions["IntegrateLedger"]["Environment"]["Variables"]
    assert variables[KEYS] == {"Fn::GetAtt": ["LedgerKey", "Arn"]}
    assert variables[BUCKET] == {"Ref": "LedgerGuard"}
    key = of_type(deployed, "AWS::KMS::Key")["LedgerKey"]
    assert (key["KeySpec"], key["KeyUsage"]) == ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY")
    guard = of_type(deployed, "AWS::S3::Bucket")["LedgerGuard"]
    assert guard["VersioningConfiguration"] == {"Status": "Enabled"}
    assert guard["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]["Days"] >= 365
    assert all(deployed["Resources"][name]["DeletionPolicy"] == "Retain" for name in ("LedgerKey", "LedgerGuard"))
    reached = {
        str(each["ServiceName"]).rpartition(".")[2][:-2] for each in of_type(deployed, "AWS::EC2::VPCEndpoint").values()
    }
    assert {"kms", "s3"} <= reached


def test_the_database_is_reached_by_the_proxy_alone_and_is_kept(deployed: dict[str, Any]) -> None:
    database = of_type(deployed, "AWS::RDS::DBInstance")["Database"]
    assert database["StorageEncrypted"]
    assert not database["PubliclyAccessible"]
    assert deployed["Resources"]["Database"]["DeletionPolicy"] == "Snapshot"
    groups = of_type(deployed, "AWS::EC2::SecurityGroup")
    (rule,) = groups["DatabaseSecurityGroup"]["SecurityGroupIngress"]
    assert rule["SourceSecurityGroupId"] == {"Ref": "ProxySecurityGroup"}
    (proxy,) = of_type(deployed, "AWS::RDS::DBProxy").values()
    assert proxy["RequireTLS"]
    assert [auth["IAMAuth"] for auth in proxy["Auth"]] == ["REQUIRED"]


def test_the_api_is_limited_and_logs_no_bodies(deployed: dict[str, Any]) -> None:
    (api,) = of_type(deployed, "AWS::Serverless::Api").values()
    assert api["StageName"] == {"Ref": "Stage"}
    (setting,) = api["MethodSettings"]
    assert {"ThrottlingRateLimit", "ThrottlingBurstLimit"} <= setting.keys()
    assert not setting["DataTraceEnabled"]
    assert json.loads(api["AccessLogSetting"]["Format"])["requestId"] == "$context.requestId"


def test_the_gateways_own_errors_are_problem_details(deployed: dict[str, Any]) -> None:
    (api,) = of_type(deployed, "AWS::Serverless::Api").values()
    for name, response in api["GatewayResponses"].items():
        assert response["ResponseParameters"]["Headers"]["Content-Type"] == "'application/problem+json'"
        body = response["ResponseTemplates"]["application/json"].replace("$context.error.messageString", '"why"')
        problem = json.loads(body)
        assert problem.keys() >= {"type", "title", "detail", "instance"}, name
        assert problem.get("status") == response.get("StatusCode"), name


def test_every_alarm_tells_somebody_what_it_means(deployed: dict[str, Any]) -> None:
    alarms = of_type(deployed, "AWS::CloudWatch::Alarm")
    assert len(alarms) == 21
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}], name
        assert alarm["AlarmDescription"], name


def test_our_metrics_are_looked_at_by_the_names_they_are_written_with(deployed: dict[str, Any]) -> None:
    alarms = of_type(deployed, "AWS::CloudWatch::Alarm").values()
    ours = {alarm["MetricName"] for alarm in alarms if alarm["Namespace"] == metrics.NAMESPACE}
    of_streams = {metrics.STREAMS_SUSPENDED, metrics.STREAM_BEHIND, metrics.ALERT_RULE_BEHIND}
    assert ours == {metrics.UNACCOUNTED, metrics.LEDGER_FINDINGS, *of_streams}
    body = of_type(deployed, "AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]["Fn::Sub"]
    shown = set(re.findall(r'"((?:Events|Stream|AlertRule)\w+)"', body))
    assert shown == {metrics.ACCEPTED, metrics.UNACCOUNTED, *metrics.COUNTER_METRICS.values(), *of_streams, "Streams"}
    assert len(json.loads(body)["widgets"]) == 10


def test_the_stages_differ_in_size_alone() -> None:
    dev, prod = resources("3.13")["Mappings"]["Stages"].values()
    assert dev.keys() == prod.keys()
