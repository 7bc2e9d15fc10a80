"""Who may call each route: by operation id. A route that is not here fails the build.

`NEEDS`: the least role inside an org, or `public`, `person` (anybody signed in), `operator`.
"""

from __future__ import annotations

from typing import Any

PUBLIC, PERSON, OPERATOR = "public", "person", "operator"
VIEWER, EDITOR, ADMIN, OWNER = "viewer", "editor", "admin", "owner"


def _all(needed: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), needed)


NEEDS: dict[str, str] = {
    **_all(
        PUBLIC,
        "sign_up login refresh exchange forgot_password reset_password verify_email show_invitation"
        " accept_invitation",
    ),
    **_all(
        PERSON,
        "logout me update_me change_password change_email send_verification list_sessions"
        " end_sessions list_tokens create_token revoke_token list_orgs create_org"
        " list_connectors get_connector get_erasure",
    ),
    **_all(
        OPERATOR,
        "list_users create_user issue_user_token disable_user enable_user suspend_org resume_org"
        " set_quota get_fleet create_orgs set_org_limits get_user_sessions sign_user_out",
    ),
    **_all(
        VIEWER,
        "get_org leave_org list_members list_incidents list_alert_channels list_alert_rules"
        " get_answer list_connections get_connection list_dbt_versions get_dbt_version"
        " diff_dbt_version list_dbt_models compile_dbt_model preview_dbt_model list_dbt_tests"
        " get_dbt_model get_overview list_pipeline_health list_pipelines get_pipeline"
        " list_streams list_schema_changes query list_runs get_run read_log follow_log download_log"
        " list_schedules get_schedule next_fires list_offered_streams list_pending_columns"
        " list_uploads get_usage plan_edit get_lineage list_tables get_table list_rows"
        " profile_table download_table get_alert_channel get_alert_rule get_member get_quota"
        " get_org_limits get_stream browse_table get_table_value format_sql compile_dbt_text"
        " get_failing_rows",
    ),
    **_all(
        EDITOR,
        "create_alert_channel update_alert_channel delete_alert_channel test_alert_channel"
        " put_alert_rule delete_alert_rule create_connection update_connection check_connection"
        " discover_connection restore_dbt_version import_dbt_project put_dbt_model"
        " delete_dbt_model create_pipeline update_pipeline pause_pipeline resume_pipeline"
        " set_stream deselect_stream decide_column start_run cancel_run retry_run set_schedule"
        " remove_schedule run_dbt_tests pause_schedule resume_schedule edit_streams put_upload"
        " delete_upload",
    ),
    **_all(
        ADMIN,
        "delete_connection delete_pipeline set_member_role remove_member list_invitations"
        " create_invitation resend_invitation revoke_invitation list_org_tokens"
        " revoke_org_token list_audit_events get_bi_credentials roll_bi_credentials",
    ),
    **_all(OWNER, "rename_org export_org erase_org"),
}

BODIES: dict[str, Any] = {
    "create_alert_channel": {"name": "ops", "kind": "email", "to": ["ops@example.com"]},
    "update_alert_channel": {"to": ["ops@example.com"]},
    "put_alert_rule": {"channels": ["nothing"]},
    "create_connection": {"name": "Bad Name", "connector": "rest_api", "config": {}},
    "update_connection": {},
    "put_dbt_model": {"content": "select 1"},
    "set_member_role": {"role": "viewer"},
    "create_invitation": {"email": "not an address", "role": "viewer"},
    "create_pipeline": {"name": "nothing", "connection": "nothing"},
    "update_pipeline": {},
    "set_stream": {"mode": "full"},
    "decide_column": {"decision": "accept"},
    "query": {"sql": "select 1"},
    "format_sql": {"sql": "select 1"},
    "compile_dbt_text": {"content": "select 1"},
    "browse_table": {},
    "start_run": {"pipeline": "nothing"},
    "set_schedule": {"cron": "* * * * *"},
    "edit_streams": {"pipeline": "nothing", "change": {"selected": True}},
    "plan_edit": {"pipeline": "nothing", "streams": {}},
    "set_quota": {},
    "create_user": {"email": "x@example.com"},
    "create_orgs": {"orgs": [{"slug": "one_of_many", "name": "One"}]},
    "set_org_limits": {},
    "rename_org": {"name": "Cast"},
}

NOT_CALLED = {
    "leave_org": "would take the shared member out",
    "export_org": "writes the whole org",
    "erase_org": "would end the shared org",
    "query": "waits for a worker",
    "roll_bi_credentials": "changes a password",
}
"""By who may: refusals are still checked."""
