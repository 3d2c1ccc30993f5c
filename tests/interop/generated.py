"""A client that openapi-python-client generates from the contract that the running gateway gives."""

import importlib
import ssl
import subprocess
import sys
from pathlib import Path

TOOLS = Path(sys.executable).parent


class Generated:
    """`models` are what it sends and reads, `call` asks an operation."""

    def __init__(self, contract, name):
        package = Path(contract).parent / f"generated-{name}"
        command = [TOOLS / "openapi-python-client", "generate", "--path", contract, "--meta", "none", "--output-path", package / name]
        made = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if not (package / name / "client.py").exists():
            raise RuntimeError(made.stdout + made.stderr)
        sys.path.insert(0, str(package))
        self.name = name
        self.models = importlib.import_module(f"{name}.models")

    def user(self, address, root, pair, **settings):
        """Somebody with a client certificate."""
        context = ssl.create_default_context(cafile=root)
        context.load_cert_chain(*pair)
        client = importlib.import_module(f"{self.name}.client")
        return client.Client(base_url=address, verify_ssl=context, **settings)

    def operation(self, tag, name):
        return importlib.import_module(f"{self.name}.api.{tag}.{name}")
