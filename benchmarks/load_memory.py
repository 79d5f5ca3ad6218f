"""Peak memory of loading a checkpoint in half precision, in bytes a parameter.

    python benchmarks/load_memory.py --architecture ViT-B-32

Weights are random. A process of its own loads them; what it held before it began is taken off.
"""

import argparse
import multiprocessing
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Save random weights in both file forms and load each."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", default="ViT-B-32")
    architecture = parser.parse_args().architecture
    model = open_clip.create_model(architecture, pretrained=None)
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    count = sum(value.numel() for value in weights.values())
    with tempfile.TemporaryDirectory() as scratch:
        files = Path(scratch, "weights.safetensors"), Path(scratch, "weights.pt")
        save_file(weights, files[0])
        torch.save(weights, files[1])
        del model, weights
        for file in files:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                peak = pool.apply(_peak, (architecture, file))
            sys.stdout.write(
                f"{architecture}, {file.suffix}: {peak / count:.2f} bytes a parameter\n"
            )


def _peak(architecture: str, weights: Path) -> int:
    """Bytes by which loading raises the most that this process ever held."""
    import tuni.model.checkpoint
    import tuni.model.open_clip  # noqa: F401  # what is imported is no part of loading
    from tuni.model.load import load_target

    before = _most()
    load_target(architecture=architecture, weights=weights)
    return _most() - before


def _most() -> int:
    """The most memory that this process ever held, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


if __name__ == "__main__":
    main()
