"""One emulated account. Accounts of one cloud see nothing of each other, so tests can share a cloud."""

from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any, Protocol

import boto3
from botocore.config import Config


@dataclass(frozen=True)
class Credentials:
    """Keys of a role's session, as AssumeRole hands them out."""

    access_key: str
    secret_key: str
    token: str


class Tenant(Protocol):
    """What stacks and the installer need to know: an Account, or a Cloud, which stands for its first account."""

    @property
    def endpoint(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def region(self) -> str: ...
    def client(self, service: str) -> Any: ...


# The cloud is on this machine, whatever proxies the environment names; looking there is not safe either while another
# thread changes the environment.
_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 3}, proxies={})


@dataclass(frozen=True)
class Account:
    """`account` is a number of twelve digits; its root's access key is that number."""

    endpoint: str
    account: str
    region: str = "us-east-1"
    config: Config = field(default=_CONFIG, repr=False)
    _making: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    @cached_property
    def _session(self) -> Any:
        return boto3.Session(region_name=self.region)

    def client(self, service: str, credentials: Credentials | None = None, config: Config | None = None) -> Any:
        """A boto3 client of the account's root, or of the role whose `credentials` are given."""
        keys = credentials or Credentials(self.account, "test", "")
        with self._making:  # clients may be shared by threads, what makes them may not
            return self._session.client(
                service,
                endpoint_url=self.endpoint,
                aws_access_key_id=keys.access_key,
                aws_secret_access_key=keys.secret_key,
                aws_session_token=keys.token or None,
                config=self.config.merge(config) if config else self.config,
            )

    def assume(self, role_arn: str, session: str = "local") -> Credentials:
        """The credentials of a session of the role. Raises botocore's ClientError where its trust policy refuses."""
        given = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=session)["Credentials"]
        return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
