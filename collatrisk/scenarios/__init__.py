"""Scenarios: the catalogue as data, the instantaneous shock, the replay of history and the stressed model."""

from collatrisk.scenarios.paths import ScenarioPaths, TablePaths
from collatrisk.scenarios.reader import load_catalogue, load_proxies, load_scenario, parse_scenario
from collatrisk.scenarios.records import Arrival, Number, Proxy, StressedModel, Window
from collatrisk.scenarios.replaying import replay
from collatrisk.scenarios.scenario import ResolvedShocks, Scenario
from collatrisk.scenarios.stressing import stressed_model, stressed_text

__all__ = [
    "Arrival",
    "Number",
    "Proxy",
    "ResolvedShocks",
    "Scenario",
    "ScenarioPaths",
    "StressedModel",
    "TablePaths",
    "Window",
    "load_catalogue",
    "load_proxies",
    "load_scenario",
    "parse_scenario",
    "replay",
    "stressed_model",
    "stressed_text",
]
