"""Export a bundle's network: models/model.ts (MONAI Deploy), model.pt2 (torch.export), on wish model.onnx.

    python tools/export_bundle.py [BUNDLE] [--onnx]

Every form is checked against the network before anything is written, then hashes.json is written anew. The same weights
give the same bytes. Without BUNDLE, the prostate bundle of this checkout.
"""

import argparse
import os
import sys
from pathlib import Path

from prostate_alm.bundle import find_bundle
from prostate_alm.bundle.export import export_bundle
from prostate_alm.errors import UserError


def main() -> None:
    """Export, and print each file with its size and largest difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", type=Path, help="the bundle's folder")
    parser.add_argument("--onnx", action="store_true", help="write models/model.onnx too")
    given = parser.parse_args()
    bundle: Path = given.bundle or find_bundle("prostate_dce_classification")
    try:
        differences = export_bundle(bundle, onnx=given.onnx)
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
    for name, difference in differences.items():
        path = bundle / "models" / name
        print(f"{name}: {path.stat().st_size} bytes, logits differ by at most {difference:.1e}")


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # TorchScript writes sets of names in the order of their hashes
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"PYTHONHASHSEED": "0"})
    main()
