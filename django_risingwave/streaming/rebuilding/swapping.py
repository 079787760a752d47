"""Changes of materialized views on RisingWave: the new view is built beside the old one, and takes its name.

SWAP exchanges the names of two views and nothing else: views and subscriptions over the old view go on with
the old one, and keep it from being dropped (RisingWave 2.8.0). So they are built again over the new view,
swapped too, and then everything old is dropped, the leaves first. A reader always finds each view under its
name.

RisingWave rolls nothing back. So each run reads from the catalog how far the one before it came:

- temporary names have a hash of the new definitions, so what is built already is found by its name;
- ids grow, so the view under the temporary name is the new one if its id is the larger one, and the old one
  after the SWAP;
- what still stands on an old view hasn't been rebuilt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import Error, OperationalError, ProgrammingError

from django_risingwave.streaming.rebuilding.building import in_background, logger, wait_until_built
from django_risingwave.streaming.rebuilding.existing import Existing, renamed, select_of
from django_risingwave.streaming.rebuilding.plan import Plan, base_name, is_temporary_name, temporary_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django_risingwave.schema import DatabaseSchemaEditor
    from django_risingwave.streaming.definitions import Definition
    from django_risingwave.streaming.rebuilding.existing import ExistingObject
    from django_risingwave.streaming.rebuilding.plan import View


def rebuild(
    editor: DatabaseSchemaEditor, definitions: Sequence[Definition], *, cascade: bool = False
) -> None:
    """Give views of these names these definitions, and build everything again that stands on them.

    With `cascade`, drop what can't be built again, such as sinks, with the old views. Otherwise raise
    NotSupportedError, naming it, before anything is changed. An error of a build is raised after what was
    built has been dropped again; after a lost connection another run goes on where this one stopped.
    """
    Rebuild(editor, definitions, cascade=cascade).run()


def collect(editor: DatabaseSchemaEditor, definitions: Sequence[Definition]) -> None:
    """Add the statements to the output of sqlmigrate, as far as they don't depend on the catalog."""
    prefix = temporary_prefix(definition.create_sql(editor.quote_name) for definition in definitions)
    editor.collected_sql.append("-- What stands on these views is built again, swapped and dropped likewise.")
    for definition in definitions:
        name, temporary = editor.quote_name(definition.name), editor.quote_name(prefix + definition.name)
        editor.execute(renamed(definition.create_sql(editor.quote_name), temporary), None)
        editor.execute(f"ALTER {definition.kind} {name} SWAP WITH {temporary}", None)
    for definition in reversed(definitions):
        editor.execute(f"DROP {definition.kind} {editor.quote_name(prefix + definition.name)}", None)


class Rebuild:
    """One run."""

    def __init__(
        self, editor: DatabaseSchemaEditor, definitions: Sequence[Definition], *, cascade: bool
    ) -> None:
        self.editor = editor
        self.connection = editor.connection
        self.quote = editor.quote_name
        self.definitions = definitions
        self.cascade = cascade

    def run(self) -> None:
        """Build, swap, and drop."""
        existing = Existing(self.connection)
        if self._rename_indexes(existing):
            existing = Existing(self.connection)
        plan = Plan(existing, self.definitions, self.quote, cascade=self.cascade)
        self._check_dependents(plan)
        for view in plan.views:
            self._replace_or_undo(view, plan)
        self._drop(plan)
        self._rename_indexes(Existing(self.connection))

    def _replace_or_undo(self, view: View, plan: Plan) -> None:
        """Replace a view. If it is refused, undo what was done for the others too."""
        try:
            self._replace(view, plan)
        except OperationalError:
            logger.warning("The change isn't finished. Run the migration again: it goes on where it stopped.")
            raise
        except Error as error:
            left = "All views are as they were." if self._undo(plan) else "The change is half done."
            reads = "" if view.is_changed else f", which reads {plan.changed_names()},"
            raise type(error)(
                f'{view.kind.capitalize()} "{view.name}"{reads} can\'t be built: {error}\n{left} Change the '
                "definition, and run the migration again."
            ) from error

    def execute(self, sql: str) -> None:
        """Send a statement without parameters."""
        self.editor.execute(sql, None)

    # Before the first change -----------------------------------------------------------------------------

    def _check_dependents(self, plan: Plan) -> None:
        """Raise ProgrammingError if a dependent can't read the changed views, as far as a plan of it tells.

        Common table expressions with the names of the changed views take their place in the plan, so nothing
        needs to be created. Other errors tell of limits that only this form of the query has.
        """
        expressions: list[str] = []
        for view in plan.views:
            columns, query = select_of(view.definition)
            if not view.is_changed and expressions:
                try:
                    with self.connection.cursor() as cursor:
                        cursor.execute(
                            f"EXPLAIN WITH {', '.join(expressions)} SELECT * FROM (\n{query}\n) AS rebuilt"  # noqa: S608 - views' own SELECTs
                        )
                except ProgrammingError as error:
                    raise ProgrammingError(
                        f'{view.kind.capitalize()} "{view.name}", which reads {plan.changed_names()}, can\'t '
                        f"be built again: {error}\nNothing has been changed. Change it in the same "
                        "migration, or drop it before."
                    ) from error
                except Error:
                    pass
            expressions.append(f"{self.quote(view.name)} {columns} AS (\n{query}\n)")

    # One view --------------------------------------------------------------------------------------------

    def _replace(self, view: View, plan: Plan) -> None:
        """Build the view and what is attached to it, and exchange the names."""
        temporary = self.quote(view.temporary_name)
        if not view.is_swapped:
            if view.new is None:
                logger.info("%s %s: building the new one", view.kind, view.name)
                self._create(view, renamed(view.definition, temporary))
            elif view.kind == "materialized view":
                wait_until_built(self.connection, view.temporary_name, shown_name=view.name)
            for index in view.indexes:
                self._create_index(view, index, plan)
            self._grant(view.kind, temporary, view.current, plan.existing.superusers)
            self.execute(f"ALTER {view.kind.upper()} {self.quote(view.name)} SWAP WITH {temporary}")
        for subscription in view.subscriptions:
            self._replace_subscription(view, subscription, plan)

    def _create(self, view: View, sql: str) -> None:
        if view.kind != "materialized view":
            self.execute(sql)
            return
        with in_background(self.connection):
            self.execute(sql)
        wait_until_built(self.connection, view.temporary_name, shown_name=view.name)

    def _create_index(self, view: View, index: ExistingObject, plan: Plan) -> None:
        """Create an index of the current view on the new one, under a temporary name."""
        if base_name(index.name) not in view.attached:
            name = plan.prefix + base_name(index.name)
            definition = renamed(index.definition, self.quote(name))
            head = f"CREATE INDEX {self.quote(name)} ON "
            # The definition goes on with the columns.
            self.execute(head + self.quote(view.temporary_name) + definition[definition.index("(") :])

    def _grant(self, kind: str, name: str, current: ExistingObject | None, superusers: Iterable[str]) -> None:
        """Let the readers of the current object read the new one."""
        if current is None:
            return
        for user, may_grant in current.readers():
            if user != current.owner and user not in superusers:
                option = " WITH GRANT OPTION" if may_grant else ""
                self.execute(f"GRANT SELECT ON {kind.upper()} {name} TO {self.quote(user)}{option}")

    def _replace_subscription(self, view: View, subscription: ExistingObject, plan: Plan) -> None:
        """Create a subscription to the new view, which has its name by now, and exchange the names."""
        name = view.attached.get(subscription.name)
        temporary = self.quote(name or plan.prefix + subscription.name)
        if name is None:
            self.execute(
                f"CREATE SUBSCRIPTION {temporary} FROM {self.quote(view.name)} {_options(subscription)}"
            )
        self._grant("subscription", temporary, subscription, plan.existing.superusers)
        self.execute(f"ALTER SUBSCRIPTION {self.quote(subscription.name)} SWAP WITH {temporary}")

    # All views -------------------------------------------------------------------------------------------

    def _undo(self, plan: Plan) -> bool:
        """Give the old views their names back, and drop the new ones. Return whether that was possible."""
        try:
            existing = Existing(self.connection)
            dropped = {}
            for item in existing.objects.values():
                current = existing.named(item.name.removeprefix(plan.prefix))
                if item.kind == "index" or not item.name.startswith(plan.prefix) or current is None:
                    continue
                if current.id > item.id:
                    names = self.quote(current.name), self.quote(item.name)
                    self.execute(f"ALTER {item.kind.upper()} {names[0]} SWAP WITH {names[1]}")
                dropped[max(current.id, item.id)] = item.name
            self._drop_all(existing, dropped)
        except Error:
            # It must not hide the first error.
            return False
        return True

    def _drop(self, plan: Plan) -> None:
        """Drop the old views and what stands on them."""
        names = {item.id: item.name for item in plan.old}
        for view in plan.views:
            for old in (view.current, *view.subscriptions):
                if old is not None and old.id in names and not is_temporary_name(old.name):
                    names[old.id] = view.attached.get(old.name) or plan.prefix + old.name
        self._drop_all(plan.existing, names)

    def _drop_all(self, existing: Existing, names: dict[int, str]) -> None:
        """Drop these objects under these names, the leaves first."""
        for item in existing.leaves_first(names):
            # Indexes go with their views.
            if item.kind != "index":
                self.execute(f"DROP {item.kind.upper()} {self.quote(names[item.id])}")

    def _rename_indexes(self, existing: Existing) -> bool:
        """Give new indexes the names of old ones that are gone. Return whether there were any."""
        found = [
            item
            for item in existing.objects.values()
            if item.kind == "index" and is_temporary_name(item.name) and self._is_free(item, existing)
        ]
        for item in found:
            self.execute(f"ALTER INDEX {self.quote(item.name)} RENAME TO {self.quote(base_name(item.name))}")
        return bool(found)

    @staticmethod
    def _is_free(index: ExistingObject, existing: Existing) -> bool:
        # The index of a view that hasn't been swapped is still needed under its temporary name.
        on = existing.found(existing.reads.get(index.id, ()))
        return existing.named(base_name(index.name)) is None and not any(
            is_temporary_name(item.name) for item in on
        )


def _options(subscription: ExistingObject) -> str:
    """Return the end of a subscription's definition, WITH (retention = '…')."""
    definition = subscription.definition
    return definition[definition.upper().rindex(" WITH") :].strip()
