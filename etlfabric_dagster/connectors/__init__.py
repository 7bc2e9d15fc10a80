"""Connectors: a spec, a check, a discovery and a dlt source. They run in the sandbox and import
only schemas.
"""
