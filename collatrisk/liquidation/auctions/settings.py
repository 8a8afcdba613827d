"""Rules of sale with some settings changed, by plain names: how candidates are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from collatrisk.liquidation.auctions.terms import AuctionRule, AuctionTerms
from collatrisk.liquidation.dutch_terms import DutchTerms

OF_TERMS = ("max_lot", "feed_delay_s")


def settings_of_rules(terms: AuctionTerms) -> tuple[str, ...]:
    """The settings that can be changed by name: those of the rules, of their curves, and some of the terms."""
    found = dict.fromkeys(OF_TERMS)
    for rule in terms.rules:
        found |= dict.fromkeys(field.name for field in fields(rule) if field.name != "curve")
        if isinstance(rule, DutchTerms):
            found |= dict.fromkeys(field.name for field in fields(rule.curve))  # type: ignore[arg-type]
    return tuple(found)


def with_settings(terms: AuctionTerms, settings: Mapping[str, float]) -> AuctionTerms:
    """The terms with `settings` in all rules that have them.

    Raises
    ------
    InputError : if the new terms break a rule.
    """
    changed = (
        {asset: _changed(rule, settings) for asset, rule in terms.rule.items()}
        if isinstance(terms.rule, Mapping)
        else _changed(terms.rule, settings)
    )
    others: dict[str, Any] = {name: settings[name] for name in OF_TERMS if name in settings}
    return replace(terms, rule=changed, **others)


def _changed(rule: AuctionRule, settings: Mapping[str, float]) -> AuctionRule:
    own: dict[str, Any] = {field.name: settings[field.name] for field in fields(rule) if field.name in settings}
    if isinstance(rule, DutchTerms):
        names = [field.name for field in fields(rule.curve)]  # type: ignore[arg-type]
        curve = {name: settings[name] for name in names if name in settings}
        return replace(rule, curve=replace(rule.curve, **curve), **own)  # type: ignore[type-var]
    return replace(rule, **own)
