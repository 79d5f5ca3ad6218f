"""A kind of detector and a family of features that another package registers pass the suites."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_toys_of_another_package_pass_both_suites() -> None:
    """In a process of their own: what is registered stays registered."""
    path = os.pathsep.join([str(HERE / "toys"), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "register_toys", "-p", "no:xdist"]
    command += ["-p", "no:cacheprovider", "-k", "toy or study", str(HERE / "test_detectors.py")]
    done = subprocess.run(
        [*command, str(HERE / "test_families.py")],
        capture_output=True, text=True, cwd=HERE.parents[1], env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "toy" not in done.stdout
    passed = int(done.stdout.rsplit(" passed", 1)[0].split()[-1])
    assert passed >= 25
