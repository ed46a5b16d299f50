"""The laws that hold for every template and every stage.

Each law is a function from one template and its expansions to what breaks it: an empty list, or sentences for a person.
They know the names of the contract and the shape of a template, and nothing of how the macro works.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.macro.laws import movement, tables, whole
from tests.macro.laws.expansions import COMPANIONS, Run, run
from tests.macro.reading import Template

__all__ = ["COMPANIONS", "LAWS", "Run", "broken", "run"]

LAWS: tuple[Callable[[Run], list[str]], ...] = (
    whole.the_input_is_unchanged,
    whole.the_same_input_gives_the_same_output,
    whole.off_gives_the_template_as_it_was,
    whole.what_has_nothing_to_do_with_a_table_is_equal,
    whole.everything_resolves,
    whole.there_is_no_circle,
    whole.cleanup_names_no_source,
    tables.both_tables_keep_their_properties,
    tables.source_and_twin_have_the_same_properties,
    tables.no_table_has_a_policy_that_cloudformation_would_overwrite,
    tables.no_table_is_replaced,
    tables.companions_never_change_while_they_exist,
    movement.what_moves_comes_after_the_gate,
    movement.roles_are_not_gated,
    movement.exports_keep_their_value_until_cleanup,
    movement.outputs_say_where_each_table_stands,
    movement.nothing_moves_before_cutover,
    movement.no_permission_is_lost,
    movement.what_exists_once_per_table_follows_it,
    tables.what_belongs_to_a_table_exists_under_its_condition,
    movement.streams_move_last,
    tables.the_twin_is_kept_once_it_is_written,
    tables.the_twin_ends_with_what_the_source_had,
    tables.twins_with_indexes_are_made_one_after_another,
)


def broken(template: Template) -> list[str]:
    """Every law that the template's expansions break, as `law: how`."""
    run_ = run(template)
    return [f"{law.__name__}: {how}" for law in LAWS for how in law(run_)]
