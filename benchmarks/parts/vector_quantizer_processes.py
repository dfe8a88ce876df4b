"""Runs each cell of the vector-quantiser benchmark in a fresh process."""

import json
import os
import subprocess
import sys
from pathlib import Path

from parts.measuring import one_thread

HERE = Path(__file__).resolve().parents[1]  # the scripts
PEER_MODULES = {"faiss": "faiss", "vqp": "vector_quantize_pytorch"}
PACKAGES = {"faiss": "faiss-cpu", "vqp": "vector-quantize-pytorch"}


class Processes:
    """Starts the processes.

    Args:
        peer_python: interpreter for the peers that this one cannot import, or `None`.
        folder: where layers lie between processes.

    Attributes:
        peers: `{"faiss": name and version or None, "vqp": ...}`.
    """

    def __init__(self, peer_python, folder):
        self.folder = folder
        self.pythons, self.peers = {}, {}
        for peer in PEER_MODULES:
            self.pythons[peer], self.peers[peer] = find_peer(peer, [sys.executable, peer_python])

    def has(self, cell) -> bool:
        """Whether the library of a cell is installed."""
        return self.peers.get(cell.split("_")[0], "keras_ae") is not None

    def run(self, cell, vectors, codes, seconds):
        """The row of a cell; `None`, and a line that says so, where its process fails."""
        peer = self.pythons.get(cell.split("_")[0])
        if peer:
            return _row([peer, HERE / "vector_quantizer_peers.py", cell, vectors, codes, seconds])
        cells = [sys.executable, HERE / "vector_quantizer_cells.py"]
        if cell == "step":
            return _row([*cells, cell, vectors, codes, seconds])
        layer = self.folder / f"{codes}.keras"
        if not layer.is_file():
            _run([*cells, "start", codes, layer])
        return _row([*cells, cell, vectors, seconds, layer])


def find_peer(peer, pythons):
    """The first interpreter that imports a peer, and the peer's name and version; `None` twice if none."""
    code = f"import importlib.metadata as m, {PEER_MODULES[peer]}; print(m.version({PACKAGES[peer]!r}))"
    for python in filter(None, pythons):
        found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return python, f"{PACKAGES[peer]} {found.stdout.split()[-1]}"
    return None, None


def _row(command):
    process = _run(command)
    return json.loads(process.stdout.splitlines()[-1]) if process.returncode == 0 else None


def _run(command):
    root = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))
    words = [str(word) for word in command]
    environment = {**one_thread(), "PYTHONPATH": root}  # what is measured is this checkout
    process = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if process.returncode:
        lines = process.stderr.strip().splitlines() or [f"ended by signal {-process.returncode}"]
        print(f"failed: {' '.join(words[2:])}: {lines[-1]}", file=sys.stderr)
    return process
