"""Runs a command whose Jupyter kernels have torch and the book's packages loaded.

    python tools/kernels.py python -m pytest --nbval --nbval-kernel-name=forked ...

Nearly a hundred notebooks run in a kernel each, and two seconds of each start are the
import of torch. Here one process imports it, and each kernel of the name `forked` is a
copy of that process: as fresh as any other, and there at once. The kernel's command
starts this file with `--join`, which hands over arguments, folder, environment and
streams through a socket, and lives as long as the kernel does.
"""

import importlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path

NAME = "forked"
# What the notebooks import; everything that they import of it comes with it.
LOADED = (
    "classroom",
    "ipykernel.kernelapp",
    "layerlib.lab",
    "matplotlib.figure",
    "sklearn.datasets",
    "tokenizers",
    "torch._dynamo",
)


def join(address: str, arguments: Sequence[str]) -> None:
    """Asks for a kernel with these arguments, and waits until it has ended."""
    with socket.socket(socket.AF_UNIX) as kernel:
        kernel.connect(address)
        order = {
            "arguments": list(arguments),
            "folder": str(Path.cwd()),
            "environment": dict(os.environ),
        }
        message = json.dumps(order).encode() + b"\n"
        kernel.sendall(message[socket.send_fds(kernel, [message], [1, 2]) :])
        kernel.recv(1)


def become_kernel(connection: socket.socket) -> None:
    """Turns this process, a copy of the one with everything loaded, into a kernel."""
    received, outputs, _, _ = socket.recv_fds(connection, 1 << 20, 2)
    while not received.endswith(b"\n"):
        received += connection.recv(1 << 20)
    order = json.loads(received)
    for output, number in zip(outputs, (1, 2), strict=True):
        os.dup2(output, number)
    os.setsid()  # an interrupt of the terminal is the command's business
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.path[:] = [path for path in sys.path if path != str(Path(__file__).parent)]

    def end_with_joined() -> None:
        connection.recv(1)
        os._exit(1)

    threading.Thread(target=end_with_joined, daemon=True).start()
    from ipykernel.kernelapp import IPKernelApp  # noqa: PLC0415  (not in join)

    # The kernel ends with its parent, here the process that it was copied from.
    IPKernelApp.launch_instance(order["arguments"], parent_handle=os.getppid())


def serve(server: socket.socket, command: subprocess.Popen[bytes]) -> None:
    """Makes a kernel for each that asks, until the command has ended."""
    kernels: set[int] = set()
    while command.poll() is None:
        kernels = {
            kernel for kernel in kernels if not os.waitpid(kernel, os.WNOHANG)[0]
        }
        if not select.select([server], [], [], 0.1)[0]:
            continue
        connection, _ = server.accept()
        kernel = os.fork()
        if kernel == 0:
            try:
                server.close()
                become_kernel(connection)
            except Exception:  # noqa: BLE001  (no caller is left that could be told)
                traceback.print_exc()
            finally:
                # Nothing of what the first process does at its end is the copy's.
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(0)
        connection.close()
        kernels.add(kernel)


def main(command: Sequence[str]) -> int:
    """Runs a command with the kernel `forked` on offer; returns its exit status."""
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX) as server,
    ):
        address = f"{folder}/socket"
        server.bind(address)
        server.listen()
        specification = Path(folder) / "kernels" / NAME / "kernel.json"
        specification.parent.mkdir(parents=True)
        start = ["-I", "-S", __file__, "--join", address]
        if sys.platform != "linux":  # elsewhere libraries do not survive a fork
            start = ["-m", "ipykernel_launcher"]
        specification.write_text(
            json.dumps(
                {
                    "argv": [sys.executable, *start, "-f", "{connection_file}"],
                    "display_name": "Python 3 (forked)",
                    "language": "python",
                    "interrupt_mode": "message",
                    "metadata": {"supported_encryption": "curve"},
                }
            )
        )
        paths = [folder, *filter(None, [os.environ.get("JUPYTER_PATH")])]
        variables = {**os.environ, "JUPYTER_PATH": os.pathsep.join(paths)}
        with subprocess.Popen(command, env=variables) as running:
            # As a kernel sets it before it imports anything.
            os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
            for module in LOADED:  # meanwhile the command starts, too
                importlib.import_module(module)
            serve(server, running)
        return running.returncode


if __name__ == "__main__":
    if sys.argv[1:2] == ["--join"]:
        join(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(main(sys.argv[1:]))
