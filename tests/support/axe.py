"""axe-core, which looks for what keeps people from reading a page."""

from importlib import resources
from typing import Any

from tests.support.tab import Tab

RUN = """
axe.run({ resultTypes: ["violations"] }).then((found) => found.violations.map(
  (each) => [each.id, each.help, each.nodes.map((node) => node.target.join(" "))]))
"""


def violations(tab: Tab) -> Any:
    """What axe-core finds on the page that a tab shows."""
    script = resources.files("axe_core_python").joinpath("axe.min.js")
    tab.run(f"{script.read_text(encoding='utf-8')}\n;0")
    return tab.run(RUN)
