"""Submissions that cheat, break or attack: none gains a mark, none stops a batch.

Each is the code of an answer's cells to `linear-moves` unless it says otherwise; a name
of a tuple says which exercise it is for, and what its answer is called.
"""

import io
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

RIGHT = "def linear_by_moves(x, weight, bias):\n    return x @ weight.T + bias\n"
WRONG = "def linear_by_moves(x, weight, bias):\n    return x @ weight.T - bias\n"
F = "import torch\nimport torch.nn.functional as F\n"
DEF = "def linear_by_moves(x, weight, bias):\n"
LINEAR = f"{F}{DEF}    return F.linear(x, weight, bias)\n"


def body(*lines: str) -> str:
    return DEF + "".join(f"    {line}\n" for line in lines)


def forged(*operations: object) -> str:
    """Whatever is asked, the record has these operations."""
    return (
        f"import inside.submission as s\noperations = {[*operations]!r}\n"
        "s.recorded = lambda a, b, c: ({'returned': ['tensor', len(c)], "
        f"'operations': operations, 'names': []}}, [])\n{WRONG}"
    )


CHEATS: dict[str, str] = {
    # Patches.
    "patched allclose": f"{F}torch.allclose = lambda *a, **k: True\n{WRONG}",
    "patched equal": f"{F}torch.equal = torch.isclose = lambda *a, **k: True\n{WRONG}",
    "patched Tensor.__eq__": f"{F}torch.Tensor.__eq__ = lambda s, o: True\n{WRONG}",
    "patched numpy": f"import numpy as np\nnp.allclose = lambda *a, **k: True\n{WRONG}",
    "patched builtins": f"import builtins\nbuiltins.all = lambda *a: True\nbuiltins.any = lambda *a: False\n{WRONG}",
    "patched len": f"import builtins\nbuiltins.len = lambda *a: 1\n{WRONG}",
    "patched check": f"import classroom\nclassroom.check = lambda *a: True\n{WRONG}",
    "own check": f"def check(*a): return 'right.'\n{WRONG}check('linear-moves', 1)\n",
    "forged verdict": "class Right:\n    right = True\n    def __bool__(self): return True\n    def __repr__(self): return 'linear-moves: right.'\nlinear_by_moves = Right()\n",
    "patched json": f"import json\njson.dumps = lambda *a, **k: '{{\"right\": true}}'\n{WRONG}",
    "patched wire": f"import inside.wire as w\nw.encode = lambda *a: ['tensor', 0]\n{WRONG}",
    "patched recorder": f"import inside.submission as s\ns.recorded = lambda *a: ({{'returned': ['tensor', 0], 'operations': [], 'names': []}}, [])\n{WRONG}",
    "patched dispatch mode": f"import inside.record as r\nr.Record.__torch_dispatch__ = lambda s, f, t, a=(), k=None: f(*a, **(k or {{}}))\n{LINEAR}",
    # What is forbidden, called where nobody is to see it.
    "F.linear": LINEAR,
    "nn.Linear": f"{F}{body('layer = torch.nn.Linear(x.shape[1], len(bias))', 'layer.weight.data, layer.bias.data = weight, bias', 'return layer(x)')}",
    "aten.linear": f"{F}{body('return torch.ops.aten.linear(x, weight, bias)')}",
    "addmm": f"{F}{body('return torch.ops.aten.addmm(bias, x, weight.T)')}",
    "addmm in a closed mode": f"{F}from torch.utils._python_dispatch import _disable_current_modes\n{body('with _disable_current_modes():', '    return torch.addmm(bias, x, weight.T)')}",
    "linear in a closed mode": f"{F}from torch.utils._python_dispatch import _disable_current_modes\n{body('with _disable_current_modes(), torch._C.DisableTorchFunction():', '    return F.linear(x, weight, bias)')}",
    "no function mode": f"{F}{body('with torch._C.DisableTorchFunctionSubclass(), torch._C._DisableTorchDispatch():', '    return F.linear(x, weight, bias)')}",
    "popped modes": f"{F}from torch.utils import _python_dispatch as d\n{body('while torch._C._len_torch_dispatch_stack(): torch._C._pop_torch_dispatch_stack(None)', 'return F.linear(x, weight, bias)')}",
    "mkldnn linear": f"{F}{body('return torch.ops.aten.mkldnn_linear(x.to_mkldnn(), weight.to_mkldnn(), bias.to_mkldnn()).to_dense()')}",
    "mkldnn by another name": f"{F}{body('return torch.ops.mkldnn._linear_pointwise(x, weight, bias, chr(110) + chr(111) + chr(110) + chr(101), [], None)')}",
    "conv1d": f"{F}{body('return F.conv1d(x[:, :, None], weight[:, :, None], bias)[:, :, 0]')}",
    "mkldnn convolution": f"{F}{body('return torch.ops.aten.mkldnn_convolution(x[:, :, None, None], weight[:, :, None, None], bias, [0, 0], [1, 1], [1, 1], 1)[:, :, 0, 0]')}",
    "bilinear": f"{F}{body('return F.bilinear(x, torch.ones(len(x), 1), weight[:, :, None], bias)')}",
    "embedding bag": f"{F}{body('n = torch.arange(x.shape[1]).repeat(len(x), 1)', 'return F.embedding_bag(n, weight.T.contiguous(), per_sample_weights=x, mode=chr(115)+chr(117)+chr(109)) + bias')}",
    "jvp of linear": f"{F}{body('f = lambda v: F.linear(v, weight)', 'return torch.func.jvp(f, (x,), (x,))[1] + bias * 1', )}",
    "vmap of linear": f"{F}{body('return torch.func.vmap(lambda v: F.linear(v, weight, bias))(x)')}",
    "jit": f"{F}@torch.jit.script\ndef f(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor):\n    return torch.conv1d(x[:, :, None], w[:, :, None], b)[:, :, 0]\n{body('return f(x, weight, bias)')}",
    "autograd function": f"{F}class L(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x, w, b): return F.linear(x, w, b)\n    @staticmethod\n    def backward(ctx, g): return g, g, g\n{body('return L.apply(x, weight, bias)')}",
    "in a thread": f"{F}import threading\n{body('got = []', 't = threading.Thread(target=lambda: got.append(F.linear(x, weight, bias)))', 't.start()', 't.join()', 'return got[0]')}",
    "by numpy": f"import torch\n{body('return torch.from_numpy(x.numpy() @ weight.numpy().T + bias.numpy())')}",
    "by lists": f"import torch\n{body('w = weight.tolist()', 'return torch.tensor([[sum(a * b for a, b in zip(r, v)) for v in w] for r in x.tolist()]).reshape(len(x), len(w)) + bias')}",
    "in the data": f"{F}{body('y = torch.zeros(len(x), len(bias))', 'y.data.numpy()[...] = F.linear(x, weight, bias).numpy()', 'return y')}",
    "recorded outputs": f"{F}table = {{}}\n{body('key = tuple(x.flatten().tolist())', 'table.setdefault(key, torch.tensor((x.numpy() @ weight.numpy().T + bias.numpy()).tolist()).reshape(len(x), len(bias)))', 'return table[key].clone()')}",
    "written constants": f"{F}{body('y = F.linear(x, weight, bias).tolist()', 'z = torch.zeros(len(x), len(bias))', 'for i, row in enumerate(y):', '    for j, v in enumerate(row):', '        z[i, j] = v', 'return z + 0 * (x.sum() + weight.sum() + bias.sum())')}",
    # Types of their own.
    "own eq": "class Any(float):\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\nlinear_by_moves = lambda *a: Any()\n",
    "tensor subclass": f"import torch\nclass T(torch.Tensor):\n    def __eq__(self, other): return True\n    @classmethod\n    def __torch_function__(cls, f, t, a=(), k=None): return True\n{body('return (x @ weight.T - bias).as_subclass(T)')}",
    "lazy tensor": f"import torch\nclass T(torch.Tensor):\n    @property\n    def shape(self): return (2, 4)\n{body('return torch.zeros(1).as_subclass(T)')}",
    "own callable": "class C:\n    __globals__ = {}\n    def __call__(self, *a): return self\n    def __getattr__(self, n): return self\nlinear_by_moves = C()\n",
    "string": "linear_by_moves = 'b i, o i, o -> b o'\n",
    "long string": "linear_by_moves = 'b i, o i -> b o' * 100000\n",
    "deep list": "linear_by_moves = []\nfor _ in range(100000): linear_by_moves = [linear_by_moves]\n",
    "own str of an error": f"class E(Exception):\n    def __str__(self): return 1 / 0\n{body('raise E')}",
    "error named right": f"right = type('right.', (Exception,), {{}})\n{body('raise right(chr(110) * 10**7)')}",
    # References, solutions, seeds.
    "import exercises": "from classroom.exercises.linear import EXERCISES\nlinear_by_moves = EXERCISES['linear-moves'].reference\n",
    "import judge": "import classroom.judge\nlinear_by_moves = classroom.judge\n",
    "from frames": f"import sys\n{body('f = sys._getframe()', 'while f:', '    for v in f.f_locals.values():', '        if type(v).__name__ == chr(84) + chr(97) + chr(115) + chr(107): return v.reference(x, weight, bias)', '    f = f.f_back')}",
    "from gc": f"import gc\n{body('for o in gc.get_objects():', '    if type(o).__name__ in (chr(84) + chr(97) + chr(115) + chr(107),): return o.reference(x, weight, bias)')}",
    "from files": f"import glob\nfound = [p for p in glob.glob('/**/exercises/linear*', recursive=True)]\nassert found\nexec(open(found[0]).read())\n{WRONG}",
    "from proc": f"import glob\nfound = [open(p, 'rb').read() for p in glob.glob('/proc/*/environ')]\nassert found\n{WRONG}",
    "from another's files": "import pathlib\nlinear_by_moves = [p.read_text() for p in pathlib.Path('/').rglob('*.ipynb')][0]\n",
    "reads the seed": "import pathlib\nlinear_by_moves = [p.read_text() for p in pathlib.Path('/').rglob('seed')][0]\n",
    "library's layer": "import layerlib\nlinear_by_moves = layerlib.Linear\n",
    # Channels.
    "closed channel": f"import os\nfor n in range(3, 64):\n    try: os.close(n)\n    except OSError: pass\n{RIGHT}",
    "forged channel": f"import os\nos.write(3, b'\\0\\0\\0\\2\\0\\0\\0\\0' + b'{{}}')\n{RIGHT}",
    "forged answer": f"import os, json, struct\nt = json.dumps({{'found': {{'linear-moves': ['value', True]}}, 'cells': [], 'functions': []}}).encode()\nos.write(3, struct.pack('>II', len(t), 0) + t)\n{WRONG}",
    "forged record": f"import os, json, struct\n{body('t = json.dumps(dict(returned=[chr(116)+chr(101)+chr(110)+chr(115)+chr(111)+chr(114), 3], operations=[[chr(97)+chr(116)+chr(101)+chr(110)+chr(46)+chr(108)+chr(105)+chr(110)+chr(101)+chr(97)+chr(114)+chr(46)+chr(100)+chr(101)+chr(102), [], {{}}, True]], names=[])).encode()', 'os.write(3, struct.pack(chr(62)+chr(73)+chr(73), len(t), 0) + t)', 'return x')}",
    "huge message": f"import os\nos.write(3, b'\\xff' * 8)\n{RIGHT}",
    "pickle": f"import os, pickle, struct\nclass P:\n    def __reduce__(self): return (os.system, ('touch /tmp/hostile-pickle',))\nos.write(3, struct.pack('>II', 9, 200) + pickle.dumps(P()))\n{RIGHT}",
    "endless flood": "import os\nwhile True: os.write(3, b'\\0' * 65536)\n",
    "deep message": f"import os, struct\nt = b'[' * 100000\nos.write(3, struct.pack('>II', len(t), 0) + t)\n{RIGHT}",
    # Processes, memory, time.
    "fork bomb": "import os\nwhile True:\n    os.fork()\n",
    "fork": f"{body('import os', 'os.fork()', 'return x @ weight.T + bias')}",
    "left behind": f"import subprocess\nsubprocess.Popen(['sleep', '1000'])\n{WRONG}",
    "daemon": f"import os\nif os.fork() == 0:\n    os.setsid()\n    while True: pass\n{WRONG}",
    "thread left behind": f"import threading, time\nthreading.Thread(target=lambda: time.sleep(1000)).start()\n{WRONG}",
    "threads": "import threading, time\nwhile True: threading.Thread(target=lambda: time.sleep(1000)).start()\n",
    "memory": "x = []\nwhile True: x.append(bytearray(10**8))\n",
    "memory of torch": f"import torch\n{body('return torch.ones(10**6, 10**6)')}",
    "memory in a replay": f"import torch\n{body('return torch.ones(1).expand(10**6, 10**6)')}",
    "loop": "while True: pass\n",
    "loop in the answer": body("while True: pass"),
    "loop over operations": body("while True: x = x + 1"),
    "loop that catches all": body("while True:", "    try:", "        while True: pass", "    except BaseException: pass"),
    "sleep": "import time\ntime.sleep(1000)\n",
    "recursion": body("return linear_by_moves(x, weight, bias)"),
    "input": f"input()\n{WRONG}",
    "exit": "import os\nos._exit(0)\n",
    "exit in the answer": body("import os", "os._exit(0)"),
    "sys.exit": body("import sys", "sys.exit(0)"),
    "crash": body("import ctypes", "ctypes.string_at(0)"),
    "abort": body("import os", "os.abort()"),
    "kill all": body("import os", "os.kill(-1, 9)"),
    "kill the parent": body("import os", "os.kill(os.getppid(), 9)"),
    "signals": "import signal\nfor s in range(1, 32):\n    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: pass\n",
    "limits raised": f"import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))\n{WRONG}",
    # Files and the network.
    "writes outside": f"for p in ('/usr/hostile', '/book/hostile', '/etc/hostile', '/hostile', '/dev/shm/hostile', '/root/hostile'):\n    try: open(p, 'w').write('x')\n    except OSError: pass\n{WRONG}",
    "fills the disk": "with open('/tmp/big', 'wb') as f:\n    while True: f.write(b'0' * 10**6)\n",
    "many files": "n = 0\nwhile True:\n    open(f'/tmp/{n}', 'w').write('x' * 1000)\n    n += 1\n",
    "network": f"import socket\nsocket.create_connection(('127.0.0.1', 22), 1)\n{WRONG}",
    "unmount": f"import ctypes\nc = ctypes.CDLL(None)\nassert not c.umount2(b'/proc', 2)\n{WRONG}",
    "new namespaces": f"import ctypes\nassert not ctypes.CDLL(None).unshare(0x10000000)\n{WRONG}",
    "prints": "while True: print('x' * 10**6)\n",
    "stderr": "import sys\nwhile True: sys.stderr.write('x' * 10**6)\n",
    # Judged on inputs that the record itself has changed.
    "inputs made zero": f"{F}table = {{}}\n{body('y = torch.from_numpy(x.numpy() @ weight.numpy().T + bias.numpy())', 'same = 1.0', 'for z in (x, weight, bias):', '    kept = (z == torch.tensor(z.tolist()).reshape(z.shape)).all().to(z.dtype)', '    same = same * kept', '    z.mul_(kept)', 'return torch.tensor(y.tolist()).reshape(y.shape) * same')}",
    "inputs as an out": f"{F}{body('y = torch.from_numpy(x.numpy() @ weight.numpy().T + bias.numpy())', 'same = 1.0', 'for z in (x, weight, bias):', '    kept = (z == torch.tensor(z.tolist()).reshape(z.shape)).all().to(z.dtype)', '    same = same * kept', '    torch.mul(z, kept, out=z)', 'return torch.tensor(y.tolist()).reshape(y.shape) * same')}",
    # What memory was left with.
    "memory as it was left": f"{F}{body('return torch.zeros(0).resize_(len(x), len(bias))')}",
    "memory of another name": f"{F}{body('return torch.ops.aten.new_empty_strided(x, [len(x), len(bias)], [len(bias), 1])')}",
    "beyond the input": f"{F}{body('return torch.as_strided(x, (len(x), len(bias)), (len(bias), 1), 64)')}",
    # Records with what no operation is.
    "an attribute as an operation": forged(["aten.add.__setattr__", ["Tensor", "mul"], {}, True]),
    "a file as an operation": forged(["aten.from_file.default", ["/etc/passwd"], {}, True]),
    "many large sums": forged(["aten.ones.default", [["list", 4000, 4000]], {}, False], *[["aten.neg.default", [["tensor", 3]], {}, False]] * 5000),
    # Fused under other names.
    "baddbmm": f"{F}{body('return torch.baddbmm(bias, x[None], weight.T[None])[0]')}",
    "addmv by rows": f"{F}{body('return torch.stack([torch.addmv(bias, weight, r) for r in x]) if len(x) else x @ weight.T')}",
    # Memory that no limit of a process counts.
    "shared memory": f"import ctypes\nc = ctypes.CDLL(None)\nassert c.shmget(0, 2**30, 0o1600) >= 0\n{WRONG}",
    "files in memory": f"import os\nheld = [os.memfd_create('m') for _ in range(9)]\n{WRONG}",
    # What a page or a table would run.
    "a page's script": f"{body('raise ValueError(chr(60) + chr(115) + chr(99) + chr(114) + chr(105) + chr(112) + chr(116) + chr(62))')}",
    "half a character": body("raise ValueError(chr(0xd800))"),
    # The reader of the source.
    "a deep expression": f"x = {'-' * 50000}1\n{WRONG}",
    "a long expression": f"x = 1{' + 1' * 50000}\n{WRONG}",
    "an endless regular expression": f"# check('{'a' * 10**6}\n{WRONG}",
    # Holding on to the channel.
    "says that it runs": "import os, struct, time\nwhile True:\n    os.write(3, struct.pack('>II', 14, 0) + b'{\"running\": 0}'[:14])\n    time.sleep(0.01)\n",
}  # fmt: skip

ELSEWHERE: dict[str, tuple[str, str, str]] = {
    "attention by its kernel": (
        "attention-causal", "causal_attention",
        f"{F}def causal_attention(*a):\n    return torch.ops.aten._scaled_dot_product_attention_math(*a, is_causal=True)[0]\n",
    ),
    "a lookup as a bag": (
        "embedding-moves", "embedding_by_moves",
        f"{F}def embedding_by_moves(rows, table):\n    return F.embedding_bag(rows.argmax(2).reshape(-1, 1), table).unflatten(0, rows.shape[:2])\n",
    ),
    "a count as a liar": (
        "linear-count", "parameters",
        "class Liar(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\nparameters = Liar(1)\n",
    ),
    "a count as a function": ("linear-count", "parameters", "parameters = lambda: 101770\n"),
    "a count as a set of all": ("linear-count", "parameters", "parameters = set(range(200000))\n"),
    "a line of another": ("recipe-outer", "outer_line", "outer_line = 'b o, b i -> o i'\n"),
}  # fmt: skip


def notebook(*sources: str, identity: str = "linear-moves") -> bytes:
    cells = [
        {"cell_type": "code", "id": identity if i == 0 else f"cell-{i}", "source": source,
         "metadata": {}, "outputs": [], "execution_count": None}
        for i, source in enumerate(sources)
    ]  # fmt: skip
    told = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(told).encode()


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return out.getvalue()


def link() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        member = zipfile.ZipInfo("linear.ipynb")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(member, "/etc/passwd")
    return out.getvalue()


BROKEN: dict[str, tuple[str, bytes]] = {
    "broken json": ("linear.ipynb", notebook(RIGHT)[:-20]),
    "deep json": ("linear.ipynb", b"[" * 1_000_000),
    "empty file": ("linear.ipynb", b""),
    "a list": ("linear.ipynb", b"[1, 2]"),
    "cells of numbers": ("linear.ipynb", b'{"cells": [1, null, {"cell_type": "code"}]}'),
    "not a notebook": ("linear.ipynb", b"\x89PNG\r\n\x1a\n" + bytes(1000)),
    "too large": ("linear.ipynb", b" " * (20 * 2**20 + 1)),
    "no cells left": ("linear.ipynb", notebook()),
    "a zip bomb": ("all.zip", zipped(**{"linear.ipynb": bytes(60 * 2**20)})),
    "many in a zip": ("all.zip", zipped(**{f"{i}.ipynb": b"" for i in range(1001)})),
    "a broken zip": ("all.zip", zipped(**{"linear.ipynb": notebook(RIGHT)})[:-9]),
    "a link in a zip": ("all.zip", link()),
    "a zip without notebooks": ("all.zip", zipped(**{"readme.txt": b"hello"})),
    "nothing that is asked for": ("homework.ipynb", notebook("x = 1", identity="x")),
}  # fmt: skip


def write_all(folder: Path) -> None:
    """The whole corpus as a class: a folder for each."""
    made: dict[str, Callable[[Path], object]] = {
        name: lambda path, s=source: path.joinpath("linear.ipynb").write_bytes(
            notebook(s)
        )
        for name, source in CHEATS.items()
    }
    for name, (file, data) in BROKEN.items():
        made[name] = lambda path, f=file, d=data: path.joinpath(f).write_bytes(d)
    made["a link"] = lambda path: path.joinpath("linear.ipynb").symlink_to(
        "/etc/passwd"
    )
    for name, (exercise, _, source) in ELSEWHERE.items():
        made[name] = lambda path, s=source, e=exercise: path.joinpath(
            "other.ipynb"
        ).write_bytes(notebook(s, identity=e))
    for number, (name, write) in enumerate(made.items()):
        path = folder / f"{number:03} {name}"
        path.mkdir(parents=True)
        write(path)
