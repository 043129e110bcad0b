"""sweval tells social work whether it helps: scores, models and one effect-size table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweval import effects as effects
    from sweval.data.codebook import codebook as codebook
    from sweval.data.datasets import dataset as dataset
    from sweval.data.datasets import datasets as datasets
    from sweval.data.read import read as read
    from sweval.errors import SwevalError as SwevalError
    from sweval.models.base.reported import reported_effects as reported_effects
    from sweval.models.base.retest import retest as retest
    from sweval.models.cluster_robust import ClusterRobust as ClusterRobust
    from sweval.models.cluster_trial import ClusterTrial as ClusterTrial
    from sweval.models.growth import Growth as Growth
    from sweval.models.mixed_model import MixedModel as MixedModel
    from sweval.models.partially_nested import PartiallyNested as PartiallyNested
    from sweval.models.pre_post import PrePost as PrePost
    from sweval.models.reliable_change import ReliableChange as ReliableChange
    from sweval.models.single_case import SingleCase as SingleCase
    from sweval.models.synthesis import Synthesis as Synthesis
    from sweval.models.two_group import TwoGroup as TwoGroup
    from sweval.reporting import plots as plots
    from sweval.reporting.in_words import in_words as in_words
    from sweval.reporting.report import report as report
    from sweval.result import Estimate as Estimate
    from sweval.result import Result as Result
    from sweval.scoring.agreement import agreement as agreement
    from sweval.scoring.definition import instrument as instrument
    from sweval.scoring.definition import instruments as instruments
    from sweval.scoring.food_insecurity import food_insecurity as food_insecurity
    from sweval.scoring.goal_attainment import goal_attainment as goal_attainment
    from sweval.scoring.key_audit import KeyAudit as KeyAudit
    from sweval.scoring.key_audit import audit_key as audit_key
    from sweval.scoring.reliability import reliability as reliability
    from sweval.scoring.score import score as score
    from sweval.scoring.score import score_with_notes as score_with_notes
    from sweval.study import Study as Study

__version__ = "0.1.0"

_HOME = {
    "read": "sweval.data.read",
    "codebook": "sweval.data.codebook",
    "dataset": "sweval.data.datasets",
    "datasets": "sweval.data.datasets",
    "instrument": "sweval.scoring.definition",
    "instruments": "sweval.scoring.definition",
    "score": "sweval.scoring.score",
    "score_with_notes": "sweval.scoring.score",
    "agreement": "sweval.scoring.agreement",
    "goal_attainment": "sweval.scoring.goal_attainment",
    "reliability": "sweval.scoring.reliability",
    "audit_key": "sweval.scoring.key_audit",
    "KeyAudit": "sweval.scoring.key_audit",
    "retest": "sweval.models.base.retest",
    "food_insecurity": "sweval.scoring.food_insecurity",
    "reported_effects": "sweval.models.base.reported",
    "in_words": "sweval.reporting.in_words",
    "report": "sweval.reporting.report",
    "Estimate": "sweval.result",
    "Result": "sweval.result",
    "Study": "sweval.study",
    "SwevalError": "sweval.errors",
}
_MODULES = {"effects": "sweval.effects", "plots": "sweval.reporting.plots"}


def _designs() -> dict[str, str]:
    """Return class name -> module for every file in models/; the file `cluster_trial` holds `ClusterTrial`."""
    from pkgutil import iter_modules

    folders = [f"{path}/models" for path in __path__]
    stems = sorted(found.name for found in iter_modules(folders) if not found.ispkg)
    return {stem.title().replace("_", ""): f"sweval.models.{stem}" for stem in stems}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import sweval` stays light (PEP 562)."""
    from importlib import import_module

    if name in _MODULES:
        return import_module(_MODULES[name])
    home = _HOME.get(name) or (_designs().get(name) if name[:1].isupper() else None)
    if home is None:
        raise AttributeError(f"module 'sweval' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*_HOME, *_MODULES, *_designs(), "__version__"])
