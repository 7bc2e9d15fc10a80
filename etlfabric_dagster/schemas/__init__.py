"""Frozen values: the only things that cross a layer. No ORM row and no secret in clear leaves
services.
"""
