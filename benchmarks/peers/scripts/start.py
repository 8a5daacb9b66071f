"""What a package costs before it does anything: FILES MODULE; the last line is JSON."""

import json
import subprocess
import sys
import time
from pathlib import Path

TURNS = 5


def main() -> None:
    """Prints the seconds of an import in a new process, and the megabytes of its environment."""
    module = sys.argv[-1]
    times = []
    for _ in range(TURNS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    installed = [path for path in Path(sys.prefix).rglob("*") if not path.is_symlink()]
    megabytes = sum(path.stat().st_size for path in installed if path.is_file()) / 1e6
    print(json.dumps({"seconds of import": min(times), "MB installed": megabytes}))


if __name__ == "__main__":
    main()
