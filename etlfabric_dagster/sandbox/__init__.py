"""Engine code that touches untrusted input, in children of a server that holds no secret.

Imports only connectors, schemas and security: never config, db, models or services.
"""
