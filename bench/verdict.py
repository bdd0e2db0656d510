"""A figure beside the bar that it has to meet, in one line."""

MET, MISSED = "met   ", "MISSED"


def at_most(what: str, figure: float, bar: float, unit: str) -> bool:
    """Print a figure that must not be above its bar, and whether it is."""
    return _tell(what, figure, f"at most {bar:g} {unit}", unit, met=figure <= bar)


def at_least(what: str, figure: float, bar: float, unit: str) -> bool:
    """Print a figure that must not be below its bar, and whether it is."""
    return _tell(what, figure, f"at least {bar:g} {unit}", unit, met=figure >= bar)


def _tell(what: str, figure: float, bar: str, unit: str, *, met: bool) -> bool:
    shown = f"{figure:.4g}" if abs(figure) < 1_000 else f"{figure:,.0f}"
    print(f"{MET if met else MISSED} {what}: {shown} {unit} (bar: {bar})", flush=True)
    return met
