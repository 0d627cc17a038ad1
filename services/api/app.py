"""The API as an ASGI app: `create_app` takes collaborators and reads nothing."""
