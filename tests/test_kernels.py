"""Kernels that are copies of a process in which torch is loaded: tools/kernels.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Two kernels, what they say to some lines, and how they end: one is asked to, and one is
# killed with the process that the caller knows of.
SCRIPT = r"""
import sys
import time
from pathlib import Path
from jupyter_client.manager import start_new_kernel

def ask(line, then=lambda: None):
    asked = client.execute(line)
    while True:
        message = client.get_iopub_msg(timeout=60)
        content = message["content"]
        if message["parent_header"].get("msg_id") != asked:
            continue
        if content.get("execution_state") == "idle":
            return
        if said := content.get("text") or content.get("ename"):
            told.append(said.strip())
            then()
            then = lambda: None

for end in ({}, {"now": True}):
    told = []
    manager, client = start_new_kernel(
        kernel_name="forked", transport_encryption="auto"
    )
    ask("import os, sys; print(os.getpid(), 'torch' in sys.modules, 'x' in globals())")
    ask("x = 1; print(os.getcwd(), os.environ['MARK'], '' in sys.path)")
    ask("print('on')\nwhile True: pass", manager.interrupt_kernel)
    ask("print(x)")
    print(*told)
    client.stop_channels()
    manager.shutdown_kernel(**end)
    kernel, late = Path("/proc", told[0].split()[0]), time.monotonic() + 20
    while kernel.exists() and time.monotonic() < late:
        time.sleep(0.05)
    print(kernel.exists())
sys.exit(7)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are not forked there")
def test_kernels_are_ready_apart_and_end(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "tools/kernels.py", sys.executable, "-c", SCRIPT],
        env={**os.environ, "MARK": "marked", "IPYTHONDIR": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (7, "")
    one, ended, two, killed = done.stdout.splitlines()
    pids, said = zip(*(line.split(maxsplit=1) for line in (one, two)), strict=True)
    assert pids[0] != pids[1]
    assert set(said) == {f"True False {ROOT} marked True on KeyboardInterrupt 1"}
    assert ended == killed == "False", "a kernel has outlived what asked for it"
