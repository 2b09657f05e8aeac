"""Is a bundle safe to run? Judges its configs against an allow-list, without evaluating or importing anything of it.

    python tools/check_bundle.py bundles/* runs/first/bundle

One line for each finding: file, key and reason. Exit code 0 if there is none, 8 otherwise.
"""

import argparse
import sys
from pathlib import Path

from prostate_alm.bundle.static import static_findings
from prostate_alm.errors import IntegrityError


def main() -> int:
    """Print the findings; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="+", type=Path, help="a bundle's folder")
    found = [(folder, finding) for folder in parser.parse_args().bundle for finding in static_findings(folder)]
    for folder, finding in found:
        print(f"{folder.name}: {finding}")
    return IntegrityError.exit_code if found else 0


if __name__ == "__main__":
    sys.exit(main())
