"""`python -m local.cli`: the same as `encrypt-migrate`."""

from local.cli.app import app

app(prog_name="encrypt-migrate")
