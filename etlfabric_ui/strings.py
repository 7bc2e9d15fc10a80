"""The panel's copy: one module, so that a test can hold it against the design brief."""

from __future__ import annotations

PRODUCT = "ETL Fabric"
SKIP = "Skip to content"
RECONNECTING = "Reconnecting. What you see may be out of date."
TRY_AGAIN = "Try again"
CLEAR_FILTERS = "Clear filters"
GO_TO_OVERVIEW = "Go to Overview"
NEW_CONNECTION = "New connection"
RUN_NOW = "Run now"
CREATE_ORG = "Create an org"

# ── Sign in, sign up, invite, reset ──
SIGN_IN = "Sign in"
FORGOT_QUESTION = "Forgot password?"
NEW_HERE = "New here?"
CREATE_ACCOUNT_LINK = "Create an account"
CREATE_ACCOUNT = "Create account"
PASSWORD_RULE = "At least 12 characters"  # noqa: S105 - copy
SLUG_HELP = "Used in URLs and the CLI. Cannot change later."
HAVE_ACCOUNT = "You have an account? Sign in"
FORGOT = "Forgot your password"
SEND_LINK = "Send a link"
NEW_PASSWORD = "Choose a password"  # noqa: S105 - copy
OWN_PASSWORD = "Set your password"  # noqa: S105 - copy
CHANGE_PASSWORD = "Change password"  # noqa: S105 - copy
NEW_LINK = "Request a new link"
INVITED = "You are invited"
SWITCH_ACCOUNT = "Switch account"
JOIN = "Join"
CONFIRM_ADDRESS = "Confirm your address"
CONFIRM_DONE = "Thank you. This is your address now."
FORGOT_DONE = "If that address has an account, a link is on its way. It works once, for 30 minutes."
RESET_DONE = "Password changed. All other sessions were signed out."
SET_PASSWORD = "Set your password. The one-time login you used has now expired."  # noqa: S105 - copy
SIGNED_OUT = "You were signed out after 12 hours. Sign in to go on where you were."

# ── Shared states ──
MISSING = "Nothing here. It may have been deleted or renamed, or belongs to another org."
UNFORESEEN = "This failed in a way we did not expect. It is logged as {reference}."
UNFORESEEN_REMEDY = "Try again; if it repeats, send the reference to your operator."
NOT_FOUND = "Nothing here"
LEAVE = "Leave"
UNDO = "Undo"
KEYS_SWITCH = "Keyboard shortcuts on or off"
GO_TO = "Go to a page, connection, pipeline or dbt model"
SUSPENDED = (
    "An operator suspended {org}. No runs start and BI logins are closed; all data is kept. "
    "Contact your operator."
)
AS_OPERATOR = "You are in {org} as operator. What you do is in its audit log. "
NO_ORG = "No orgs yet. An org holds connections, pipelines and their data."

# ── First minutes ──
FIRST_SOURCE = "Connect your first source"
FIRST_SOURCE_TEXT = (
    "Pick a database, an API or a file. ETL Fabric finds its tables, loads them and builds clean "
    "tables in Postgres."
)

# ── Lists ──
NO_CONNECTIONS = "No connections yet."
NO_CONNECTIONS_TEXT = "A connection tells ETL Fabric where data is and how to log in."
NO_PIPELINES = "No pipelines yet."
NO_PIPELINES_TEXT = (
    "A pipeline loads a connection's streams and builds the dbt models that use them."
)
NO_RUNS = "No runs yet."
NO_RUNS_TEXT = "Press Run now on a pipeline, or give it a schedule."
NONE_ENDED = "None of them has ended."
NONE_GOING = "None of them is queued or running."
TRIGGERS = (
    *(("", "Any trigger"), ("schedule", "By schedule"), ("manual", "By hand")),
    *(("api", "By the API"), ("retry", "As a retry"), ("dagster", "From Dagster")),
)
SPANS = (("", "Any time"), ("24h", "Last 24 h"), ("7d", "Last 7 days"), ("30d", "Last 30 days"))
NO_MATCH = "No {noun} match these filters."
NO_DATA = "Nothing in marts yet."
NO_DATA_TEXT = "The first run fills it."
NO_MARTS = "Staging is ready: {tables} tables. Write your first mart on top of them."
NO_LINEAGE = "Lineage appears after the first run."
NO_SCHEDULES = "No schedules."
NO_SCHEDULES_TEXT = "Runs start only by hand."

# ── Wizard ──
STEPS = ("Connector", "Details", "Streams", "Schedule", "First run")
CHOOSE_CONNECTOR = "Choose a connector"
NO_CONNECTOR = "No connector named “{query}”. Any REST API works with"
TEST_AND_CONTINUE = "Test and continue"
SAVE_WITHOUT_TESTING = "Save without testing"
SECRET_HELP = "encrypted; never shown again"  # noqa: S105 - copy
REFRESHING = "Refreshing reads names and types only; nothing loaded changes."
DEFAULTS_SET = "Good defaults are set. Press Continue, or open a stream to change it."
CHOOSE_STREAMS = "Choose what you need; you can add more at any time."
NO_STREAMS = "No tables found."
SAVED_FINISH_LATER = "{name} is saved. Finish it from Connections."
FILES_GUIDE = (
    "Each file you drop becomes a stream, and each stream a table. A pattern such as orders_*.csv "
    "in Streams reads many files into one. For S3, write s3://bucket/folder as the address and "
    "give a key that may only read."
)
DROP_FILES = "Drop CSV, Parquet or JSONL here, or choose files. Up to 2\N{NO-BREAK SPACE}GB each."
CREATE_AND_RUN = "Create and run"
LOAD_MODES = {
    "full": ("Full", "replace everything each run"),
    "incremental": ("Incremental", "only new and changed rows, by cursor"),
    "append": ("Append", "add new rows, never change old ones"),
    "merge": ("Merge", "update rows by key"),
    "scd2": ("History (SCD2)", "keep every version of a row"),
}
"""Mode → its name, and one line that says what it does."""

# ── Run ──
DATA_READY = "Your data is ready. {rows} loaded, {tables} built in {took}."
TOOK_OVER = "Attempt {number} took over at {at} ({zone}); nothing is lost or loaded twice."
STILL = "Still working: no event for {time}."
CANCEL_QUESTION = "Cancel this run?"
CANCEL_TEXT = "Streams that have finished stay loaded; the others keep their old rows."

# ── Edited meanwhile ──
SAVE_OVER = "Save mine over it"
TAKE_THEIRS = "Take theirs"
LEAVE_QUESTION = "Leave without saving?"
LEAVE_TEXT = "What you changed here is not saved yet."

# ── Connection ──
DELETES_CONNECTION = "Deletes the connection and its credentials. Loaded tables stay."
SAVED_TESTED = "Saved. The test passed."
SAVED_UNTESTED = "Saved without a test that passed."
NEVER_FOUND = "Nobody has looked yet which streams it offers."
USED_BY_NONE = "No pipeline uses it yet."
EDITORS_CHANGE_CONNECTIONS = "Editors can change connections."
EDITORS_TEST = "Editors can test connections."
EDITORS_LOOK = "Editors can look for streams."
ADMINS_DELETE_CONNECTIONS = "Admins can delete connections."

# ── Pipeline ──
PAUSED = "{name} is paused. Runs start only by hand."
POLICY_SAVED = "Saved. The policy holds from the next run on."
SELECTOR_SAVED = "Saved. The next run builds these."
STREAMS_SAVED = "Saved. The next run loads them so."
GONE = "The source does not offer it any more."
STALE = "The connection was changed since its streams were read. Read them again to edit them."
LOADS_NOTHING = "This pipeline loads no streams."
LOADS_NOTHING_TEXT = "It has no connection and only builds dbt models: {selector}"
DELETES_PIPELINE = (
    "Deletes the pipeline, its schedule and its login. Its tables, dbt models and the history of "
    "its runs stay."
)
EDITORS_CHANGE_PIPELINES = "Editors can change pipelines."
EDITORS_SELECT = "Editors can retry and cancel runs."
EDITORS_RUN = "Editors can start runs."
EDITORS_PAUSE = "Editors can pause pipelines."
ADMINS_DELETE_PIPELINES = "Admins can delete pipelines."
NO_CHANGES = "No schema changes in 90 days."
NO_CHANGES_TEXT = "When columns appear, vanish or change their type at the source, it is told here."
POLICIES = {
    "evolve": ("Evolve", "take new columns"),
    "freeze": ("Freeze", "stop and ask"),
    "discard": ("Discard", "ignore new columns"),
}
"""Schema policy → its name, and one line that says what it does."""
SCHEDULE_SAVED = "Saved."
RENAME_HELP = (
    "History, schedule and alert rules go with it. Tables and dbt models keep their names."
)
SELECTOR_HELP = "Empty: every dbt model that builds on its streams. Else a dbt selector."

STATES = {
    "queued": "Queued",
    "running": "Running",
    "succeeded": "Succeeded",
    "failed": "Failed",
    "canceled": "Canceled",
    "lost": "Lost",
    "healthy": "Healthy",
    "late": "Late",
    "failing": "Failing",
    "paused": "Paused",
    "never_run": "Never run",
    "ready": "Ready",
    "on": "On",
    "off": "Off",
    "active": "Active",
    "suspended": "Suspended",
    "provisioning": "Being created",
    "erasing": "Being erased",
    "attention": "Needs attention",
    "untested": "Never tested",
    "waiting": "Waiting",
    "unchanged": "Unchanged",
    "skipped": "Skipped",
    "warning": "Warning",
}
"""State → the one word on its badge."""

KEYS = (
    ("⌘K", "Go to anything"),
    ("g o", "Overview"),
    ("g c", "Connections"),
    ("g p", "Pipelines"),
    ("g r", "Runs"),
    ("g m", "dbt models"),
    ("g l", "Lineage"),
    ("g d", "Data"),
    ("g s", "Schedules"),
    ("g a", "Alerts"),
    ("/", "Search"),
    ("n", "New"),
    ("j k", "Next and previous row"),
    ("x", "Select the row"),
    (".", "Actions of the row or page"),
    ("[ ]", "Previous and next run"),
    ("f", "Follow the log"),
    ("e", "Next error in the log"),
    ("?", "This list"),
    ("Esc", "Close"),
)

# ── Settings ──
SECTIONS = (
    ("members", "Members"),
    ("tokens", "Tokens"),
    ("audit", "Audit"),
    ("usage", "Usage"),
    ("bi-access", "BI access"),
    ("general", "General"),
    ("danger-zone", "Danger zone"),
)
"""Last part of the URL, and its name."""
ROLES = {
    "viewer": "Sees everything, changes nothing.",
    "editor": "Creates connections, writes dbt models, starts runs.",
    "admin": "Also deletes, manages members, tokens and BI access.",
    "owner": "Also renames, exports and erases the org, and makes owners.",
}
INVITED_BY_MAIL = "Invitation sent. It works once, for 7 days."
NO_MAIL = "Mail is not set up on this install. Send this link yourself."
ONE_OWNER = "An org needs at least one owner."
NO_TOKENS = "No tokens."
NO_TOKENS_TEXT = "A token lets the CLI or a program act as you."
TOKEN_ONCE = "Copy it now. It is not shown again."  # noqa: S105 - copy
USAGE_TIMES = "Days and months are UTC."
NO_USAGE = "Nothing loaded this month."
ROLL_WARNING = "Tools that use the old password stop at once."
ERASE_WARNING = (
    "Erases {contents}, {size} and all credentials. Backups are not touched. "
    "Type {slug} to confirm."
)

# ── Alerts ──
NO_ALERTS = "No alerts."
NO_ALERTS_TEXT = "Nothing fails or is late, as far as your rules look."
NO_RULES = "No rules yet."
NO_RULES_TEXT = "A rule says what is told, of which pipelines, and to whom. Add a channel first."
NO_CHANNELS = "No channels yet."
NO_CHANNELS_TEXT = "A channel is where messages go: mail, a Slack-compatible hook, a webhook."

# ── Operator ──
QUOTA = "Empty is without limit. At 80% the org is warned, at 100% no new runs start."
