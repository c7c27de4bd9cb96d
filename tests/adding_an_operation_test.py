#!/usr/bin/python3
"""docs/adding-an-operation.md is true: its blocks, put where it says into a copy of the tree, build and pass."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "adding-an-operation.md"
BLOCK = re.compile(r"^<!-- (?P<path>\S+) (?:(?P<where>above|below) \"(?P<line>[^\n]*)\"|at the end) -->\n```\w+\n(?P<text>.*?)^```$",
                   re.MULTILINE | re.DOTALL)
LEFT_OUT = shutil.ignore_patterns(".git", "build*", "node_modules", "dist", ".manabiya", "__pycache__", "schema.d.ts", "recorded.*.json")
OF_BUILDS = (".manabiya", ".vite", ".vite-temp")
TARGETS = ["services/manabiya-provisioning", "services/provisioning_org_test", "services/manabiya-auth", "ctl/manabiyactl",
           "proto/openapi.json", "proto/gateway_routes.c"]


def put(tree, block):
    """Insert the block's text into its file."""
    path = tree / block["path"]
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    at = len(lines)
    if block["where"]:
        at = lines.index(block["line"] + "\n") + (block["where"] == "below")
        assert lines.count(block["line"] + "\n") == 1, f"{block['line']!r} stands in {block['path']} more than once"
    lines[at:at] = [block["text"]]
    path.write_text("".join(lines), encoding="utf-8")


def run(*command, cwd):
    return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


class AddingAnOperation(unittest.TestCase):
    def test_the_page_is_true(self):
        blocks = [match.groupdict() for match in BLOCK.finditer(PAGE.read_text(encoding="utf-8"))]
        schema, *code = blocks
        self.assertEqual({block["path"] for block in blocks},
                         {"proto/provisioning.yaml", "services/provisioning/org.c", "services/provisioning/org_test.c"})
        with tempfile.TemporaryDirectory(prefix="adding-") as directory:
            tree, build = Path(directory) / "tree", Path(directory) / "build"
            shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
            self.succeed("meson", "setup", build, tree, cwd=directory)
            put(tree, schema)
            done = run("ninja", "-C", build, "services/manabiya-provisioning", cwd=tree)
            self.assertNotEqual(done.returncode, 0, "a missing handler must not link")
            self.assertRegex(done.stdout, "undefined reference to .provisioning_org_update'")
            for block in code:
                put(tree, block)
            self.succeed("ninja", "-C", build, *TARGETS, cwd=tree)
            self.check_generated(build)
            self.succeed("/usr/bin/python3", "-B", tree / "tools" / "access_matrix.py", cwd=tree)
            self.assertIn("`org_update`", (tree / "docs" / "access-matrix.md").read_text(encoding="utf-8"))
            done = self.succeed(tree / "tests" / "with-services", "--build", build, "meson", "test", "-C", build,
                                "--no-rebuild", "--verbose", "provisioning-org", cwd=tree)
            self.assertIn("a_school_is_renamed_by_its_own_contractor", done.stdout)
            self.check_web(tree / "web")

    def succeed(self, *command, cwd):
        done = run(*map(str, command), cwd=cwd)
        self.assertEqual(done.returncode, 0, f"{command[0]}:\n{done.stdout[-6000:]}")
        return done

    def check_web(self, web):
        """The client keeps all its own checks with the new operation, which readers of the log see by its title."""
        packages = ROOT / "web" / "node_modules"
        if not packages.is_dir():
            self.succeed(ROOT / "tools" / "build", "web", cwd=ROOT)
        (web / "node_modules").mkdir()  # its own: a build leaves things in it
        for package in packages.iterdir():
            if package.name not in OF_BUILDS:
                (web / "node_modules" / package.name).symlink_to(package)
        folder = self.succeed(ROOT / "tools" / "node", cwd=ROOT).stdout.split()[-1]
        self.succeed("env", f"PATH={folder}{os.pathsep}{os.environ['PATH']}", "npm", "run", "check", cwd=web)
        recorded = json.loads((web / "src" / "api" / "recorded.ja.json").read_text(encoding="utf-8"))
        self.assertEqual(recorded["provisioning.org_update"], "学校名の変更")
        self.assertTrue(any("学校名の変更" in path.read_text(encoding="utf-8") for path in (web / "dist").rglob("*.js")))

    def check_generated(self, build):
        bundle = json.loads((build / "proto" / "openapi.json").read_text(encoding="utf-8"))
        self.assertEqual(bundle["paths"]["/v1/orgs/{orgId}"]["patch"]["operationId"], "provisioning_org_update")
        self.assertIn('.path = "/v1/orgs/{orgId}"', (build / "proto" / "gateway_routes.c").read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()
