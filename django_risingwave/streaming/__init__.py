"""What streams: views, sources, sinks, mirrors and subscriptions as models and migrations, and their changes.

The modules are what projects and their migrations import: definitions of objects, migration operations,
secrets, sinks, checkpoints, subscriptions, changes. The subpackages hold the rest. Don't move a definition to
another module, such as those in connectors.definitions: migrations name it.

connectors  sources, tables with a connector, and sinks: definitions, SQL and options
declaring   what a model's inner class Stream declares, and its checks
detecting   what migrations know of streaming models, and what makemigrations finds changed
following   Model.changes(): from a subscription's cursor to instances; its errors are in model_changes
inspecting  what a server has, for inspectdb and `check --database`
rebuilding  how views get new definitions on RisingWave

The stand-in (django_risingwave.standin) creates its objects from the same definitions.
"""
