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
        tree = Path(folder) / "assets"
        tree.mkdir()
        # The wire's types are named by their place in the sources, which has the same depth as the address.
        protocol = ROOT / "chat" / "protocol"
        links = {tree / name: root for name, root in roots.items()}
        links |= {tree / "protocol": protocol, tree.parent / "protocol": protocol, tree.parent / "chat": ROOT / "chat"}
        for link, target in links.items():
            link.symlink_to(target, target_is_directory=True)
        settings = {
            "extends": str(BROWSER_TESTS / "tsconfig.json"),
            "compilerOptions": {"preserveSymlinks": True},
            "include": [f"./{name}/**/*" for name in roots],
        }
        (tree / "tsconfig.json").write_text(json.dumps(settings))
        tsc = NODE_MODULES / "typescript" / "bin" / "tsc"
        code, output = run([node(), str(tsc), "--pretty", "false", "-p", "."], cwd=tree)
    for name, root in roots.items():
        output = re.sub(rf"^{name}/", f"{root.relative_to(ROOT)}/", output, flags=re.MULTILINE)
    return Verdict.of_findings([output]) if code else Verdict(1, 0)
