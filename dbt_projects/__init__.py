"""Package data: the base project that every tenant's dbt project is rendered from.

`base/dbt_project.yml` and `base/macros/` are copied as they stand; the profile and the values of
`vars` are written per job. Nothing here knows a tenant.
"""
