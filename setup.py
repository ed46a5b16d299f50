"""The version stands in template.yaml alone: the installation, its functions and this package have it from there."""

import re
from pathlib import Path

from setuptools import setup

[version] = re.findall(r'Installation: \{Version: "(.+)"\}', Path(__file__).with_name("template.yaml").read_text())
setup(version=version)
