"""`python -m local.cloud` runs a cloud in the foreground until Ctrl-C."""

import argparse
import signal
import sys
from dataclasses import fields
from pathlib import Path

from local.cloud.cloud import Cloud, CloudFailed
from local.cloud.installer import SHORT_WAITS, InstallationFailed, build_and_deploy
from local.cloud.settings import Settings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.cloud", description="An AWS account on this machine.")
    parser.add_argument("--port", type=int, default=4566)
    parser.add_argument("--account", default="123456789012", help="twelve digits; also the root's access key")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--folder", type=Path, help="where the log and temporary files go; kept afterwards")
    parser.add_argument("--install", action="store_true", help="install EncryptMigrate, with short waits")
    for field in fields(Settings):
        kind = int if field.name == "shuffle" else float
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    given = parser.parse_args()
    settings = Settings(**{field.name: getattr(given, field.name) for field in fields(Settings)})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts it in the background ignores it
    try:
        cloud = Cloud(settings, account=given.account, region=given.region, port=given.port, folder=given.folder)
        with cloud:
            _say(cloud)
            if given.install:
                print("Installing EncryptMigrate; this takes half a minute.", flush=True)
                build_and_deploy(cloud, SHORT_WAITS)
                print("EncryptMigrate is installed.")
            print("Ctrl-C ends it.", flush=True)
            cloud.wait()
    except KeyboardInterrupt:
        print()
    except (CloudFailed, InstallationFailed) as error:
        sys.exit(f"error: {error}")


def _say(cloud: Cloud) -> None:
    """How to use it: the SDKs, the AWS CLI, SAM and encrypt-migrate all understand these variables."""
    print(f"log  {cloud.log_path}\nIn the terminal where you use this cloud:\n")
    print(f"  export AWS_ENDPOINT_URL={cloud.endpoint} AWS_DEFAULT_REGION={cloud.region}")
    print(f"  export AWS_ACCESS_KEY_ID={cloud.account} AWS_SECRET_ACCESS_KEY=test\n")


if __name__ == "__main__":
    main()
