"""`dashboard`: start the page's server, where its packages are installed."""

from scripts.rollout.errors import Exit, RolloutError
from scripts.rollout.traffic.port import Place


def start(place: Place, places: list[bool], port: int, *, is_read_only: bool) -> Exit:
    """Serve the page until ^C. Raises RolloutError."""
    try:
        from scripts.rollout.dashboard.server import dashboard
    except ModuleNotFoundError as error:  # as in the promoter's image
        extra = "pip install 'intent-classifier[dashboard]'"
        raise RolloutError(f"dashboard needs {error.name}: {extra}") from error
    return dashboard(place, places, port, is_read_only=is_read_only)
