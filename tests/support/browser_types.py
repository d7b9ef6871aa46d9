"""`tsc --checkJs --strict` over all browser code.

Modules import each other by their addresses (`../shared/strings.js`), so the check runs in a folder of links that looks
as `/assets/<digest>/` does.
"""

import json
import re
import tempfile
from pathlib import Path

from tests.support.needs import BROWSER_TESTS, NODE_MODULES, need_npm_packages, node
from tests.support.roots import asset_roots
from tests.support.steps import ROOT, Verdict, run


def check_browser_types() -> Verdict:
    need_npm_packages()
    roots = asset_roots()
    with tempfile.TemporaryDirectory(dir=NODE_MODULES, prefix=".assets-") as folder:
        tree = Path(folder)
        for name, root in roots.items():
            (tree / name).symlink_to(root, target_is_directory=True)
        settings = {
            "extends": str(BROWSER_TESTS / "tsconfig.json"),
            "compilerOptions": {"preserveSymlinks": True},
            "include": [f"./{name}/**/*" for name in roots],
        }
        (tree / "tsconfig.json").write_text(json.dumps(settings))
        code, output = run(
            [node(), str(NODE_MODULES / "typescript" / "bin" / "tsc"), "--pretty", "false", "-p", "."], cwd=tree
        )
    for name, root in roots.items():
        output = output.replace(f"\n{name}/", f"\n{root}/") if code else output
    return Verdict.of_findings([output]) if code else Verdict(1, 0)
