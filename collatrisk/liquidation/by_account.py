"""What the outcomes of margin runs and of auctions share: one row of folded results an account, and the book last."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.market.clock import Clock
from collatrisk.risk import (
    Estimate,
    Moments,
    TailSketch,
    check_levels,
    estimate_expected_shortfall,
    estimate_mean,
    estimate_probability,
    estimate_value_at_risk,
)

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
BOOK = "book"
SUMMARY_LEVEL = 0.99


class Folded(Protocol):
    """The folded results of a run, one row an account and the book last if there are several.

    Attributes
    ----------
    counts : int64 (n_rows, n_events, n_steps + 1), paths by step of the first occurrence.
    moments : by row and metric. tails : by row and tail metric.
    amounts : float64 (n_rows, n_paths, n_metrics); events : int32 (n_rows, n_paths, n_events), first steps or -1; None
        unless the paths were kept.
    metrics, tail_metrics : the names of the quantities, and of those with tails.
    """

    @property
    def counts(self) -> NDArray[np.int64]: ...
    @property
    def moments(self) -> tuple[tuple[Moments, ...], ...]: ...
    @property
    def tails(self) -> tuple[tuple[TailSketch, ...], ...]: ...
    @property
    def amounts(self) -> FloatArray | None: ...
    @property
    def events(self) -> NDArray[np.int32] | None: ...
    @property
    def metrics(self) -> tuple[str, ...]: ...
    @property
    def tail_metrics(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True, repr=False)
class AccountView(ABC):
    """What happened to one account over all paths, or to the whole book.

    Attributes
    ----------
    name : of the account, or ``"book"``. currency : of the amounts. n_paths : number of paths.
    times : float64 (n_steps + 1,), days of the clock.
    """

    title: ClassVar[str]
    event_names: ClassVar[tuple[str, ...]]

    name: str
    currency: str
    clock: Clock
    times: FloatArray
    n_paths: int
    overlap: int
    seed: int
    row: int
    data: Folded

    @abstractmethod
    def estimates(self, level: float = SUMMARY_LEVEL) -> dict[str, Estimate]:
        """The main numbers."""

    def summary(self, level: float = SUMMARY_LEVEL) -> pd.DataFrame:
        """`estimates` as a table: one row a quantity; value, 95 % bounds, standard error, method."""
        import pandas as pd

        rows = {name: (e.value, *e.ci(), e.standard_error, e.method) for name, e in self.estimates(level).items()}
        columns = ["value", "low", "high", "standard_error", "method"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("quantity")

    def values(self, metric: str) -> FloatArray:
        """The quantity on every path, float64 (n_paths,). Needs ``keep="paths"``."""
        problems = Problems(self.title)
        problems.choice("metric", metric, self.data.metrics)
        self._check_kept(problems)
        assert self.data.amounts is not None
        return np.ascontiguousarray(self.data.amounts[self.row, :, self.data.metrics.index(metric)])

    def steps(self, event: str) -> NDArray[np.int32]:
        """The step of the first occurrence on every path, -1 if never, int32 (n_paths,). Needs ``keep="paths"``."""
        problems = Problems(self.title)
        problems.choice("event", event, self.event_names)
        self._check_kept(problems)
        assert self.data.events is not None
        return np.ascontiguousarray(self.data.events[self.row, :, self.event_names.index(event)])

    def to_frame(self) -> pd.DataFrame:
        """One row a path: day of the first occurrence of each event (NaN: never) and every quantity.

        Raises
        ------
        InputError : unless the run kept its paths.
        """
        import pandas as pd

        columns: dict[str, FloatArray] = {}
        for event in self.event_names:
            steps = self.steps(event)
            columns[f"{event}_day"] = np.where(steps < 0, np.nan, self.times[np.maximum(steps, 0)])
        columns |= {metric: self.values(metric) for metric in self.data.metrics}
        return pd.DataFrame(columns, index=pd.RangeIndex(self.n_paths, name="path"))

    def _probability(self, event: str, horizon_days: float | None, at_end: tuple[str, ...] = ()) -> Estimate:
        """`probability`; events in `at_end` are judged at the end of the run only."""
        problems = Problems("probability")
        problems.choice("event", event, self.event_names)
        last = len(self.times) - 1
        steps = last if horizon_days is None else self.clock.steps(horizon_days, "horizon_days")
        inside = f"must be at most the {self.times[-1]:g} days of the run"
        problems.check(steps <= last, "horizon_days", horizon_days, inside, "simulate longer paths")
        if not problems.found and event in at_end and steps < last:
            rule = f"{event} is judged at the end of the run"
            problems.add("horizon_days", horizon_days, rule, "give run_margin(..., horizon_days=...) instead")
        problems.raise_if_any()
        hits = int(self.data.counts[self.row, self.event_names.index(event), : steps + 1].sum())
        return estimate_probability(hits, self.n_paths, overlap=self.overlap)

    def _mean(self, metric: str, floor: float) -> Estimate:
        """The mean of a known quantity that cannot fall below `floor`."""
        if self.overlap > 1:
            return estimate_mean(self.values(metric), overlap=self.overlap, seed=self.seed, floor=floor)
        return self.data.moments[self.row][self.data.metrics.index(metric)].estimate(floor=floor)

    def _check_tail(self, measure: str, metric: str, level: float) -> None:
        kept = self.data.amounts is not None
        problems = Problems(measure)
        streamed = not kept and isinstance(metric, str)
        if streamed and metric in self.data.metrics and metric not in self.data.tail_metrics:
            problems.add("metric", metric, "has no streamed tail", "run with keep='paths'")
        else:
            problems.choice("metric", metric, self.data.metrics if kept else self.data.tail_metrics)
        check_levels(level, problems)
        problems.raise_if_any()

    def _tail(self, measure: str, metric: str, level: float, floor: float, *, lower: bool = False) -> Estimate:
        """VaR or ES of a checked quantity; with `lower` of the quantity with its sign turned, as its tails are kept."""
        if self.data.amounts is not None:
            losses = -self.values(metric) if lower else self.values(metric)
            if measure == "value_at_risk":
                return estimate_value_at_risk(losses, level, overlap=self.overlap, seed=self.seed)
            return estimate_expected_shortfall(losses, level, overlap=self.overlap, seed=self.seed, floor=floor)
        sketch = self.data.tails[self.row][self.data.tail_metrics.index(metric)]
        if measure == "value_at_risk":
            return sketch.estimate_value_at_risk(level)
        return sketch.estimate_expected_shortfall(level, floor=floor)

    def _check_kept(self, problems: Problems) -> None:
        kept = self.data.amounts is not None
        problems.check(kept, "keep", "summary", "this run kept no paths", "run with keep='paths'")
        problems.raise_if_any()

    @abstractmethod
    def probability(self, event: str, horizon_days: float | None = None) -> Estimate:
        """The probability that an event happens by `horizon_days` (None: by the end of the run)."""

    @abstractmethod
    def mean(self, metric: str) -> Estimate:
        """The mean of a quantity over all paths."""

    @abstractmethod
    def value_at_risk(self, metric: str, level: float = 0.99) -> Estimate:
        """Value at risk of a quantity: the order statistic ceil(n x level) of the amounts."""

    @abstractmethod
    def expected_shortfall(self, metric: str, level: float = 0.99) -> Estimate:
        """Expected shortfall of a quantity: the Acerbi-Tasche tail mean; as `value_at_risk` otherwise."""

    def __repr__(self) -> str:
        events = ", ".join(f"{event} {self.probability(event)}" for event in self.event_names)
        return f"{type(self).__name__}({self.name!r}, {self.n_paths} paths, {self.times[-1]:g} days: {events})"

    def _repr_html_(self) -> str:
        rows = [(name, estimate.format()) for name, estimate in self.estimates().items()]
        caption = f"{self.name}: {self.n_paths:,} paths, {self.times[-1]:g} days, amounts in {self.currency}"
        return html_table(("quantity", "estimate [95 % interval]"), rows, caption)


View = TypeVar("View", bound=AccountView)


class ByAccount(ABC, Generic[View]):
    """Outcomes of a run by account: the fields belong to the dataclasses that inherit from this."""

    __slots__ = ()

    accounts: tuple[str, ...]
    times: FloatArray
    n_paths: int
    findings: tuple[Finding, ...]

    @abstractmethod
    def _view(self, row: int, name: str) -> View:
        """The account, or the book, in a row of the folded results."""

    @property
    def book(self) -> View:
        """All accounts together."""
        return self._view(len(self.accounts) if len(self.accounts) > 1 else 0, BOOK)

    def __getitem__(self, account: str | int) -> View:
        """One account by name or number.

        Raises
        ------
        InputError : for an unknown name or number.
        """
        problems = Problems(type(self).__name__)
        if isinstance(account, (int, np.integer)):
            rule = f"must be a number from 0 to {len(self.accounts) - 1}"
            problems.check(0 <= account < len(self.accounts), "account", account, rule, "or give the account's name")
        else:
            problems.choice("account", account, self.accounts)
        problems.raise_if_any()
        row = int(account) if isinstance(account, (int, np.integer)) else self.accounts.index(account)
        return self._view(row, self.accounts[row])

    def __iter__(self) -> Iterator[View]:
        return (self[row] for row in range(len(self.accounts)))

    def __len__(self) -> int:
        return len(self.accounts)

    def probability(self, event: str, account: str | int | None = None, horizon_days: float | None = None) -> Estimate:
        """`probability` of one account, which may be left out when there is only one."""
        return self._of(account).probability(event, horizon_days)

    def value_at_risk(self, metric: str, level: float = 0.99, account: str | int | None = None) -> Estimate:
        """`value_at_risk` of one account, which may be left out when there is only one."""
        return self._of(account).value_at_risk(metric, level)

    def expected_shortfall(self, metric: str, level: float = 0.99, account: str | int | None = None) -> Estimate:
        """`expected_shortfall` of one account, which may be left out when there is only one."""
        return self._of(account).expected_shortfall(metric, level)

    def mean(self, metric: str, account: str | int | None = None) -> Estimate:
        """`mean` of one account, which may be left out when there is only one."""
        return self._of(account).mean(metric)

    def summary(self, level: float = SUMMARY_LEVEL) -> pd.DataFrame:
        """The main numbers of every account, and of the book if there are several: (account, quantity) -> value, 95 %
        bounds, standard error, method."""
        import pandas as pd

        views = [*self, self.book] if len(self.accounts) > 1 else list(self)
        return pd.concat({view.name: view.summary(level) for view in views}, names=["account"])

    def to_frame(self) -> pd.DataFrame:
        """One row an account and path: `to_frame` of every account. Needs ``keep="paths"``."""
        import pandas as pd

        return pd.concat({view.name: view.to_frame() for view in self}, names=["account"])

    def _of(self, account: str | int | None) -> View:
        if account is not None:
            return self[account]
        problems = Problems(type(self).__name__)
        rule = f"there are {len(self.accounts)} accounts"
        remedy = "name one, or ask `.book` for all of them together"
        problems.check(len(self.accounts) == 1, "account", None, rule, remedy)
        problems.raise_if_any()
        return self[0]

    def __repr__(self) -> str:
        accounts = f"{len(self.accounts)} account{'s' * (len(self.accounts) != 1)}"
        return f"{type(self).__name__}({accounts}, {self.n_paths} paths, {self.times[-1]:g} days)"

    def _repr_html_(self) -> str:
        views = [self.book, *self] if len(self.accounts) > 1 else list(self)
        notes = (f"{found.severity}: {found.message} [{found.code}: {found.subject}]" for found in self.findings)
        return "".join(f"<p>{escape(note)}</p>" for note in notes) + "".join(v._repr_html_() for v in views[:10])
