async def test_install_points_at_running_servers(install):
    import psycopg

    with psycopg.connect(install.database.render_as_string(hide_password=False)) as conn:
        assert conn.execute("select current_user").fetchone() == ("etlfabric",)
