"""What is wrong with the constants, derived columns and row rules of a declaration, before any file is."""

from collections import Counter
from collections.abc import Iterator, Mapping

from sqlglot import exp
from waybill_contracts import Column, Declaration

from records.expressions.compiler import ExpressionFault, parse
from records.expressions.rules import truth
from records.expressions.terms import MAX_JOINED
from records.transform import MAX_LITERAL_BYTES, constant_bytes, input_types
from records.transform_derive import fitting


def expression_problems(declaration: Declaration) -> Iterator[str]:
    """A sentence for each derived column or row rule that cannot be, with its field."""
    columns = declaration.columns
    if not columns:
        yield from _form_problems(declaration)
        return
    yield from _derived_problems(columns)
    types = tuple((name, column.type) for name, column in columns.items())
    for rule in declaration.rules:
        try:
            if rule.expect is not None:
                truth(rule.expect, types)
        except ExpressionFault as fault:
            yield f"rules.{rule.name}.expect: {fault}"


def _form_problems(declaration: Declaration) -> Iterator[str]:
    """Without columns yet, only what no columns could make good."""
    for rule in declaration.rules:
        try:
            if rule.expect is not None:
                parse(rule.expect)
        except ExpressionFault as fault:
            yield f"rules.{rule.name}.expect: {fault}"


def _derived_problems(columns: Mapping[str, Column]) -> Iterator[str]:
    types = input_types(columns)
    joined: Counter[str] = Counter()
    literal_bytes = constant_bytes(columns)
    for name, column in columns.items():
        try:
            if column.derived is None:
                continue
            _check_inputs(column.derived, columns)
            expression = fitting(column, types)
            joined += Counter(expression.joined)
            literal_bytes += expression.literal_bytes
            _check_growth(joined, literal_bytes)
        except ExpressionFault as fault:
            yield f"columns.{name}.derived: {fault}"


def _check_inputs(text: str, columns: Mapping[str, Column]) -> None:
    """Derived columns stand beside each other: so there is no order among them, and no circle."""
    names = (node.name for node in parse(text).find_all(exp.Column))
    if derived := [name for name in names if name in columns and columns[name].derived is not None]:
        raise ExpressionFault(f"expected columns of the file or constants, found {derived[0]}, which is derived")


def _check_growth(joined: Counter[str], literal_bytes: int) -> None:
    """All derived columns of a row together stay in proportion to what the file says."""
    if over := [name for name, count in joined.items() if count > MAX_JOINED]:
        raise ExpressionFault(f"||: expected {over[0]} at most {MAX_JOINED} times in all derived columns")
    if literal_bytes > MAX_LITERAL_BYTES:
        raise ExpressionFault(
            f"expected constants and texts in quotes of at most {MAX_LITERAL_BYTES} bytes in all columns together"
        )
