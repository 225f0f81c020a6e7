"""A rollout's card on the page: its buttons, pressed by the keyboard, and its texts."""

import json

from tests.support.tab import Tab

ENTER = 13
# The page lays out no card that nobody can see.
ALL_IN_SIGHT = """
document.querySelectorAll("article").forEach((each) => {
  each.style.contentVisibility = "visible";
})
"""


def _card(target: str) -> str:
    """The card of a target, in a script."""
    return f"""[...document.querySelectorAll("article")]
      .find((each) => each.querySelector("h3").textContent === "{target}")"""


def click(
    page: Tab, target: str, verb: str, reason: str, *, is_full: bool = False
) -> None:
    """Press a button, give the reason by the keyboard."""
    page.until(f"{_card(target)} !== undefined")
    button = f"""[...{_card(target)}.querySelectorAll("button")]
      .find((each) => each.textContent === "{verb}")"""
    page.until(f"{button} !== undefined")
    page.run(f"{button}.focus()")
    page.key("Enter", ENTER)
    page.until("document.activeElement.id === 'reason'")
    page.type(reason)
    if is_full:
        page.run("document.getElementById('full').click()")
    page.key("Enter", ENTER)


def says(page: Tab, target: str, *texts: str) -> None:
    """Wait until a card says all of it."""
    for text in texts:
        page.until(f"{_card(target)}?.innerText.includes({json.dumps(text)})")
