"""A report as headless Chromium shows it (Debian's package `chromium`)."""

import html
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

DARK, LIGHT = 0, 1
LOOK = """
const style = window.getComputedStyle(page.body);
return {
  ink: style.color, paper: style.backgroundColor,
  overflow: page.documentElement.scrollWidth - page.documentElement.clientWidth,
  ran: page.documentElement.dataset.ran ?? "", said: page.body.innerText,
  plots: [...page.querySelectorAll("figure")].map((figure) => ({
    title: figure.querySelector("h2").textContent,
    lines: figure.querySelectorAll("svg path[d]").length,
    words: [...figure.querySelectorAll("svg text")].map((each) => each.textContent),
    width: figure.querySelector("svg").getBoundingClientRect().width,
    tip: figure.querySelector(".plot").lastElementChild.textContent,
    smallest: Math.min(...[...figure.querySelectorAll("svg text")]
      .map((each) => parseFloat(window.getComputedStyle(each).fontSize))),
  })),
};
"""
HOVER = """
for (const svg of page.querySelectorAll(".plot svg")) {
  const { left, top, width, height } = svg.getBoundingClientRect();
  const middle = { clientX: left + width / 2, clientY: top + height / 2 };
  svg.dispatchEvent(new window.MouseEvent("mousemove", { ...middle, bubbles: true }));
}
"""
TITLES = [
    *("Weight", "errors", "latency", "Evidence against the canary"),
    *("Evidence for the next weight", "Latency", "Predicted labels"),
]
FRAME = """<!doctype html>
<iframe style="border: 0; width: {width}px; height: 6000px" srcdoc="{page}"></iframe>
<script>
addEventListener("load", () => setTimeout(() => {{
  const frame = document.querySelector("iframe");
  const page = frame.contentDocument, window = frame.contentWindow;
  {hover}
  setTimeout(() => {{
    const seen = (() => {{ {look} }})();
    document.body.textContent = "seen:" + JSON.stringify(seen) + ":seen";
  }}, 500);
}}, 500));
</script>"""


def look(page: str, width: int, scheme: int, folder: Path) -> Any:
    """What LOOK finds in a report at a width, a mouse over each plot; no message."""
    framed = folder / "framed.html"
    scripts = {"hover": HOVER, "look": LOOK}
    framed.write_text(FRAME.format(width=width, page=html.escape(page), **scripts))
    said = _chromium(
        framed, "--dump-dom", f"--blink-settings=preferredColorScheme={scheme}"
    )
    found = html.unescape(said.stdout).partition("seen:")[2].partition(":seen")[0]
    assert found, said.stderr
    assert "CONSOLE" not in said.stderr, said.stderr
    return json.loads(found)


def printed(page: Path) -> str:
    """The text of the page on paper."""
    paper = page.with_suffix(".pdf")
    _chromium(page, f"--print-to-pdf={paper}")
    done = subprocess.run(["pdftotext", paper, "-"], capture_output=True, check=True)
    return done.stdout.decode()


def program() -> str:
    """Chromium's; fails in CI where it is not installed."""
    found = shutil.which("chromium")
    if found is None:
        missing = "needs Debian's packages chromium and poppler-utils"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def _chromium(page: Path, *flags: str) -> "subprocess.CompletedProcess[str]":
    alone = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr")
    profile = f"--user-data-dir={page.parent / 'profile'}"
    command = [
        program(),
        *alone,
        profile,
        "--virtual-time-budget=5000",
        *flags,
        page.as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)
