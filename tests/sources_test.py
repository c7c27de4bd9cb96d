#!/usr/bin/python3
"""Every C file is built: the lists in meson.build name them all, tests too.

Usage: sources_test.py BUILD_DIRECTORY
"""
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ["libcommon", "services", "ctl", "verify", "witness"]


def main(build):
    told = subprocess.run(["meson", "introspect", "--targets", build], check=True, capture_output=True, text=True)
    built = {Path(source).resolve() for target in json.loads(told.stdout) for part in target["target_sources"]
             for source in part.get("sources", [])}
    forgotten = [path.relative_to(ROOT) for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.c")) if path not in built]
    for path in forgotten:
        print(f"{path} is in no list of a meson.build")
    return 1 if forgotten else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
