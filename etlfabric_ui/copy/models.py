"""Copy of dbt models, lineage and data."""

from __future__ import annotations

# ── dbt models ──
DBT_MODELS = "dbt models"
FIND = "Find a file"
NEW = "New"
NEW_DBT_MODEL = "New dbt model"
UNSAVED = "unsaved"
EDITORS_WRITE = "Editors can write dbt models."
NO_FILES = "No dbt models yet."
NO_FILES_TEXT = (
    "A dbt model is a select that becomes a table. Staging comes by itself with the first pipeline."
)
CHOOSE_FILE = "Choose a file, or write a new dbt model."
GENERATED = "Generated from {source} and rebuilt when the stream changes."
GENERATED_PLAIN = "Generated from the streams and rebuilt when they change."
COPY_TO_EDIT = "Copy to edit"
COPIED = "A copy, not saved yet. Once saved it is yours: it stays as it is when the stream changes."
WIDER = "Editing needs a wider screen."
SAVED = "Saved."
SAVED_AS_DRAFT = "Saved as draft."
LAST_GOOD = "Saved as draft. The last good version ({day}) keeps running."
NEVER_GOOD = "Saved as draft. It runs once it compiles."
DRAFT = "This is a draft. The last good version ({day}) keeps running."
DRAFT_NEW = "This is a draft. It runs once it compiles."
GO_TO_LINE = "Go to line {line}"
COMPARE = "Compare"
SAVE_OVER = "Save mine over it"
TAKE_THEIRS = "Take theirs"
MINE, THEIRS = "Yours", "Saved meanwhile"
PANELS = (
    ("preview", "Preview"),
    ("compiled", "Compiled SQL"),
    ("tests", "Tests"),
    ("changes", "Changes"),
    ("used", "Used by"),
)
PREVIEW_EMPTY = "Press Preview to read the first rows. A preview never writes."
COMPILE_EMPTY = "Press Compile to see the SQL that Postgres gets."
RUNNING_READ_ONLY = "Running as your read-only login …"
PREVIEWED = "{rows} in {took}"
FIRST_ONLY = "{rows} in {took}, first {limit} only"
NO_ROWS = "No rows in {took}."
NO_TESTS = "No dbt tests yet. A test says what must always hold, and stops what it guards."
NO_CHANGES = "No saved changes yet."
NO_USE = "Nothing reads it yet."
SHOW_FAILING = "Show failing rows"
RUN_TESTS = "Run tests"
EDITORS_RUN = "Editors can start runs."
ADD_TEST = "Add test"
TESTS = {
    "not_null": "not_null: always has a value",
    "unique": "unique: no value twice",
    "accepted_values": "accepted_values: one of a list",
    "relationships": "relationships: exists in another dbt model",
}
TEST_ADDED = "Test added to {path}. It runs with the next run."
ACTIONS = {
    "put": "saved",
    "restore": "restored",
    "import": "imported",
    "delete": "deleted",
    "found": "as it was before its history began",
}
COMPILED = "Compiled."
RESTORE = "Restore"
SHOW_CHANGES = "Show changes"
NO_DIFFERENCE = "No difference to the saved file."
DELETE_TITLE = "Delete {name}?"
DELETE_TEXT = (
    "Deletes the file from the project. The table it built stays until somebody drops it. "
    "Its history is kept, so that it can be restored."
)
TYPE_NAME = "Type {name} to confirm"
NAME_DIFFERS = "That is not the name of this file."
NAME_TAKEN = "There is a file {path} already. Choose another name."
EXAMPLE = "select *\nfrom {{{{ ref('{name}') }}}}\nlimit 100\n"
EXAMPLE_PLAIN = "select 1 as id\n"

# ── Lineage ──
LINEAGE = "Lineage"
FIND_TABLE = "Find a table"
BANDS = {"source": "Connection", "raw": "Raw", "staging": "Staging", "marts": "Marts"}
NODE_STATES = {
    "succeeded": "fresh",
    "late": "late",
    "failed": "failed",
    "never_run": "never built",
}
FOLDED = {
    "source": "{pipeline}: {count} streams",
    "raw": "{pipeline}: {count} raw tables",
    "staging": "{pipeline}: {count} staging models",
}
FOLDED_NOTE = (
    "More than 100 tables: raw and staging are folded per pipeline. Focus a table for all."
)
NOT_BUILT = "It has no columns yet: it was not built."

# ── Data ──
DATA = "Data"
SEARCH_TABLES = "Search tables"
WRITE_ONE = "Write a dbt model"
TABS = (("rows", "Rows"), ("columns", "Columns"), ("profile", "Profile"), ("sql", "SQL"))
DOWNLOAD = "Download CSV"
SAMPLED = "From a sample of {rows} rows"
ALL_ROWS = "From all {rows} rows"
WHOLE_TABLE = "Whole table"
PROFILING = "Looking at the values …"
RUN_QUERY = "Run"
QUERY_HELP = "One select, run as your read-only login. Tables go by their name, without a schema."
NO_ROWS_HERE = "No rows."
VALUES_CUT = "Long values are cut; press one to read it whole."
FILTERS = {
    "contains": "contains",
    "equals": "is",
    "above": "is above",
    "below": "is below",
    "null": "is NULL",
    "not_null": "is not NULL",
    "empty": "is ''",
}
