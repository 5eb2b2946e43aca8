"""Write tests/golden/ again: only for a deliberate change of the wire, see tests/golden/README.md."""

from __future__ import annotations

from pathlib import Path

from tests.wire.samples import GOLDEN

FOLDER = Path(__file__).parents[1] / "golden"


def main():
    for name, data in GOLDEN.items():
        (FOLDER / f"{name}.json").write_bytes(data)


if __name__ == "__main__":
    main()
